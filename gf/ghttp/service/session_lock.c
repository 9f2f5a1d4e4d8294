#include "session_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "session_store.h"

#define NAME "lock"
/* Between two attempts to lock a file that another process has locked: doubled from the first to the second. */
#define PAUSE_MIN_NS 100000
#define PAUSE_MAX_NS 25600000

int gf_session_lock_init(struct gf_session_lock *lock, int folder, char *error, size_t size)
{
    int result;

    lock->fd = openat(folder, NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock->fd < 0) {
        result = -errno;
        snprintf(error, size, "no lock can be made in the folder: %s", strerror(-result));
        return result;
    }
    for (size_t i = 0; i < GF_SESSION_LOCK_STRIPES; i++)
        pthread_mutex_init(&lock->stripes[i], NULL);
    return 0;
}

void gf_session_lock_finish(struct gf_session_lock *lock)
{
    for (size_t i = 0; i < GF_SESSION_LOCK_STRIPES; i++)
        pthread_mutex_destroy(&lock->stripes[i]);
    close(lock->fd);
}

static size_t stripe_of(const char *id)
{
    char digits[3] = {id[0], id[1], '\0'};

    return strtoul(digits, NULL, 16) % GF_SESSION_LOCK_STRIPES;
}

static int lock_file(const struct gf_session_lock *lock, size_t stripe, short type)
{
    struct flock part = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)stripe, .l_len = 1};

    return fcntl(lock->fd, F_OFD_SETLK, &part) < 0 ? -errno : 0;
}

static bool is_over(const struct timespec *until)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

/*
 * Asks again and again, since a wait for the lock of a file has no end but a signal; others than this process have it
 * only during a restart. Where the file system knows no locks, the mutex alone has to do: then the processes of a
 * restart, while both serve, may undo one another's changes.
 */
static int wait_for_file(const struct gf_session_lock *lock, size_t stripe, const struct timespec *until)
{
    struct timespec pause = {.tv_nsec = PAUSE_MIN_NS};
    int result;

    while ((result = lock_file(lock, stripe, F_WRLCK)) == -EAGAIN || result == -EACCES) {
        if (is_over(until))
            return -ETIMEDOUT;
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < PAUSE_MAX_NS)
            pause.tv_nsec *= 2;
    }
    return 0;
}

int gf_session_lock_take(struct gf_session_lock *lock, const char *id)
{
    size_t stripe = stripe_of(id);
    struct timespec until;
    int result;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GF_SESSION_LOCK_TIMEOUT_S;
    result = -pthread_mutex_timedlock(&lock->stripes[stripe], &until);
    if (result < 0)
        return result;
    result = wait_for_file(lock, stripe, &until);
    if (result < 0)
        pthread_mutex_unlock(&lock->stripes[stripe]);
    return result;
}

void gf_session_lock_give_back(struct gf_session_lock *lock, const char *id)
{
    size_t stripe = stripe_of(id);

    lock_file(lock, stripe, F_UNLCK);
    pthread_mutex_unlock(&lock->stripes[stripe]);
}
