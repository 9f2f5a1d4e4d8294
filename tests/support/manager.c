#include "tests/support/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGES_MAX = 512, /* more than any test causes */
    TEXT_MAX = 4096,
};

struct heard {
    pid_t pid;
    char text[TEXT_MAX + 1];
    int fd; /* -1: none, or let go */
};

struct manager {
    char variable[256];
    char path[108]; /* "": abstract */
    int fd, give_up;
    pthread_t thread;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    bool hold;
    int count, next;
    struct heard *heard;
};

/* ---- hearing ---- */

static bool has_line(const char *text, const char *line)
{
    for (const char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (!strncmp(at, line, strlen(line)))
            return true;
    return false;
}

static void let_go(struct heard *heard)
{
    if (heard->fd >= 0)
        close(heard->fd);
    heard->fd = -1;
}

static void keep(struct manager *m, const struct heard *heard)
{
    pthread_mutex_lock(&m->lock);
    if (m->count < MESSAGES_MAX) {
        struct heard *place = &m->heard[m->count++];

        *place = *heard;
        if (!has_line(place->text, "FDSTORE=1") && !(m->hold && has_line(place->text, "BARRIER=1")))
            let_go(place);
    } else if (heard->fd >= 0) {
        close(heard->fd);
    }
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

static void read_control(struct msghdr *message, struct heard *heard)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        struct ucred sender;

        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_RIGHTS)
            memcpy(&heard->fd, CMSG_DATA(c), sizeof(int));
        if (c->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&sender, CMSG_DATA(c), sizeof(sender));
            heard->pid = sender.pid;
        }
    }
}

static void hear(struct manager *m)
{
    struct heard heard = {.fd = -1};
    struct iovec piece = {.iov_base = heard.text, .iov_len = TEXT_MAX};
    char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(m->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (size <= 0)
        return;
    heard.text[size] = 0;
    read_control(&message, &heard);
    keep(m, &heard);
}

static void *manager_main(void *arg)
{
    struct manager *m = arg;
    struct pollfd both[] = {{.fd = m->fd, .events = POLLIN}, {.fd = m->give_up, .events = POLLIN}};

    while (poll(both, 2, -1) >= 0 || errno == EINTR) {
        if (both[1].revents)
            break;
        if (both[0].revents)
            hear(m);
    }
    return NULL;
}

/* ---- life ---- */

static int open_socket(struct manager *m, const char *folder)
{
    static int number;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);
    int one = 1;

    if (folder)
        snprintf(m->path, sizeof(m->path), "%.80s/notify", folder);
    else
        size =
            (socklen_t)(sizeof(sa_family_t) + 1 +
                        (size_t)snprintf(address.sun_path + 1, 64, "gf-test-manager-%d-%d", (int)getpid(), ++number));
    if (folder)
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", m->path);
    snprintf(m->variable, sizeof(m->variable), "NOTIFY_SOCKET=%s%s", folder ? "" : "@",
             address.sun_path + (folder ? 0 : 1));
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (m->fd < 0 || setsockopt(m->fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
        bind(m->fd, (const struct sockaddr *)&address, size) < 0)
        return -errno;
    return 0;
}

struct manager *manager_new(const char *folder)
{
    struct manager *m = calloc(1, sizeof(*m));
    pthread_condattr_t monotonic;
    int error;

    if (!m)
        return NULL;
    m->fd = -1;
    m->give_up = eventfd(0, EFD_CLOEXEC);
    m->heard = calloc(MESSAGES_MAX, sizeof(*m->heard));
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    error = m->heard && m->give_up >= 0 ? open_socket(m, folder) : -ENOMEM;
    if (!error)
        error = -pthread_create(&m->thread, NULL, manager_main, m);
    if (!error)
        return m;
    if (m->fd >= 0)
        close(m->fd);
    if (m->give_up >= 0)
        close(m->give_up);
    free(m->heard);
    free(m);
    errno = -error;
    return NULL;
}

void manager_free(struct manager *m)
{
    uint64_t one = 1;

    if (!m)
        return;
    if (write(m->give_up, &one, sizeof(one)) < 0)
        abort();
    pthread_join(m->thread, NULL);
    for (int i = 0; i < m->count; i++)
        let_go(&m->heard[i]);
    if (m->path[0])
        unlink(m->path);
    close(m->fd);
    close(m->give_up);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m->heard);
    free(m);
}

const char *manager_variable(const struct manager *m)
{
    return m->variable;
}

/* ---- questions ---- */

void manager_hold_barriers(struct manager *m, bool hold)
{
    pthread_mutex_lock(&m->lock);
    m->hold = hold;
    for (int i = 0; !hold && i < m->count; i++)
        if (has_line(m->heard[i].text, "BARRIER=1"))
            let_go(&m->heard[i]);
    pthread_mutex_unlock(&m->lock);
}

static bool is_of(const struct heard *heard, pid_t pid, const char *line)
{
    return (!pid || heard->pid == pid) && has_line(heard->text, line);
}

static void show(const struct manager *m, pid_t pid, const char *line)
{
    fprintf(stderr, "process %d did not say \"%s\"; heard was:\n", (int)pid, line);
    for (int i = 0; i < m->count; i++)
        fprintf(stderr, "--- %d%s:\n%s\n", (int)m->heard[i].pid, i >= m->next ? " (new)" : "", m->heard[i].text);
}

int manager_wait(struct manager *m, pid_t pid, const char *line, int timeout_ms, const char **message)
{
    struct timespec deadline;
    int i, result = 0;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&m->lock);
    for (i = m->next; !result; i++) {
        while (i == m->count && !result)
            result = -pthread_cond_timedwait(&m->changed, &m->lock, &deadline);
        if (!result && is_of(&m->heard[i], pid, line))
            break;
    }
    if (result)
        show(m, pid, line);
    else
        m->next = i + 1;
    if (!result && message)
        *message = m->heard[i].text; /* stays where it is */
    pthread_mutex_unlock(&m->lock);
    return result;
}

int manager_count(struct manager *m, pid_t pid, const char *line)
{
    int count = 0;

    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < m->count; i++)
        count += is_of(&m->heard[i], pid, line);
    pthread_mutex_unlock(&m->lock);
    return count;
}

int manager_kept(struct manager *m, const char *name)
{
    char line[256];
    int fd = -1;

    snprintf(line, sizeof(line), "FDNAME=%s", name);
    pthread_mutex_lock(&m->lock);
    for (int i = 0; i < m->count; i++)
        if (m->heard[i].fd >= 0 && has_line(m->heard[i].text, line))
            fd = m->heard[i].fd;
    pthread_mutex_unlock(&m->lock);
    return fd;
}
