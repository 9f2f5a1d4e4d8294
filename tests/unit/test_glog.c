/*
 * The log: its format, what it does to bytes that could forge a line, and that it never waits for its reader.
 */
#include <gf/glog/glog.h>
#include <gf/glog/line.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int reader;
static char text[1 << 20];

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

Test(glog, a_reader_that_hangs_stops_nobody_and_is_told_later)
{
    struct timespec begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 2000; i++)
        glog_info("%0200d", i);
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_expect(lt(i64, end.tv_sec - begin.tv_sec, 5));
    read_all();
    glog_info("again");
    read_all();
    expect_match(DATE "[0-9]+: \\[WARN\\] [0-9]+ log lines were dropped\n");
    cr_expect(not(zero(ptr, strstr(text, ": again\n"))));
}

/* What another process says is passed on as it is, and waited for as little. */
Test(glog, words_of_others_wait_for_no_reader_either)
{
    static const char words[] = "no line\n and half of one";
    char piece[4096];
    struct timespec begin, end;

    gf_glog_pass_on(words, strlen(words));
    read_all();
    cr_expect(eq(str, text, (char *)words));
    memset(piece, 'x', sizeof(piece));
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 1000; i++)
        gf_glog_pass_on(piece, sizeof(piece));
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_expect(lt(i64, end.tv_sec - begin.tv_sec, 5));
    read_all();
    glog_info("again");
    read_all();
    expect_match(DATE "[0-9]+: \\[WARN\\] [0-9]+ log lines were dropped\n");
}

Test(glog, words_of_others_to_a_reader_that_has_gone_end_nobody)
{
    close(reader);
    gf_glog_pass_on("into nothing\n", 13);
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
