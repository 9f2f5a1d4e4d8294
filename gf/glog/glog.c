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

/* With its line feed a line is at most PIPE_BUF bytes: so much a pipe takes in one piece. */
#define LINE_MAX_BYTES 4096
/* How long a line waits for a full pipe to be read; after a line was dropped the next ones do not wait at all. */
#define STALLED_READER_MS 50

static const char cut_mark[] = "...";

/* The line under way. The room for the cut mark and the line feed is kept free by limit. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t size;
    size_t limit;
};

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

static void begin_line(struct line *line, enum glog_level level)
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

/* Bytes of the well-formed UTF-8 character at text, 0 where there is none. A control character counts as none. */
static size_t utf8_size(const unsigned char *text, size_t left)
{
    unsigned char first = text[0];
    size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;

    if (size == 0 || size > left)
        return 0;
    if (size == 1)
        return first >= 0x20 && first != 0x7F;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (first == 0xE0 && text[1] < 0xA0) || (first == 0xF0 && text[1] < 0x90);
    bool outside = (first == 0xED && text[1] >= 0xA0) || (first == 0xF4 && text[1] >= 0x90);
    bool control = first == 0xC2 && text[1] < 0xA0; /* U+0080 to U+009F, which terminals obey */
    return overlong || outside || control ? 0 : size;
}

/* Appends whole characters and whole escapes only; false: it did not fit, and the line is cut here. */
static bool append_escaped(struct line *line, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        const unsigned char *at = (const unsigned char *)text + i;
        size_t width = utf8_size(at, size - i);
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
    struct line line;
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

static void finish_line(struct line *line, enum glog_level level)
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

void glog_write(enum glog_level level, const char *format, ...)
{
    int saved_errno = errno;
    char text[LINE_MAX_BYTES];
    struct line line;
    va_list arguments;

    if ((int)level < atomic_load(&lowest_level))
        return;
    va_start(arguments, format);
    int wanted = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (wanted < 0)
        wanted = snprintf(text, sizeof(text), "a line that cannot be formatted: %s", format);
    size_t size = wanted < 0 ? 0 : (size_t)wanted;

    begin_line(&line, level);
    /* What vsnprintf cut is more than a line takes anyway, so the cut is always made and marked here. */
    if (!append_escaped(&line, text, size < sizeof(text) ? size : sizeof(text) - 1)) {
        memcpy(line.text + line.size, cut_mark, sizeof(cut_mark) - 1);
        line.size += sizeof(cut_mark) - 1;
    }
    finish_line(&line, level);
    errno = saved_errno;
}
