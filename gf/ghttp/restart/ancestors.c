#include "ancestors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"

/* Restarts see to it that there are two at most, and a first process that stays as the keeper. */
#define ANCESTORS_MAX 8
/* Between SIGKILL and the end of a process lies only what the kernel has to do. */
#define END_TIMEOUT_MS 1000

struct ancestor {
    pid_t pid;
    int pidfd;
};

static struct ancestor ancestors[ANCESTORS_MAX]; /* the oldest first */
static size_t count;
static bool incomplete; /* there are more than these */

static bool has_ended(const struct ancestor *a, int timeout_ms)
{
    struct pollfd end = {.fd = a->pidfd, .events = POLLIN};
    int result;

    do
        result = poll(&end, 1, timeout_ms);
    while (result < 0 && errno == EINTR);
    return result > 0;
}

static void drop_ended(void)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (has_ended(&ancestors[i], 0))
            close(ancestors[i].pidfd);
        else
            ancestors[kept++] = ancestors[i];
    count = kept;
}

static void add(pid_t pid, int pidfd)
{
    drop_ended();
    if (count < ANCESTORS_MAX) {
        ancestors[count++] = (struct ancestor){.pid = pid, .pidfd = pidfd};
    } else {
        close(pidfd);
        incomplete = true;
    }
}

/* ---- the new process ---- */

/* The process that a descriptor means, as the kernel says it; 0: it is no pidfd. */
static pid_t pid_of(int pidfd)
{
    char path[64], line[128];
    int pid = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    file = fopen(path, "re");
    while (file && !pid && fgets(line, sizeof(line), file))
        if (sscanf(line, "Pid: %d", &pid) != 1)
            pid = 0;
    if (file)
        fclose(file);
    return pid > 0 ? pid : 0;
}

void gf_ancestors_keep(const struct cJSON *message, int pidfd)
{
    const struct cJSON *pid = cJSON_GetObjectItemCaseSensitive(message, "pid");

    if (cJSON_IsNumber(pid) && pid->valuedouble > 0 && pid->valuedouble == pid_of(pidfd))
        add((pid_t)pid->valuedouble, pidfd);
    else
        close(pidfd);
}

/* The channel is our parent's own: what comes over it are its words. */
static bool is_made_by(int channel, pid_t pid)
{
    struct ucred maker = {.pid = 0};
    socklen_t size = sizeof(maker);

    return !getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &maker, &size) && maker.pid == pid;
}

static void drop_all(void)
{
    while (count)
        close(ancestors[--count].pidfd);
}

void gf_ancestors_meet(int channel, pid_t parent, unsigned behind)
{
    int pidfd;

    if (!parent) /* it was the keeper, which is none of those that restarts count */
        return;
    if (!is_made_by(channel, parent))
        drop_all();
    pidfd = pidfd_open(parent, 0);
    if (pidfd >= 0 && getppid() == parent) /* asked afterwards: then it cannot be another one of that number */
        add(parent, pidfd);
    else if (pidfd >= 0)
        close(pidfd);
    incomplete |= count < 1 + behind;
}

int gf_ancestors_fd(void)
{
    drop_ended();
    return count ? ancestors[count - 1].pidfd : -1;
}

/* ---- the old process ---- */

static int send_one(int control, const struct ancestor *a)
{
    struct cJSON *message = cJSON_CreateObject();
    int result = -ENOMEM;

    if (cJSON_AddStringToObject(message, "type", "ancestor") && cJSON_AddNumberToObject(message, "pid", a->pid))
        result = gf_channel_send(control, message, &a->pidfd, 1);
    cJSON_Delete(message);
    return result;
}

int gf_ancestors_send(int control)
{
    int result = 0;

    drop_ended();
    for (size_t i = 0; i < count && !result; i++)
        result = send_one(control, &ancestors[i]);
    return result;
}

bool gf_ancestors_count(unsigned *ret_count)
{
    drop_ended();
    *ret_count = (unsigned)count;
    return !incomplete;
}

int gf_ancestors_end_oldest(unsigned among, pid_t spared, pid_t *ret_pid)
{
    const struct ancestor *oldest;

    drop_ended();
    if (!count)
        return -ENOENT;
    oldest = &ancestors[count > among ? count - among : 0];
    if (oldest->pid == spared)
        return -EPERM;
    if (pidfd_send_signal(oldest->pidfd, SIGKILL, NULL, 0) < 0)
        return -errno;
    if (!has_ended(oldest, END_TIMEOUT_MS))
        return -ETIMEDOUT;
    *ret_pid = oldest->pid;
    return 0;
}
