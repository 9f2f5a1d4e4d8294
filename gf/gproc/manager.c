/*
 * The manager of children: a bounded list of process objects that are signalled and waited for together.
 *
 * Owns: the objects. Any thread may enter; the lock is held for signals, which do not block, but not while waiting.
 */
#include <gf/gproc/child.h>
#include <gf/gproc/deadline.h>
#include <gf/gproc/start.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

GF_START_NEEDED;

/* As many descriptors as a process usually may have. */
#define PROCESSES_MAX 1024

struct gproc_manager {
    pthread_mutex_t lock;
    size_t count;
    gproc_process *processes[PROCESSES_MAX];
};

gproc_manager *gproc_manager_new(void)
{
    gproc_manager *m = calloc(1, sizeof(*m));

    if (m != NULL)
        pthread_mutex_init(&m->lock, NULL);
    return m;
}

void gproc_manager_free(gproc_manager *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++)
        gproc_process_free(m->processes[i]);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* With the lock; count: it is not there. */
static size_t index_of(gproc_manager *m, pid_t pid)
{
    size_t i = 0;

    while (i < m->count && gproc_process_pid(m->processes[i]) != pid)
        i++;
    return i;
}

int gproc_manager_spawn(gproc_manager *m, const char *path, char *const argv[], char *const envp[],
                        gproc_process **ret_process)
{
    gproc_process *p = gproc_process_new(path, argv, envp);

    if (p == NULL)
        return -errno;
    pthread_mutex_lock(&m->lock);
    int result = m->count < PROCESSES_MAX ? gproc_process_start(p) : -ENOSPC;
    if (result == 0)
        m->processes[m->count++] = p;
    pthread_mutex_unlock(&m->lock);
    if (result < 0)
        gproc_process_free(p);
    else if (ret_process != NULL)
        *ret_process = p;
    return result;
}

int gproc_manager_add(gproc_manager *m, pid_t pid)
{
    int result = 0;

    pthread_mutex_lock(&m->lock);
    if (m->count == PROCESSES_MAX)
        result = -ENOSPC;
    else if (index_of(m, pid) < m->count)
        result = -EEXIST;
    else
        result = gf_process_adopt(pid, &m->processes[m->count]);
    if (result == 0)
        m->count++;
    pthread_mutex_unlock(&m->lock);
    return result;
}

int gproc_manager_remove(gproc_manager *m, pid_t pid)
{
    gproc_process *removed = NULL;

    pthread_mutex_lock(&m->lock);
    size_t i = index_of(m, pid);
    if (i < m->count) {
        removed = m->processes[i];
        m->processes[i] = m->processes[--m->count];
    }
    pthread_mutex_unlock(&m->lock);
    gproc_process_free(removed);
    return removed != NULL ? 0 : -ENOENT;
}

gproc_process *gproc_manager_find(gproc_manager *m, pid_t pid)
{
    pthread_mutex_lock(&m->lock);
    size_t i = index_of(m, pid);
    gproc_process *found = i < m->count ? m->processes[i] : NULL;
    pthread_mutex_unlock(&m->lock);
    if (found == NULL)
        errno = ENOENT;
    return found;
}

size_t gproc_manager_count(gproc_manager *m)
{
    pthread_mutex_lock(&m->lock);
    size_t count = m->count;
    pthread_mutex_unlock(&m->lock);
    return count;
}

int gproc_manager_signal_all(gproc_manager *m, int signo)
{
    int first = 0;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count; i++) {
        int result = gproc_process_signal(m->processes[i], signo);
        if (result < 0 && result != -ESRCH && first == 0)
            first = result;
    }
    pthread_mutex_unlock(&m->lock);
    return first;
}

int gproc_manager_kill_all(gproc_manager *m)
{
    return gproc_manager_signal_all(m, SIGKILL);
}

/* Reaps those that have ended and watches the first of those that have not: -ECHILD: all have ended. */
static int reap_and_watch(gproc_manager *m)
{
    int watched = -ECHILD;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->count && watched == -ECHILD; i++)
        if (gproc_process_wait(m->processes[i], 0, NULL) == -ETIMEDOUT)
            watched = gf_process_watch(m->processes[i]);
    pthread_mutex_unlock(&m->lock);
    return watched;
}

int gproc_manager_wait_all(gproc_manager *m, int timeout_ms)
{
    int64_t deadline = gf_deadline_after(timeout_ms);

    for (;;) {
        int watched = reap_and_watch(m);
        if (watched < 0)
            return watched == -ECHILD ? 0 : watched;
        int result = gf_child_await(watched, deadline);
        close(watched);
        if (result < 0)
            return result;
    }
}
