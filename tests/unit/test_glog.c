/*
 * The log: its format, what it does to bytes that could forge a line, and that it never waits for its reader.
 */
#include <gf/glog/glog.h>
#include <gf/glog/line.h>
#include <gf/glog/terminal.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int reader;
static char text[2 << 20];

/* Standard error becomes a pipe. */
static void catch_standard_error(void)
{
    int ends[2];

    cr_assert(eq(int, pipe2(ends, O_CLOEXEC), 0));
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    fcntl(reader, F_SETFL, O_NONBLOCK);
}

static size_t read_all(void)
{
    size_t size = 0;
    ssize_t got;

    while (size < sizeof(text) - 1 && (got = read(reader, text + size, sizeof(text) - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    return size;
}

static void expect_match(const char *pattern)
{
    regex_t regex;

    cr_assert(eq(int, regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0));
    cr_expect(eq(int, regexec(&regex, text, 0, NULL, 0), 0), "%s does not match %s", text, pattern);
    regfree(&regex);
}

TestSuite(glog, .init = catch_standard_error, .timeout = 20);

#define DATE "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} "

Test(glog, info_has_the_format_of_the_manual)
{
    char pattern[128];

    glog_info("http server started listening on [:%d]", 8199);
    read_all();
    snprintf(pattern, sizeof(pattern), DATE "%d: http server started listening on \\[:8199\\]\n$", (int)getpid());
    expect_match(pattern);
}

Test(glog, the_other_levels_are_marked)
{
    glog_set_level(GLOG_DEBUG);
    glog_warning("w");
    read_all();
    expect_match(DATE "[0-9]+: \\[WARN\\] w\n$");
    glog_error("e");
    read_all();
    expect_match(DATE "[0-9]+: \\[ERRO\\] e\n$");
    glog_debug("d");
    read_all();
    expect_match(DATE "[0-9]+: \\[DEBU\\] d\n$");
}

Test(glog, lines_below_the_level_are_dropped)
{
    glog_debug("not by default");
    glog_set_level(GLOG_ERROR);
    glog_warning("nor this");
    cr_expect(eq(sz, read_all(), 0));
}

Test(glog, time_is_local)
{
    setenv("TZ", "XYZ-05:30", 1);
    tzset();
    struct timespec before, after;
    clock_gettime(CLOCK_REALTIME, &before); /* the logger's clock: time() can be a tick behind it */
    glog_info("x");
    clock_gettime(CLOCK_REALTIME, &after);
    struct tm date = {.tm_isdst = -1};
    read_all();
    cr_assert(not(zero(ptr, strptime(text, "%Y-%m-%d %H:%M:%S", &date))));
    time_t logged = mktime(&date);
    cr_expect(logged >= before.tv_sec && logged <= after.tv_sec);
}

Test(glog, control_characters_are_escaped_and_utf8_is_kept)
{
    glog_info("%s", "a\nb\r\x1b[1m\t\x7f 哈喽 é \xff \xc2\x9b \xed\xa0\x80 \xe5\x93");
    read_all();
    cr_expect(
        not(zero(ptr, strstr(text,
                             ": a\\x0Ab\\x0D\\x1B[1m\\x09\\x7F 哈喽 é \\xFF \\xC2\\x9B \\xED\\xA0\\x80 \\xE5\\x93\n"))),
        "%s", text);
}

Test(glog, a_long_line_is_cut_at_a_character)
{
    char wide[6001];

    for (int shift = 0; shift < 3; shift++) {
        memset(wide, 'x', (size_t)shift);
        for (size_t i = (size_t)shift; i + 3 < sizeof(wide); i += 3)
            memcpy(wide + i, "哈", 4);
        glog_info("%s", wide);
        size_t size = read_all();
        cr_expect(le(sz, size, 4096));
        cr_expect(gt(sz, size, 4088));
        cr_expect(eq(str, text + size - 7, "哈...\n"));
    }
}

Test(glog, a_line_is_one_write)
{
    int sockets[2];
    char packet[8192];

    cr_assert(eq(int, pipe2(sockets, O_DIRECT | O_NONBLOCK), 0)); /* a pipe that keeps writes apart */
    dup2(sockets[1], STDERR_FILENO);
    glog_info("%04000d", 1);
    glog_info("second");
    ssize_t first = read(sockets[0], packet, sizeof(packet));
    cr_expect(gt(i64, first, 4000));
    cr_expect(eq(int, packet[first - 1], '\n'));
    cr_expect(gt(i64, read(sockets[0], packet, sizeof(packet)), 10));
    cr_expect(lt(i64, read(sockets[0], packet, sizeof(packet)), 0));
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static unsigned long count_text(const char *word)
{
    unsigned long count = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    return count;
}

static unsigned long count_missing(void)
{
    unsigned long missing = 0;

    for (const char *at = text; (at = strstr(at, "[WARN] ")); at++)
        missing += strstr(at, " log lines were dropped\n") ? strtoul(at + 7, NULL, 10) : 0;
    return missing;
}

/* All that comes until so many of these have been read or counted as missing: how many are missing. Waits for it as
 * long as the test may run. */
static unsigned long read_or_missing(const char *word, unsigned long wanted)
{
    size_t size = 0;

    text[0] = '\0';
    while (count_text(word) + count_missing() < wanted) {
        struct pollfd more = {.fd = reader, .events = POLLIN};
        ssize_t got;

        poll(&more, 1, -1);
        got = read(reader, text + size, sizeof(text) - 1 - size);
        cr_assert(got > 0 || (got < 0 && errno == EAGAIN));
        size += got > 0 ? (size_t)got : 0;
        text[size] = '\0';
    }
    cr_expect(eq(ulong, count_text(word) + count_missing(), wanted));
    return count_missing();
}

/* Each of them is there in the end, or was counted; and those that are there are in order. */
Test(glog, a_reader_that_hangs_stops_nobody_and_is_told_later)
{
    enum { LINES = 3000 };
    int64_t began = now_ms();
    int last = -1;

    for (int i = 0; i < LINES; i++)
        glog_info("%0200d!", i);
    cr_expect(lt(i64, now_ms() - began, 5000));
    cr_expect(gt(ulong, read_or_missing("!\n", LINES), 0));
    for (const char *at = text; (at = strstr(at, ": 000")); at++) {
        int number = atoi(at + 2);

        cr_assert(gt(int, number, last));
        last = number;
    }
    glog_info("again");
    read_all();
    cr_expect(not(zero(ptr, strstr(text, ": again\n"))), "%s", text);
}

/* A burst that the queue has room for is all there. */
Test(glog, a_burst_is_kept)
{
    enum { LINES = 1000 };

    for (int i = 0; i < LINES; i++)
        glog_info("%0200d!", i);
    cr_expect(zero(ulong, read_or_missing("!\n", LINES)));
}

/* Another process may fill the pipe at any moment; so may the other threads of this one. */
static void *log_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 500; i++)
        glog_info("%0300d!", i);
    return NULL;
}

Test(glog, threads_that_log_at_once_wait_for_no_reader)
{
    pthread_t threads[8];
    int64_t began = now_ms();

    for (int i = 0; i < 8; i++)
        cr_assert(zero(int, pthread_create(&threads[i], NULL, log_many, NULL)));
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    cr_expect(lt(i64, now_ms() - began, 10000));
    cr_expect(gt(ulong, read_or_missing("!\n", 4000), 0));
}

/* As journald has it. */
Test(glog, a_socket_is_waited_for_as_little)
{
    static char piece[GF_GLOG_LINE_MAX];
    int ends[2];

    cr_assert(zero(int, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)));
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    memset(piece, 'x', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\n';
    for (int i = 0; i < 400; i++)
        gf_terminal_write(piece, sizeof(piece));
    cr_expect(gt(ulong, read_or_missing("x\n", 400), 0));
}

/* At the end what waits is written, if somebody reads it. */
static void *read_to_the_end(void *arg)
{
    read_or_missing(": last\n", 1);
    return arg;
}

Test(glog, a_flush_waits_for_the_reader)
{
    pthread_t thread;

    for (int i = 0; i < 600; i++)
        glog_info("%0200d", i);
    glog_info("last");
    cr_assert(zero(int, pthread_create(&thread, NULL, read_to_the_end, NULL)));
    gf_terminal_flush(15000);
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO); /* what comes later is lost */
    pthread_join(thread, NULL);
}

/* Where it cannot be opened once more, as where no descriptor is left, the thread writes to it as it is. */
Test(glog, what_cannot_be_asked_for_room_gets_its_lines)
{
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};

    cr_assert(zero(int, setrlimit(RLIMIT_NOFILE, &none)));
    for (int i = 0; i < 300; i++)
        glog_info("%0300d!", i);
    cr_expect(zero(ulong, read_or_missing("!\n", 300)));
}

Test(glog, a_flush_does_not_wait_for_ever)
{
    int64_t began;

    for (int i = 0; i < 600; i++)
        glog_info("%0200d", i);
    began = now_ms();
    gf_terminal_flush(300);
    cr_expect(ge(i64, now_ms() - began, 290));
    cr_expect(lt(i64, now_ms() - began, 5000));
}

/* What another process says is passed on as it is, and waited for as little. */
Test(glog, words_of_others_wait_for_no_reader_either)
{
    static const char words[] = "no line\n and half of one";
    char piece[4096];
    int64_t began;

    gf_terminal_write(words, strlen(words));
    read_all();
    cr_expect(eq(str, text, (char *)words));
    memset(piece, 'x', sizeof(piece));
    memcpy(piece, "once", 4);
    began = now_ms();
    for (int i = 0; i < 1000; i++)
        gf_terminal_write(piece, sizeof(piece));
    cr_expect(lt(i64, now_ms() - began, 5000));
    cr_expect(gt(ulong, read_or_missing("once", 1000), 800));
}

Test(glog, words_of_others_to_a_reader_that_has_gone_end_nobody)
{
    close(reader);
    gf_terminal_write("into nothing\n", 13);
}

Test(glog, closed_standard_error_is_no_error)
{
    close(STDERR_FILENO);
    glog_info("into nothing");
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    glog_info("into nothing");
}

struct taken {
    enum glog_level level;
    char line[5000];
    int count;
};

static void take(enum glog_level level, const char *line, void *arg)
{
    struct taken *taken = arg;

    taken->level = level;
    taken->count++;
    snprintf(taken->line, sizeof(taken->line), "%s", line);
}

Test(glog, a_writer_takes_the_place_of_standard_error)
{
    static struct taken taken;

    glog_set_writer(take, &taken);
    glog_warning("to the writer");
    cr_expect(eq(int, (int)taken.level, GLOG_WARNING));
    cr_expect(eq(str, strstr(taken.line, ": [WARN]"), ": [WARN] to the writer"));
    cr_expect(eq(sz, read_all(), 0));
    glog_set_writer(NULL, NULL);
    glog_info("back");
    cr_expect(eq(int, taken.count, 1));
    cr_expect(gt(sz, read_all(), 0));
}

Test(glog, errno_is_kept)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    dup2(full, STDERR_FILENO);
    errno = EXDEV;
    glog_info("does not fit");
    cr_expect(eq(int, errno, EXDEV));
}

static int wrong_pairs;

static void expect_one(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    wrong_pairs += *(int *)arg != 1;
}

static void expect_two(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    wrong_pairs += *(int *)arg != 2;
}

static void *change_writers(void *arg)
{
    static int one = 1, two = 2;

    (void)arg;
    for (int i = 0; i < 100000; i++)
        glog_set_writer(i % 2 ? expect_one : expect_two, i % 2 ? &one : &two);
    return NULL;
}

Test(glog, a_writer_never_gets_the_argument_of_another)
{
    pthread_t thread;

    change_writers(NULL);
    pthread_create(&thread, NULL, change_writers, NULL);
    for (int i = 0; i < 20000; i++)
        glog_info("x");
    pthread_join(thread, NULL);
    cr_expect(eq(int, wrong_pairs, 0));
}
