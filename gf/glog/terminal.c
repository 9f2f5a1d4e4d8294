#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "line.h"

/* A thousand lines and more: what comes in a burst while a reader is busy. */
#define QUEUE_MAX ((size_t)256 << 10)
/* How long the thread waits for a reader before it tries again: whoever has changed standard error wakes nobody. */
#define LOOK_AGAIN_MS 50
/* What a program that ends waits for its lines. */
#define EXIT_MS 1000

static struct {
    pthread_mutex_t lock; /* held for moments only, never while something waits for a reader */
    pthread_cond_t wake;
    pthread_cond_t rested;
    char *queue;
    size_t size;
    bool started; /* the thread */
    bool writing; /* the thread has taken a piece out of the queue */
    unsigned long dropped;
} terminal;

static void init_locks(void)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&terminal.lock, NULL);
    pthread_cond_init(&terminal.wake, &monotonic);
    pthread_cond_init(&terminal.rested, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* A process that was forked has the queue of its parent, who writes it, and not the thread. */
static void forget_in_child(void)
{
    init_locks();
    terminal.size = 0;
    terminal.dropped = 0;
    terminal.started = terminal.writing = false;
}

/* Before a thread of the program can log, or fork. */
__attribute__((constructor)) static void prepare(void)
{
    init_locks();
    pthread_atfork(NULL, NULL, forget_in_child);
}

/* ---- one write ---- */

/* A pipe whose reader has gone must not end the process: SIGPIPE is this thread's, and taken before anybody hears it.
 */
static ssize_t write_without_signal(int fd, const char *text, size_t size)
{
    const struct timespec at_once = {.tv_sec = 0};
    sigset_t pipe_signal, before, pending;
    ssize_t written;
    bool was_pending;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    was_pending = !sigpending(&pending) && sigismember(&pending, SIGPIPE) == 1;
    do
        written = write(fd, text, size);
    while (written < 0 && errno == EINTR);
    if (written < 0)
        written = -errno;
    if (written == -EPIPE && !was_pending)
        while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return written;
}

/*
 * Standard error belongs to others too, who may want it to block. So a pipe or terminal is opened once more, for this
 * write, to ask it for what it takes now: room that poll(2) sees may be another process' a moment later.
 */
static ssize_t write_to_twin(const char *text, size_t size)
{
    int packets = fcntl(STDERR_FILENO, F_GETFL) & O_DIRECT; /* of a pipe that keeps writes apart */
    int fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ssize_t written;

    if (fd < 0) /* ENXIO: a pipe without a reader. Else it is not to be had, as that of another user is not. */
        return errno == ENXIO ? -EPIPE : -EOPNOTSUPP;
    if (packets)
        fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | packets);
    written = write_without_signal(fd, text, size);
    close(fd);
    return written;
}

/* How many bytes it takes now; -EAGAIN: none; -EOPNOTSUPP: it cannot be asked; or another negative errno. */
static ssize_t write_now(const char *text, size_t size)
{
    struct stat status;
    ssize_t written;

    if (fstat(STDERR_FILENO, &status) < 0)
        return -errno;
    if (S_ISREG(status.st_mode))
        return write_without_signal(STDERR_FILENO, text, size);
    if (!S_ISSOCK(status.st_mode))
        return write_to_twin(text, size);
    written = send(STDERR_FILENO, text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return written < 0 ? -errno : written;
}

/* ---- the queue, with the lock held ---- */

static bool append(const char *text, size_t size)
{
    if (size > QUEUE_MAX - terminal.size)
        return false;
    if (!terminal.queue && !(terminal.queue = malloc(QUEUE_MAX)))
        return false;
    memcpy(terminal.queue + terminal.size, text, size);
    terminal.size += size;
    return true;
}

static bool waits_for_reader(ssize_t written)
{
    return written == -EAGAIN || written == -EOPNOTSUPP || written == -EINTR;
}

/* Whole lines as far as one write may be, or that much of one. */
static size_t take_piece(char *piece)
{
    size_t size = terminal.size < GF_GLOG_LINE_MAX ? terminal.size : GF_GLOG_LINE_MAX;
    const char *end = memrchr(terminal.queue, '\n', size);

    if (end)
        size = (size_t)(end - terminal.queue) + 1;
    memcpy(piece, terminal.queue, size);
    terminal.size -= size;
    memmove(terminal.queue, terminal.queue + size, terminal.size);
    return size;
}

/* ---- the thread ---- */

/* Here a reader may be waited for. */
static ssize_t write_patiently(const char *text, size_t size)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written = write_now(text, size);

    if (written == -EOPNOTSUPP && poll(&fd, 1, LOOK_AGAIN_MS) > 0)
        return write_without_signal(STDERR_FILENO, text, size);
    if (written == -EAGAIN)
        poll(&fd, 1, LOOK_AGAIN_MS);
    return written;
}

static unsigned long count_lines(const char *text, size_t size)
{
    unsigned long count = size && text[size - 1] != '\n';

    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n';
    return count;
}

/* The lines that could not be written. */
static unsigned long write_piece(const char *piece, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t written = write_patiently(piece + done, size - done);

        if (written > 0)
            done += (size_t)written;
        else if (!waits_for_reader(written))
            return count_lines(piece + done, size - done);
    }
    return 0;
}

static bool put(const char *text, size_t size);

static void put_report(void)
{
    struct gf_glog_line line;

    if (!terminal.dropped || terminal.size > QUEUE_MAX / 2) /* else a flood would have a report for each few lines */
        return;
    gf_glog_print_line(&line, GLOG_WARNING, "%lu log lines were dropped", terminal.dropped);
    line.text[line.size] = '\n';
    if (put(line.text, line.size + 1))
        terminal.dropped = 0;
}

static void *run(void *arg)
{
    char piece[GF_GLOG_LINE_MAX];

    (void)arg;
    pthread_mutex_lock(&terminal.lock);
    for (;;) {
        unsigned long lost;
        size_t size;

        while (!terminal.size) {
            pthread_cond_broadcast(&terminal.rested);
            pthread_cond_wait(&terminal.wake, &terminal.lock);
        }
        size = take_piece(piece);
        terminal.writing = true;
        pthread_mutex_unlock(&terminal.lock);
        lost = write_piece(piece, size);
        pthread_mutex_lock(&terminal.lock);
        terminal.writing = false;
        terminal.dropped += lost;
        if (!lost && !terminal.size)
            put_report();
    }
    return NULL;
}

static void flush_at_exit(void)
{
    gf_terminal_flush(EXIT_MS);
}

/* With the lock held. Signals are for others. */
static bool start_thread(void)
{
    static bool flushes;
    sigset_t all, before;
    pthread_t thread;

    if (terminal.started)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    terminal.started = !pthread_create(&thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (terminal.started)
        pthread_detach(thread);
    if (terminal.started && !flushes)
        flushes = !atexit(flush_at_exit);
    return terminal.started;
}

/* ---- the room's offers ---- */

/* With the lock held: at once, or what is left of it into the queue. false: it is lost. */
static bool put(const char *text, size_t size)
{
    ssize_t written = terminal.size || terminal.writing ? -EAGAIN : write_now(text, size);

    if (written == (ssize_t)size)
        return true;
    if (written < 0 && !waits_for_reader(written))
        return false;
    if (written < 0)
        written = 0;
    if (!start_thread() || !append(text + written, size - (size_t)written))
        return false;
    pthread_cond_signal(&terminal.wake);
    return true;
}

static bool is_file(void)
{
    struct stat status;

    return !fstat(STDERR_FILENO, &status) && S_ISREG(status.st_mode);
}

/* A file takes all that comes, in any order, so nobody needs the lock; and where its disk hangs, only who logs does. */
static void write_to_file(const char *text, size_t size)
{
    struct gf_glog_line line;
    unsigned long dropped;

    pthread_mutex_lock(&terminal.lock);
    dropped = terminal.dropped;
    terminal.dropped = 0;
    pthread_mutex_unlock(&terminal.lock);
    if (dropped) {
        gf_glog_print_line(&line, GLOG_WARNING, "%lu log lines were dropped", dropped);
        line.text[line.size] = '\n';
        if (write_without_signal(STDERR_FILENO, line.text, line.size + 1) == (ssize_t)line.size + 1)
            dropped = 0;
    }
    dropped += write_without_signal(STDERR_FILENO, text, size) != (ssize_t)size;
    if (!dropped)
        return;
    pthread_mutex_lock(&terminal.lock);
    terminal.dropped += dropped;
    pthread_mutex_unlock(&terminal.lock);
}

void gf_terminal_write(const char *text, size_t size)
{
    if (is_file()) {
        write_to_file(text, size);
        return;
    }
    pthread_mutex_lock(&terminal.lock);
    put_report();
    if (!put(text, size))
        terminal.dropped++;
    pthread_mutex_unlock(&terminal.lock);
}

void gf_terminal_flush(int timeout_ms)
{
    struct timespec until;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    until.tv_sec += timeout_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&terminal.lock);
    while (!result && (terminal.size || terminal.writing))
        result = pthread_cond_timedwait(&terminal.rested, &terminal.lock, &until);
    pthread_mutex_unlock(&terminal.lock);
}
