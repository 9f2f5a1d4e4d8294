/*
 * The log: makes one line of one event and has it written in one piece.
 *
 * Owns: the writer and its argument, the level. Any thread may enter; nobody waits for a reader of standard error.
 */
#include <gf/glog/glog.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "line.h"
#include "terminal.h"

static const char cut_mark[] = "...";

/* The writer and its argument, read together without a lock: version is odd while they change. */
static struct {
    pthread_mutex_t changing;
    atomic_uint version;
    _Atomic(glog_writer *) fn;
    _Atomic(void *) arg;
} writer = {.changing = PTHREAD_MUTEX_INITIALIZER};

static atomic_int lowest_level = GLOG_INFO;

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

void gf_glog_print_line(struct gf_glog_line *line, enum glog_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    gf_glog_make_line(line, level, format, arguments);
    va_end(arguments);
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
    line->text[line->size++] = '\n';
    gf_terminal_write(line->text, line->size);
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
