/* Log files: names, rotation, and a queue that drops rather than waits. Times are made up, the folder is real. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/log_file.h>
#include <gf/glog/log_name.h>
#include <gf/glog/logger.h>

#define DAY 86400
/* 2026-11-22 10:20:30 UTC */
#define MOMENT 1795342830

static char folder[64];
static char content[1 << 16];

static void begin(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    strcpy(folder, "/tmp/gf-logs-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void end(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(log_files, .init = begin, .fini = end, .timeout = 20);

static const char *read_log(const char *name)
{
    char path[256];
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, content, sizeof(content) - 1);
    if (fd >= 0)
        close(fd);
    content[size < 0 ? 0 : size] = 0;
    return size < 0 ? "(none)" : content;
}

static int count_files(void)
{
    DIR *d = opendir(folder);
    int count = -2;

    while (d && readdir(d))
        count++;
    closedir(d);
    return count;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

Test(log_files, names_have_goframes_letters)
{
    static const struct {
        const char *pattern, *name;
    } cases[] = {{"access-{Ymd}.log", "access-20261122.log"},
                 {"{Y-m-d}.log", "2026-11-22.log"},
                 {"a{y}_{n}.{j}.{His}{G}", "a26_11.22.10203010"},
                 {"plain.log", "plain.log"}};
    char name[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_expect(zero(int, gf_log_name_format(cases[i].pattern, MOMENT, name, sizeof(name))));
        cr_expect(eq(str, name, (char *)cases[i].name));
    }
}

Test(log_files, names_that_are_none_are_refused)
{
    static const char *const bad[] = {"", "{Ymd", "Ymd}", "{{Y}}", "{Q}", "../a", "a/b.log", ".hidden", "{}", "a\nb"};
    char name[64] = "untouched";

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_expect(eq(int, gf_log_name_format(bad[i], MOMENT, name, sizeof(name)), -EINVAL), "%s", bad[i]);
    cr_expect(eq(int, gf_log_name_format("aaaaaaaa{Y}", MOMENT, name, 12), -ENAMETOOLONG));
}

Test(log_files, old_files_are_known_by_their_names)
{
    static const char *const theirs[] = {"access-20261121.log", "access-20261122.20261122102030000001.log"};
    static const char *const others[] = {"access-.log", "access-20261122.log.gz", "access-today.log",
                                         "error-20261122.log", "access-20261122.2026.x.log",
                                         /* of another server, access-8100-{Ymd}.log */
                                         "access-8100-20261122.log", "access-8100-20261122.20261122102030000001.log"};

    for (size_t i = 0; i < sizeof(theirs) / sizeof(*theirs); i++)
        cr_expect(gf_log_name_matches("access-{Ymd}.log", theirs[i]), "%s", theirs[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        cr_expect(not(gf_log_name_matches("access-{Ymd}.log", others[i])), "%s", others[i]);
    cr_expect(gf_log_name_matches("{j.n}-{Y-m-d_H}.{is}.log", "7.12-2026-11-22_10.2030.log"));
    cr_expect(gf_log_name_matches("{jnG}x", "1112x"));
    cr_expect(not(gf_log_name_matches("{jnG}x", "11x")));
    cr_expect(not(gf_log_name_matches("{jnG}x", "1234567x")));
    cr_expect(gf_log_name_matches("a.log", "a.20261122102030000001.log"));
    cr_expect(
        not(gf_log_name_matches("{nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn}x", "111111111111111111111111111111111111"
                                                                               "11111111111111111111111111y")));
    cr_expect(gf_log_name_matches("a.log", "a.20261122102030000001.log"));
    cr_expect(gf_log_name_matches("a", "a.20261122102030000001"));
    cr_expect(not(gf_log_name_matches("a.log", "a.1.log")));
    cr_expect(gf_log_name_matches("{Ymd}-access.log", "20261121-access.20261122102030000001.log"));
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static struct gf_log_file file;

static void write_at(time_t second, long ns, const char *text)
{
    struct timespec now = {.tv_sec = second, .tv_nsec = ns};

    for (size_t done = 0, size = strlen(text); done < size;) {
        ssize_t written = gf_log_file_write(&file, text + done, size - done, &now, 0);

        cr_assert(gt(i64, written, 0));
        done += (size_t)written;
    }
}

Test(log_files, a_new_day_is_a_new_file)
{
    struct stat status;
    char path[256];

    cr_assert(zero(int, gf_log_file_init(&file, folder, "a-{Ymd}.log", 0, 0)));
    write_at(MOMENT, 0, "one\n");
    write_at(MOMENT - MOMENT % DAY + DAY - 1, 999999999, "last\n");
    write_at(MOMENT - MOMENT % DAY + DAY, 0, "two\n");
    gf_log_file_finish(&file);
    cr_expect(eq(str, (char *)read_log("a-20261122.log"), "one\nlast\n"));
    cr_expect(eq(str, (char *)read_log("a-20261123.log"), "two\n"));
    snprintf(path, sizeof(path), "%s/a-20261122.log", folder);
    cr_assert(zero(int, stat(path, &status)));
    cr_expect(zero(int, (int)(status.st_mode & 07137)), "others may read or write it: %o", status.st_mode);
}

Test(log_files, a_full_file_is_renamed_between_two_lines)
{
    cr_assert(zero(int, gf_log_file_init(&file, folder, "a.log", 10, 0)));
    write_at(MOMENT, 1000, "12345\n12345\n12\n");
    write_at(MOMENT, 2000, "longer than a file may be\n");
    write_at(MOMENT, 3000, "end\n");
    gf_log_file_finish(&file);
    cr_expect(eq(int, count_files(), 3));
    cr_expect(eq(str, (char *)read_log("a.20261122102030000001.log"), "12345\n12345\n"));
    cr_expect(eq(str, (char *)read_log("a.20261122102030000003.log"), "12\nlonger than a file may be\n"));
    cr_expect(eq(str, (char *)read_log("a.log"), "end\n"));
}

Test(log_files, of_old_files_the_newest_are_kept)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/a-other.log", folder);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    cr_assert(zero(int, gf_log_file_init(&file, folder, "a-{Ymd}.log", 0, 2)));
    for (int day = 0; day < 5; day++) {
        write_at(MOMENT + day * DAY, 0, "line\n");
        usleep(15000); /* the order is that of the files' times, which have the kernel's ticks */
    }
    gf_log_file_finish(&file);
    cr_expect(eq(int, count_files(), 4));
    cr_expect(eq(str, (char *)read_log("a-20261123.log"), "(none)"));
    cr_expect(eq(str, (char *)read_log("a-20261124.log"), "line\n"));
    cr_expect(eq(str, (char *)read_log("a-20261126.log"), "line\n"));
    cr_expect(eq(str, (char *)read_log("a-other.log"), ""));
}

/* As two processes do while one takes over from the other. */
Test(log_files, two_writers_rotate_once)
{
    struct gf_log_file other;
    struct timespec now = {.tv_sec = MOMENT, .tv_nsec = 7000};

    cr_assert(zero(int, gf_log_file_init(&file, folder, "a.log", 8, 0)));
    cr_assert(zero(int, gf_log_file_init(&other, folder, "a.log", 8, 0)));
    write_at(MOMENT, 5000, "first\n");
    cr_assert(eq(i64, gf_log_file_write(&other, "second\n", 7, &now, 0), 7));
    write_at(MOMENT, 6000, "third\n");
    cr_assert(eq(i64, gf_log_file_write(&other, "fourth\n", 7, &now, 0), 7));
    cr_expect(eq(int, count_files(), 2));
    cr_expect(eq(str, (char *)read_log("a.20261122102030000006.log"), "first\nsecond\n"));
    cr_expect(eq(str, (char *)read_log("a.log"), "third\nfourth\n"));
    gf_log_file_finish(&file);
    gf_log_file_finish(&other);
}

Test(log_files, a_link_is_not_followed)
{
    struct timespec now = {.tv_sec = MOMENT};
    char path[256];

    snprintf(path, sizeof(path), "%s/a.log", folder);
    cr_assert(zero(int, symlink("/tmp/elsewhere-of-gf-logs", path)));
    cr_assert(zero(int, gf_log_file_init(&file, folder, "a.log", 0, 0)));
    cr_expect(eq(int, gf_log_file_open(&file, &now), -ELOOP));
    gf_log_file_finish(&file);
}

/* ---- what goes wrong --------------------------------------------------------------------------------------------- */

/* Who may not rename has a file that grows, and says why; nothing is lost. */
Test(log_files, what_cannot_be_rotated_grows_on)
{
    cr_assert(zero(int, gf_log_file_init(&file, folder, "a.log", 10, 0)));
    write_at(MOMENT, 1000, "0123456789\n");
    cr_assert(zero(int, chmod(folder, 0555)));
    if (geteuid() == 0)
        cr_assert(zero(int, seteuid(65534)));
    write_at(MOMENT, 2000, "one\n");
    cr_expect(eq(int, file.rotate_error, -EACCES));
    write_at(MOMENT, 3000, "two\n");
    cr_assert(zero(int, seteuid(getuid())));
    cr_expect(eq(str, (char *)read_log("a.log"), "0123456789\none\ntwo\n"));
    cr_assert(zero(int, chmod(folder, 0755)));
    write_at(MOMENT, 4000, "three\n");
    cr_expect(zero(int, file.rotate_error));
    gf_log_file_finish(&file);
    cr_expect(eq(str, (char *)read_log("a.log"), "three\n"));
    cr_expect(eq(int, count_files(), 2));
}

/* renameat2() is answered as by a file system that does not know its flags. */
static void forget_renameat2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

    cr_assert(zero(int, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
    cr_assert(zero(int, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)));
}

Test(log_files, file_systems_that_know_no_careful_rename_rotate_too)
{
    forget_renameat2();
    cr_assert(zero(int, gf_log_file_init(&file, folder, "a.log", 10, 0)));
    write_at(MOMENT, 1000, "0123456789\n");
    write_at(MOMENT, 2000, "0123456789\n");
    write_at(MOMENT, 2000, "the same moment\n"); /* in which nothing is replaced */
    write_at(MOMENT, 3000, "end\n");
    gf_log_file_finish(&file);
    cr_expect(eq(int, count_files(), 3));
    cr_expect(eq(str, (char *)read_log("a.20261122102030000002.log"), "0123456789\n"));
    cr_expect(eq(str, (char *)read_log("a.20261122102030000003.log"), "0123456789\nthe same moment\n"));
    cr_expect(eq(str, (char *)read_log("a.log"), "end\n"));
}

/* A full disk takes half of a line. Those that are whole count as written; the next one begins a line of its own. */
Test(log_files, half_a_line_is_not_gone_on_with)
{
    static const char lines[] = "0123456789\n0123456789\n0123456789\n";
    const struct rlimit small = {.rlim_cur = 17, .rlim_max = RLIM_INFINITY};
    const struct rlimit large = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    struct timespec now = {.tv_sec = MOMENT};

    signal(SIGXFSZ, SIG_IGN);
    cr_assert(zero(int, gf_log_file_init(&file, folder, "a.log", 0, 0)));
    cr_assert(zero(int, setrlimit(RLIMIT_FSIZE, &small)));
    cr_expect(eq(i64, gf_log_file_write(&file, lines, 33, &now, 0), 11));
    cr_expect(eq(i64, gf_log_file_write(&file, lines, 22, &now, 0), -EFBIG));
    cr_assert(zero(int, setrlimit(RLIMIT_FSIZE, &large)));
    cr_expect(eq(i64, gf_log_file_write(&file, lines, 22, &now, 0), 22));
    gf_log_file_finish(&file);
    cr_expect(eq(str, (char *)read_log("a.log"), "0123456789\n012345\n0123456789\n0123456789\n"));
}

/* ---- the queue --------------------------------------------------------------------------------------------------- */

static char error[256];

static void make_path(const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, name);
}

Test(log_files, all_lines_are_written_at_the_end)
{
    struct gf_logger_options options = {.folder = folder, .pattern = "a.log"};
    struct gf_logger *logger;
    char line[32];

    cr_assert(zero(int, gf_logger_new(&options, &logger, error, sizeof(error))), "%s", error);
    for (int i = 0; i < 1000; i++)
        gf_logger_write(logger, line, (size_t)snprintf(line, sizeof(line), "%04d\n", i));
    gf_logger_flush_all(5000);
    cr_expect(eq(sz, strlen(read_log("a.log")), 5000));
    gf_logger_write(logger, "last\n", 5);
    gf_logger_stop_all(5000);
    cr_expect(eq(str, (char *)read_log("a.log") + 5000, "last\n"));
    gf_logger_write(logger, "late\n", 5);
    cr_expect(eq(u64, gf_logger_dropped(logger), 1));
}

/* A pipe that nobody reads is the slowest disk. Reads it at last: every line is there or counted as missing. */
Test(log_files, a_full_queue_drops_and_says_so)
{
    struct gf_logger_options options = {.folder = folder, .pattern = "a.log", .queue_max = 2000};
    struct gf_logger *logger;
    static char line[100], text[1 << 20];
    char path[256];
    size_t size = 0;
    unsigned long missing = 0, written = 0;
    int fd;

    memset(line, 'x', 99);
    line[99] = '\n';
    make_path("a.log", path, sizeof(path));
    cr_assert(zero(int, mkfifo(path, 0600)));
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    cr_assert(zero(int, gf_logger_new(&options, &logger, error, sizeof(error))), "%s", error);
    for (int i = 0; i < 5000; i++)
        gf_logger_write(logger, line, 100);
    cr_expect(gt(u64, gf_logger_dropped(logger), 3000));
    while (!strstr(text, "log lines were dropped\n")) {
        ssize_t got = read(fd, text + size, sizeof(text) - 1 - size);

        size += got > 0 ? (size_t)got : 0;
        if (got < 0)
            usleep(1000);
    }
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        const char *mark = strstr(at, "[WARN] ");

        if (*at == 'x')
            written++;
        else if (mark)
            missing += strtoul(mark + 7, NULL, 10);
    }
    cr_expect(eq(ulong, written + missing, 5000), "%lu written, %lu missing", written, missing);
    cr_expect(eq(u64, gf_logger_dropped(logger), missing));
    gf_logger_stop_all(1000);
    close(fd);
}

Test(log_files, the_end_does_not_wait_for_ever)
{
    struct gf_logger_options options = {.folder = folder, .pattern = "a.log"};
    struct gf_logger *logger;
    struct timespec before, after;
    static char line[4096];
    char path[256];
    int fd;

    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    make_path("a.log", path, sizeof(path));
    cr_assert(zero(int, mkfifo(path, 0600)));
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    cr_assert(zero(int, gf_logger_new(&options, &logger, error, sizeof(error))), "%s", error);
    for (int i = 0; i < 100; i++)
        gf_logger_write(logger, line, sizeof(line));
    clock_gettime(CLOCK_MONOTONIC, &before);
    gf_logger_stop_all(300);
    clock_gettime(CLOCK_MONOTONIC, &after);
    cr_expect(lt(i64, after.tv_sec - before.tv_sec, 4));
    cr_expect(gt(u64, gf_logger_dropped(logger), 50));
    close(fd);
}

static void count_growing(enum glog_level level, const char *line, void *arg)
{
    *(int *)arg += level == GLOG_ERROR && strstr(line, "\"a.log\" is full and cannot be renamed: Permission denied");
}

Test(log_files, that_a_file_grows_on_is_said_once)
{
    struct gf_logger_options options = {.folder = folder, .pattern = "a.log", .rotate_size = 4};
    struct gf_logger *logger;
    int told = 0;

    glog_set_writer(count_growing, &told);
    cr_assert(zero(int, gf_logger_new(&options, &logger, error, sizeof(error))), "%s", error);
    cr_assert(zero(int, chmod(folder, 0555)));
    if (geteuid() == 0)
        cr_assert(zero(int, seteuid(65534)));
    for (int i = 0; i < 4; i++) {
        gf_logger_write(logger, "line\n", 5);
        gf_logger_flush_all(5000);
    }
    cr_assert(zero(int, seteuid(getuid())));
    cr_assert(zero(int, chmod(folder, 0755)));
    gf_logger_stop_all(5000);
    glog_set_writer(NULL, NULL);
    cr_expect(eq(int, told, 1));
    cr_expect(eq(str, (char *)read_log("a.log"), "line\nline\nline\nline\n"));
    cr_expect(zero(u64, gf_logger_dropped(logger)));
}

Test(log_files, a_folder_that_cannot_be_is_told)
{
    struct gf_logger_options options = {.folder = "/proc/no/such", .pattern = "a.log"};
    struct gf_logger *logger = NULL;

    cr_expect(lt(int, gf_logger_new(&options, &logger, error, sizeof(error)), 0));
    cr_expect(ne(ptr, strstr(error, "/proc/no/such"), NULL), "%s", error);
    options = (struct gf_logger_options){.folder = folder, .pattern = "{X}"};
    cr_expect(eq(int, gf_logger_new(&options, &logger, error, sizeof(error)), -EINVAL));
    cr_expect(ne(ptr, strstr(error, "letters"), NULL), "%s", error);
    cr_expect(eq(ptr, logger, NULL));
}
