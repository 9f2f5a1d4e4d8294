/*
 * Concurrency: several threads send to one receiver while signals come, handlers are registered and removed, and
 * children are started and waited for by two threads at once. Exits 0 when every message arrived exactly once and
 * every signal counted; made for ThreadSanitizer.
 */
#include <gf/glog/glog.h>
#include <gf/gproc/gproc.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SENDERS 4
#define MESSAGES 200
#define SIGNALS 200

static atomic_int handled_first, handled_second, temporary;
static atomic_bool done;
static atomic_int logged;

static void count(int signo, void *arg)
{
    (void)signo;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void take_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void *send_all(void *arg)
{
    const int *sender = arg;

    for (int i = 0; i < MESSAGES; i++) {
        int pair[2] = {*sender, i};
        int result = gproc_send(getpid(), "numbers", pair, sizeof(pair));
        if (result < 0) {
            fprintf(stderr, "send %d/%d: %s\n", *sender, i, strerror(-result));
            exit(1);
        }
        glog_info("sent %d", i);
    }
    return NULL;
}

/* Each message once, each sender's in its order. */
static void *receive_all(void *arg)
{
    int *failures = arg;
    int next[SENDERS] = {0};
    int pair[2];

    for (int i = 0; i < SENDERS * MESSAGES; i++) {
        gproc_message *message = gproc_receive("numbers", 20000);
        if (message == NULL) {
            (*failures)++;
            return NULL;
        }
        memcpy(pair, gproc_message_data(message, NULL), sizeof(pair));
        if (gproc_message_sender(message) != getpid() || pair[0] < 0 || pair[0] >= SENDERS ||
            pair[1] != next[pair[0]]++)
            (*failures)++;
        gproc_message_free(message);
    }
    return NULL;
}

static void *raise_signals(void *arg)
{
    int *failures = arg;

    /* One after the other, since signals that come together may be one call. */
    for (int i = 1; i <= SIGNALS; i++) {
        kill(getpid(), SIGUSR1);
        for (int waited = 0; atomic_load(&handled_second) < i && waited < 20000; waited++)
            usleep(500);
        if (atomic_load(&handled_first) != i || atomic_load(&handled_second) != i)
            (*failures)++;
    }
    return NULL;
}

static void *register_and_remove(void *arg)
{
    int *failures = arg;

    while (!atomic_load(&done)) {
        if (gproc_on_signal(SIGUSR2, count, &temporary) < 0 || gproc_on_signal(SIGUSR2, count, &handled_first) < 0)
            (*failures)++;
        if (gproc_off_signal(SIGUSR2, count, &handled_first) < 0 || gproc_off_signal(SIGUSR2, count, &temporary) < 0)
            (*failures)++;
    }
    return NULL;
}

static void *wait_for_child(void *arg)
{
    return gproc_process_wait(arg, 20000, NULL) == 0 ? NULL : arg;
}

static void *start_children(void *arg)
{
    int *failures = arg;

    for (int i = 0; i < 20; i++) {
        gproc_process *p = gproc_process_new("true", NULL, NULL);
        pthread_t other;
        void *failed;
        if (p == NULL || gproc_process_start(p) < 0 || pthread_create(&other, NULL, wait_for_child, p) != 0)
            exit(1);
        if (wait_for_child(p) != NULL)
            (*failures)++;
        pthread_join(other, &failed);
        if (failed != NULL)
            (*failures)++;
        gproc_process_free(p);
    }
    return NULL;
}

int main(void)
{
    static char folder[] = "/tmp/gf-test-XXXXXX";
    int ids[SENDERS], failures[4] = {0};
    pthread_t senders[SENDERS], others[4];

    if (mkdtemp(folder) == NULL || setenv("XDG_RUNTIME_DIR", folder, 1) < 0 || setenv("D", folder, 1) < 0)
        return 1;
    glog_set_writer(take_line, &logged);
    if (gproc_listen() < 0 || gproc_on_signal(SIGUSR1, count, &handled_first) < 0 ||
        gproc_on_signal(SIGUSR1, count, &handled_second) < 0)
        return 1;
    for (int i = 0; i < SENDERS; i++) {
        ids[i] = i;
        pthread_create(&senders[i], NULL, send_all, &ids[i]);
    }
    pthread_create(&others[0], NULL, receive_all, &failures[0]);
    pthread_create(&others[1], NULL, raise_signals, &failures[1]);
    pthread_create(&others[2], NULL, start_children, &failures[2]);
    pthread_create(&others[3], NULL, register_and_remove, &failures[3]);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(others[i], NULL);
    atomic_store(&done, true);
    pthread_join(others[3], NULL);
    gproc_shell_run("rm -rf \"$D\"", NULL);
    for (int i = 0; i < 4; i++)
        if (failures[i] != 0)
            fprintf(stderr, "failures of thread %d: %d\n", i, failures[i]);
    return failures[0] + failures[1] + failures[2] + failures[3] != 0 || atomic_load(&logged) != SENDERS * MESSAGES;
}
