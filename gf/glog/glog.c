/*
 * The log: makes one line of one event and writes it with one system call.
 *
 * Owns: the writer and its argument, the level, the count of dropped lines. Any thread may enter; nobody waits
 * for another thread's line, and nobody waits long for a reader of standard error that has stopped reading.
 */
#include <gf/glog/glog.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "line.h"

/* How long a line waits for a full pipe to be read; after a line was dropped the next ones do not wait at all. */
#define STALLED_READER_MS 50

static const char cut_mark[] = "...";

/* The writer and its argument, read together without a lock: version is odd while they change. */
static struct {
    pthread_mutex_t changing;
    atomic_uint version;
    _Atomic(glog_writer *) fn;
    _Atomic(void *) arg;
} writer = {.changing = PTHREAD_MUTEX_INITIALIZER};

static atomic_int lowest_level = GLOG_INFO;
static atomic_ulong dropped;
static atomic_bool stalled; /* the last line was dropped */

void glog_set_writer(glog_writer *fn, void *arg)
{
    pthread_mutex_lock(&writer.changing);
    atomic_fetch_add(&writer.version, 1);
    atomic_store(&writer.fn, fn);
    atomic_store(&writer.arg, arg);
    atomic_fetch_add(&writer.version, 1);
    pthread_mutex_unlock(&writer.changing);
}

static glog_writer *get_writer(void **ret_arg)
{
    for (;;) {
        unsigned before = atomic_load(&writer.version);
        glog_writer *fn = atomic_load(&writer.fn);
        void *arg = atomic_load(&writer.arg);
        if (before % 2 == 0 && atomic_load(&writer.version) == before) {
            *ret_arg = arg;
            return fn;
        }
    }
}

void glog_set_level(enum glog_level level)
{
    atomic_store(&lowest_level, (int)level);
}

static const char *level_mark(enum glog_level level)
{
    switch (level) {
    case GLOG_DEBUG:
        return "[DEBU] ";
    case GLOG_WARNING:
        return "[WARN] ";
    case GLOG_ERROR:
        return "[ERRO] ";
    case GLOG_INFO:
        break;
    }
    return "";
}

static void begin_line(struct gf_glog_line *line, enum glog_level level)
{
    struct timespec now;
    struct tm date;
    char day[32] = "";

    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &date) != NULL)
        strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &date);
    int size = snprintf(line->text, sizeof(line->text), "%s.%03d %d: %s", day, (int)(now.tv_nsec / 1000000),
                        (int)getpid(), level_mark(level));
    line->size = size > 0 ? (size_t)size : 0;
    line->limit = sizeof(line->text) - sizeof(cut_mark); /* the mark, and the line feed where it has its 0 */
}

/* Appends whole characters and whole escapes only; false: it did not fit, and the line is cut here. */
static bool append_escaped(struct gf_glog_line *line, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        const unsigned char *at = (const unsigned char *)text + i;
        size_t width = gf_glog_utf8_size(at, size - i);
        if (line->size + (width > 0 ? width : 4) > line->limit)
            return false;
        if (width > 0) {
            memcpy(line->text + line->size, at, width);
            line->size += width;
            i += width;
        } else {
            static const char digits[] = "0123456789ABCDEF";
            const char escape[4] = {'\\', 'x', digits[*at >> 4], digits[*at & 15]};
            memcpy(line->text + line->size, escape, sizeof(escape));
            line->size += sizeof(escape);
            i++;
        }
    }
    return true;
}

/* A pipe whose reader hangs must not hang the servers: wait a moment, once, then drop. */
static bool standard_error_takes(void)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    int ready = poll(&fd, 1, atomic_load(&stalled) ? 0 : STALLED_READER_MS);
    return ready > 0 ? (fd.revents & POLLOUT) != 0 : ready < 0 && errno == EINTR;
}

/* A pipe whose reader has gone must not end the process: SIGPIPE is this thread's, and taken before anybody hears it.
 */
static ssize_t write_without_signal(const char *text, size_t size)
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
        written = write(STDERR_FILENO, text, size);
    while (written < 0 && errno == EINTR);
    if (written < 0 && errno == EPIPE && !was_pending)
        while (sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return written;
}

static bool write_once(const char *text, size_t size)
{
    ssize_t written = -1;

    if (standard_error_takes())
        written = write_without_signal(text, size);
    atomic_store(&stalled, written != (ssize_t)size);
    return written == (ssize_t)size;
}

/* Once lines can be written again the log says how many are missing. */
static void report_dropped(void)
{
    struct gf_glog_line line;
    char text[64];
    unsigned long missing = atomic_exchange(&dropped, 0);

    if (missing == 0)
        return;
    begin_line(&line, GLOG_WARNING);
    int size = snprintf(text, sizeof(text), "%lu log lines were dropped", missing);
    append_escaped(&line, text, size > 0 ? (size_t)size : 0);
    line.text[line.size++] = '\n';
    if (!write_once(line.text, line.size))
        atomic_fetch_add(&dropped, missing);
}

void gf_glog_make_line(struct gf_glog_line *line, enum glog_level level, const char *format, va_list arguments)
{
    char text[GF_GLOG_LINE_MAX];
    int wanted = vsnprintf(text, sizeof(text), format, arguments);

    if (wanted < 0)
        wanted = snprintf(text, sizeof(text), "a line that cannot be formatted: %s", format);
    size_t size = wanted < 0 ? 0 : (size_t)wanted;

    begin_line(line, level);
    /* What vsnprintf cut is more than a line takes anyway, so the cut is always made and marked here. */
    if (!append_escaped(line, text, size < sizeof(text) ? size : sizeof(text) - 1)) {
        memcpy(line->text + line->size, cut_mark, sizeof(cut_mark) - 1);
        line->size += sizeof(cut_mark) - 1;
    }
}

void gf_glog_emit_line(struct gf_glog_line *line, enum glog_level level)
{
    void *arg;
    glog_writer *fn = get_writer(&arg);

    if (fn != NULL) {
        line->text[line->size] = '\0';
        fn(level, line->text, arg);
        return;
    }
    report_dropped();
    line->text[line->size++] = '\n';
    if (!write_once(line->text, line->size))
        atomic_fetch_add(&dropped, 1);
}

void gf_glog_pass_on(const char *text, size_t size)
{
    if (!write_once(text, size))
        atomic_fetch_add(&dropped, 1);
}

bool gf_glog_is_wanted(enum glog_level level)
{
    return (int)level >= atomic_load(&lowest_level);
}

void glog_write(enum glog_level level, const char *format, ...)
{
    int saved_errno = errno;
    struct gf_glog_line line;
    va_list arguments;

    if (!gf_glog_is_wanted(level))
        return;
    va_start(arguments, format);
    gf_glog_make_line(&line, level, format, arguments);
    va_end(arguments);
    gf_glog_emit_line(&line, level);
    errno = saved_errno;
}
