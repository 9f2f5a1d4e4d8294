#include "logger.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gf/gproc/gproc.h>

#include "line.h"
#include "log_file.h"
#include "terminal.h"

/* A few seconds of a busy server's lines. As much again may be on its way to the disk. */
#define QUEUE_MAX ((size_t)4 << 20)
/* Lines are written in batches: a thread that woke for every line would cost more than all the rest. */
#define BATCH_MS 50
/* So much makes a batch before its time. */
#define BATCH_SIZE ((size_t)256 << 10)
/* How long a pipe that nobody reads is waited for before the thread looks whether it is to end. */
#define STALLED_MS 50
/* What a program that ends without g_wait() waits for its lines. */
#define EXIT_MS 1000

struct batch {
    char *data;
    size_t size;
    size_t capacity;
};

struct gf_logger {
    struct gf_logger *next;  /* in the list of all */
    struct gf_log_file file; /* the thread's */
    enum gf_logger_style style;
    size_t queue_max;
    pthread_t thread;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t wake;
    pthread_cond_t rested;
    struct batch pending;
    bool busy;   /* a batch is being written */
    bool urgent; /* somebody waits for it */
    bool reopen;
    bool stopping;
    bool ended;
    bool joined;
    uint64_t missing; /* dropped, and the file has not been told so */
    uint64_t dropped;

    atomic_bool gives_up; /* the time to write what is left is over */
    bool failing;         /* the last write has failed, and that was logged; the thread's */
    bool growing;         /* likewise the last rotation */
};

static struct {
    pthread_mutex_t lock;
    struct gf_logger *first;
    bool listens; /* to SIGHUP */
    bool ends;    /* with the process */
} loggers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void set_time_limit(struct timespec *until, int timeout_ms)
{
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_nsec += timeout_ms % 1000 * 1000000L;
    until->tv_sec += timeout_ms / 1000 + until->tv_nsec / 1000000000;
    until->tv_nsec %= 1000000000;
}

/* ---- the queue ---- */

/* With the lock held. false: it is full, or there is no memory. */
static bool append(struct gf_logger *logger, const char *line, size_t size)
{
    struct batch *pending = &logger->pending;

    if (logger->stopping || size > logger->queue_max - pending->size)
        return false;
    if (pending->size + size > pending->capacity) {
        size_t capacity = pending->capacity ? pending->capacity * 2 : 16384;
        char *data;

        while (capacity < pending->size + size)
            capacity *= 2;
        data = realloc(pending->data, capacity);
        if (!data)
            return false;
        pending->data = data;
        pending->capacity = capacity;
    }
    memcpy(pending->data + pending->size, line, size);
    pending->size += size;
    return true;
}

void gf_logger_write(struct gf_logger *logger, const char *line, size_t size)
{
    size_t before;
    bool queued;

    pthread_mutex_lock(&logger->lock);
    before = logger->pending.size;
    queued = append(logger, line, size);
    if (!queued) {
        logger->missing++;
        logger->dropped++;
    }
    pthread_mutex_unlock(&logger->lock);
    if (queued && (!before || (before < BATCH_SIZE && before + size >= BATCH_SIZE)))
        pthread_cond_signal(&logger->wake);
}

uint64_t gf_logger_dropped(struct gf_logger *logger)
{
    uint64_t dropped;

    pthread_mutex_lock(&logger->lock);
    dropped = logger->dropped;
    pthread_mutex_unlock(&logger->lock);
    return dropped;
}

void gf_logger_report(struct gf_logger *logger, bool on_terminal, enum glog_level level, struct gf_glog_line *line)
{
    int saved_errno = errno;

    if (logger) {
        line->text[line->size] = '\n';
        gf_logger_write(logger, line->text, line->size + 1);
    }
    if (on_terminal)
        gf_glog_emit_line(line, level);
    errno = saved_errno;
}

/* ---- the thread ---- */

static uint64_t count_lines(const char *text, size_t size)
{
    uint64_t count = 0;

    for (const char *end = text + size; text < end && (text = memchr(text, '\n', (size_t)(end - text))); text++)
        count++;
    return count;
}

static void drop(struct gf_logger *logger, uint64_t lines)
{
    pthread_mutex_lock(&logger->lock);
    logger->missing += lines;
    logger->dropped += lines;
    pthread_mutex_unlock(&logger->lock);
}

static void note_failure(struct gf_logger *logger, int error)
{
    if (!logger->failing)
        glog_error("log file \"%s\": %s; lines are dropped", logger->file.folder ? logger->file.pattern : "(stdout)",
                   strerror(error));
    logger->failing = true;
}

static void note_rotation(struct gf_logger *logger)
{
    int error = logger->file.rotate_error;

    if (error && !logger->growing)
        glog_error("log file \"%s\" is full and cannot be renamed: %s; it grows on", logger->file.pattern,
                   strerror(-error));
    logger->growing = error != 0;
}

/* false: some of it was dropped. */
static bool write_out(struct gf_logger *logger, const char *text, size_t size)
{
    size_t done = 0;

    while (done < size) {
        struct timespec now;
        ssize_t written;

        clock_gettime(CLOCK_REALTIME, &now);
        written = gf_log_file_write(&logger->file, text + done, size - done, &now, STALLED_MS);
        note_rotation(logger);
        if (written < 0)
            note_failure(logger, (int)-written);
        if (written < 0 || (!written && atomic_load(&logger->gives_up))) {
            drop(logger, count_lines(text + done, size - done));
            return false;
        }
        done += (size_t)written;
    }
    if (size)
        logger->failing = false;
    return true;
}

static size_t describe_missing(const struct gf_logger *logger, uint64_t missing, char *text, size_t size)
{
    char moment[32] = "";
    time_t now = time(NULL);
    struct tm date;
    int length = 0;

    if (localtime_r(&now, &date))
        strftime(moment, sizeof(moment), logger->style == GF_LOGGER_JSON ? "%Y-%m-%dT%H:%M:%S%z" : "%Y-%m-%d %H:%M:%S",
                 &date);
    if (logger->style == GF_LOGGER_JSON)
        length = snprintf(text, size, "{\"time\":\"%s\",\"dropped\":%llu}\n", moment, (unsigned long long)missing);
    else if (logger->style == GF_LOGGER_TEXT)
        length = snprintf(text, size, "%s.000 %d: [WARN] %llu log lines were dropped\n", moment, (int)getpid(),
                          (unsigned long long)missing);
    return length > 0 ? (size_t)length : 0;
}

/* There is room again: the file, and the operator, are told how many lines are missing. */
static void tell_missing(struct gf_logger *logger)
{
    char text[128];
    uint64_t missing;

    pthread_mutex_lock(&logger->lock);
    missing = logger->missing;
    logger->missing = 0;
    pthread_mutex_unlock(&logger->lock);
    if (!missing)
        return;
    if (write_out(logger, text, describe_missing(logger, missing, text, sizeof(text)))) {
        glog_warning("log file \"%s\": %llu lines were dropped",
                     logger->file.folder ? logger->file.pattern : "(stdout)", (unsigned long long)missing);
        return;
    }
    pthread_mutex_lock(&logger->lock); /* the line about them is no line of its own */
    logger->missing = missing;
    pthread_mutex_unlock(&logger->lock);
}

static void open_anew(struct gf_logger *logger)
{
    struct timespec now;
    int result;

    gf_log_file_close(&logger->file);
    clock_gettime(CLOCK_REALTIME, &now);
    result = gf_log_file_open(&logger->file, &now);
    if (result < 0)
        note_failure(logger, -result);
}

/* With the lock held: until there is something to do, and then a moment more, for more of it. */
static void wait_for_batch(struct gf_logger *logger)
{
    struct timespec until;
    int result = 0;

    while (!logger->pending.size && !logger->reopen && !logger->stopping)
        pthread_cond_wait(&logger->wake, &logger->lock);
    set_time_limit(&until, BATCH_MS);
    while (!result && logger->pending.size < BATCH_SIZE && !logger->urgent && !logger->reopen && !logger->stopping)
        result = pthread_cond_timedwait(&logger->wake, &logger->lock, &until);
}

static void write_batch(struct gf_logger *logger, const struct batch *batch, bool reopen)
{
    pthread_mutex_unlock(&logger->lock);
    /* what was queued before the signal belongs to the file of that time */
    if (write_out(logger, batch->data, batch->size))
        tell_missing(logger);
    if (reopen)
        open_anew(logger);
    pthread_mutex_lock(&logger->lock);
}

static void *run(void *arg)
{
    struct gf_logger *logger = arg;
    struct batch batch = {.data = NULL};

    pthread_mutex_lock(&logger->lock);
    while (!logger->stopping || logger->pending.size) {
        struct batch empty = batch;
        bool reopen;

        wait_for_batch(logger);
        batch = logger->pending;
        empty.size = 0;
        if (empty.capacity > BATCH_SIZE * 2) { /* after a burst its memory is given back */
            free(empty.data);
            empty = (struct batch){.data = NULL};
        }
        logger->pending = empty;
        reopen = logger->reopen;
        logger->reopen = false;
        logger->busy = true;
        write_batch(logger, &batch, reopen);
        logger->busy = false;
        if (!logger->pending.size)
            logger->urgent = false;
        pthread_cond_broadcast(&logger->rested);
    }
    logger->ended = true;
    pthread_cond_broadcast(&logger->rested);
    pthread_mutex_unlock(&logger->lock);
    free(batch.data);
    return NULL;
}

/* ---- all of them ---- */

static void reopen_all(int signo, void *arg)
{
    (void)signo;
    (void)arg;
    pthread_mutex_lock(&loggers.lock);
    for (struct gf_logger *logger = loggers.first; logger; logger = logger->next) {
        pthread_mutex_lock(&logger->lock);
        logger->reopen = logger->file.folder != NULL;
        pthread_mutex_unlock(&logger->lock);
        pthread_cond_signal(&logger->wake);
    }
    pthread_mutex_unlock(&loggers.lock);
}

static bool is_at_rest(const struct gf_logger *logger)
{
    return logger->ended || (!logger->stopping && !logger->busy && !logger->pending.size);
}

static void wait_for_rest(struct gf_logger *logger, const struct timespec *until)
{
    int result = 0;

    pthread_mutex_lock(&logger->lock);
    while (!result && !is_at_rest(logger))
        result = pthread_cond_timedwait(&logger->rested, &logger->lock, until);
    pthread_mutex_unlock(&logger->lock);
}

static void hurry_all(bool stop)
{
    for (struct gf_logger *logger = loggers.first; logger; logger = logger->next) {
        pthread_mutex_lock(&logger->lock);
        logger->urgent = true;
        logger->stopping |= stop;
        pthread_mutex_unlock(&logger->lock);
        pthread_cond_signal(&logger->wake);
    }
}

void gf_logger_flush_all(int timeout_ms)
{
    struct timespec until;

    set_time_limit(&until, timeout_ms);
    pthread_mutex_lock(&loggers.lock);
    hurry_all(false);
    for (struct gf_logger *logger = loggers.first; logger; logger = logger->next)
        wait_for_rest(logger, &until);
    pthread_mutex_unlock(&loggers.lock);
    gf_terminal_flush(timeout_ms);
}

/* A thread that hangs in a dead disk is left to the end of the process, with all that it uses. */
static void end_thread(struct gf_logger *logger)
{
    struct timespec until;
    bool ended;

    atomic_store(&logger->gives_up, true);
    set_time_limit(&until, 4 * STALLED_MS);
    wait_for_rest(logger, &until);
    pthread_mutex_lock(&logger->lock);
    ended = logger->ended;
    pthread_mutex_unlock(&logger->lock);
    if (!ended || logger->joined)
        return;
    logger->joined = true;
    pthread_join(logger->thread, NULL);
    gf_log_file_finish(&logger->file);
    pthread_mutex_lock(&logger->lock);
    free(logger->pending.data);
    logger->pending = (struct batch){.data = NULL};
    pthread_mutex_unlock(&logger->lock);
}

/* They stay in memory: whoever has one may still write into it, to no effect. */
void gf_logger_stop_all(int timeout_ms)
{
    struct timespec until;

    set_time_limit(&until, timeout_ms);
    pthread_mutex_lock(&loggers.lock);
    hurry_all(true);
    for (struct gf_logger *logger = loggers.first; logger; logger = logger->next) {
        wait_for_rest(logger, &until);
        end_thread(logger);
    }
    pthread_mutex_unlock(&loggers.lock);
    gf_terminal_flush(timeout_ms);
}

static void stop_at_exit(void)
{
    gf_logger_stop_all(EXIT_MS);
}

/* ---- a new one ---- */

static void init_locks(struct gf_logger *logger)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&logger->lock, NULL);
    pthread_cond_init(&logger->wake, &monotonic);
    pthread_cond_init(&logger->rested, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Signals are for others, SIGPIPE of a pipe whose reader has gone included. */
static int start_thread(struct gf_logger *logger)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = -pthread_create(&logger->thread, NULL, run, logger);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static int join_the_others(struct gf_logger *logger)
{
    int result = 0;

    pthread_mutex_lock(&loggers.lock);
    if (logger->file.folder &&
        !loggers.listens) { /* standard output cannot be opened anew: SIGHUP means what it meant */
        result = gproc_on_signal(SIGHUP, reopen_all, NULL);
        loggers.listens = !result;
    }
    if (!result)
        result = start_thread(logger);
    if (!result && !loggers.ends)
        loggers.ends = !atexit(stop_at_exit);
    if (!result) {
        logger->next = loggers.first;
        loggers.first = logger;
    }
    pthread_mutex_unlock(&loggers.lock);
    return result;
}

int gf_logger_new(const struct gf_logger_options *options, struct gf_logger **ret_logger, char *error,
                  size_t error_size)
{
    struct gf_logger *logger = calloc(1, sizeof(*logger));
    struct timespec now;
    int result = -ENOMEM;

    if (!logger)
        goto fail;
    logger->style = options->style;
    logger->queue_max = options->queue_max ? options->queue_max : QUEUE_MAX;
    result = gf_log_file_init(&logger->file, options->folder, options->pattern, options->rotate_size, options->backups);
    if (result < 0)
        goto fail;
    clock_gettime(CLOCK_REALTIME, &now);
    result = gf_log_file_open(&logger->file, &now);
    if (result < 0)
        goto fail_file;
    init_locks(logger);
    result = join_the_others(logger);
    if (result < 0)
        goto fail_file;
    *ret_logger = logger;
    return 0;
fail_file:
    gf_log_file_finish(&logger->file);
fail:
    free(logger);
    snprintf(error, error_size, "cannot log to \"%s\" in \"%s\": %s", options->pattern ? options->pattern : "",
             options->folder ? options->folder : "standard output",
             result == -EINVAL ? "no name for a file (letters between braces: Y y m n d j H G i s)"
                               : strerror(-result));
    return result;
}
