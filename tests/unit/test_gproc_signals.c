/*
 * Signals: handlers on one thread, in order, and none lost: not while a handler runs, not before main().
 */
#include <gf/gproc/gproc.h>
#include <gf/gproc/signals.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char trace[256];
static pthread_t seen_on[2];
static sem_t called;
static sem_t go_on;

static void prepare(void)
{
    sem_init(&called, 0, 0);
    sem_init(&go_on, 0, 0);
}

TestSuite(gproc_signals, .init = prepare, .timeout = 20);

static bool wait_for(sem_t *semaphore, int milliseconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    while (sem_timedwait(semaphore, &until) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

static void note(int signo, void *arg)
{
    size_t used = strlen(trace);

    seen_on[used > 0] = pthread_self();
    snprintf(trace + used, sizeof(trace) - used, "%d%s ", signo, (const char *)arg);
    sem_post(&called);
}

static void count(int signo, void *arg)
{
    (void)signo;
    if (arg != NULL)
        (*(int *)arg)++;
    sem_post(&called);
}

static void stay(int signo, void *arg)
{
    (void)signo;
    (void)arg;
    sem_post(&called);
    while (sem_wait(&go_on) < 0)
        ;
}

Test(gproc_signals, handlers_run_in_order_on_one_thread)
{
    cr_assert(eq(int, gproc_on_signal(SIGUSR1, note, "a"), 0));
    cr_assert(eq(int, gproc_on_signal(SIGUSR1, note, "b"), 0));
    kill(getpid(), SIGUSR1);
    cr_assert(wait_for(&called, 5000));
    cr_assert(wait_for(&called, 5000));
    cr_expect(eq(str, trace, "10a 10b "));
    cr_expect(pthread_equal(seen_on[0], seen_on[1]));
    cr_expect(not(pthread_equal(seen_on[0], pthread_self())));
}

Test(gproc_signals, refuses_what_cannot_be_handled)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0, -1, 32, 65, 1000};

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        cr_expect(eq(int, gproc_on_signal(refused[i], note, ""), -EINVAL), "signal %d", refused[i]);
    cr_expect(eq(int, gproc_on_signal(SIGUSR1, NULL, ""), -EINVAL));
    for (int i = 0; i < 128; i++)
        cr_assert(eq(int, gproc_on_signal(SIGUSR1, count, NULL), 0));
    cr_expect(eq(int, gproc_on_signal(SIGUSR1, count, NULL), -ENOSPC));
}

Test(gproc_signals, none_is_lost_while_a_handler_runs)
{
    int terms = 0, highest = 0;

    gproc_on_signal(SIGUSR1, stay, NULL);
    gproc_on_signal(SIGTERM, count, &terms);
    gproc_on_signal(SIGRTMAX, count, &highest);
    kill(getpid(), SIGUSR1);
    cr_assert(wait_for(&called, 5000));
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGRTMAX);
    kill(getpid(), SIGUSR1);
    sem_post(&go_on);
    sem_post(&go_on);
    for (int i = 0; i < 3; i++)
        cr_assert(wait_for(&called, 5000));
    cr_expect(ge(int, terms, 1));
    cr_expect(eq(int, highest, 1));
}

Test(gproc_signals, every_single_one_is_seen)
{
    int times = 0;

    gproc_on_signal(SIGUSR2, count, &times);
    for (int i = 1; i <= 2000; i++) {
        kill(getpid(), SIGUSR2);
        cr_assert(wait_for(&called, 5000));
    }
    cr_expect(eq(int, times, 2000));
}

Test(gproc_signals, a_system_call_goes_on)
{
    int ends[2];
    char byte;

    cr_assert(eq(int, pipe(ends), 0));
    gproc_on_signal(SIGUSR1, count, NULL);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        kill(getppid(), SIGUSR1);
        usleep(20000);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    cr_expect(eq(i64, read(ends[0], &byte, 1), 1));
    waitpid(child, NULL, 0);
    cr_expect(wait_for(&called, 5000));
}

Test(gproc_signals, off_restores_what_was)
{
    struct sigaction now;

    signal(SIGUSR1, SIG_IGN);
    gproc_on_signal(SIGUSR1, note, "a");
    gproc_on_signal(SIGUSR1, note, "b");
    cr_expect(eq(int, gproc_off_signal(SIGUSR1, note, "c"), -ENOENT));
    cr_expect(eq(int, gproc_off_signal(SIGUSR2, note, "a"), -ENOENT));
    cr_expect(eq(int, gproc_off_signal(SIGUSR1, note, "a"), 0));
    kill(getpid(), SIGUSR1);
    cr_assert(wait_for(&called, 5000));
    cr_expect(eq(str, trace, "10b "));
    cr_expect(eq(int, gproc_off_signal(SIGUSR1, note, "b"), 0));
    sigaction(SIGUSR1, NULL, &now);
    cr_expect(now.sa_handler == SIG_IGN);
}

static void *take_off(void *arg)
{
    gproc_off_signal(SIGUSR1, stay, NULL);
    sem_post(arg);
    return NULL;
}

Test(gproc_signals, off_waits_for_the_handler)
{
    pthread_t thread;
    sem_t taken_off;

    sem_init(&taken_off, 0, 0);
    gproc_on_signal(SIGUSR1, stay, NULL);
    kill(getpid(), SIGUSR1);
    cr_assert(wait_for(&called, 5000));
    pthread_create(&thread, NULL, take_off, &taken_off);
    cr_expect(not(wait_for(&taken_off, 50)));
    sem_post(&go_on);
    cr_expect(wait_for(&taken_off, 5000));
    pthread_join(thread, NULL);
}

static void remove_itself(int signo, void *arg)
{
    (void)arg;
    gproc_off_signal(signo, remove_itself, NULL);
    sem_post(&called);
}

Test(gproc_signals, a_handler_may_remove_itself)
{
    gproc_on_signal(SIGUSR1, remove_itself, NULL);
    gproc_on_signal(SIGUSR1, note, "x");
    kill(getpid(), SIGUSR1);
    cr_assert(wait_for(&called, 5000));
    cr_assert(wait_for(&called, 5000));
    kill(getpid(), SIGUSR1);
    cr_assert(wait_for(&called, 5000));
    cr_expect(eq(str, trace, "10x 10x "));
}

Test(gproc_signals, leaves_masks_alone)
{
    sigset_t before = {0}, after = {0};

    pthread_sigmask(SIG_BLOCK, NULL, &before);
    gproc_on_signal(SIGUSR1, count, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    cr_expect(eq(int, memcmp(&before, &after, sizeof(before)), 0));
}

Test(gproc_signals, what_is_blocked_over_an_exec)
{
    static const int in[] = {SIGUSR1, SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    sigset_t set;

    gf_signals_inherited_block(&set);
    for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
        cr_expect(eq(int, sigismember(&set, in[i]), 1));
    cr_expect(eq(int, sigismember(&set, SIGCHLD), 0));
}

/* ---- before main() ---- */

static void execute_probe(int input, int output)
{
    char self[PATH_MAX] = "", probe[PATH_MAX];

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        _exit(9);
    snprintf(probe, sizeof(probe), "%.3000s/../programs/gproc_probe", dirname(self));
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execl(probe, probe, "signals", "10", "15", "2", "1", NULL);
    _exit(9);
}

/* The probe as a successor: its signals are blocked over the exec, and some wait already. */
static void become_successor(int input, int output)
{
    sigset_t blocked;

    gf_signals_inherited_block(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGHUP);
    setenv("GF_SERVER_RELOAD", "{\"version\":1,\"parent\":7}", 1);
    execute_probe(input, output);
}

/* The probe as what a process executes in its own place. */
static void become_anew(int input, int output)
{
    char state[32];
    sigset_t blocked;

    gf_signals_anew_block(&blocked);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    kill(getpid(), SIGUSR1);
    snprintf(state, sizeof(state), "%d:0", (int)getpid());
    setenv("GF_SERVER_STATE", state, 1);
    execute_probe(input, output);
}

static void expect_lines(int fd, const char *const *lines, size_t lines_count)
{
    char text[256] = "", wanted[16];
    size_t size = 0, found = 0;
    ssize_t got;

    while (found < lines_count && (got = read(fd, text + size, sizeof(text) - 1 - size)) > 0) {
        size += (size_t)got;
        text[size] = '\0';
        found = 0;
        for (size_t i = 0; i < lines_count; i++) {
            snprintf(wanted, sizeof(wanted), "%s\n", lines[i]);
            found += strstr(text, wanted) != NULL;
        }
    }
    cr_expect(eq(sz, found, lines_count), "got %s", text);
}

/* late is sent once main() runs, before there are handlers. */
static void expect_signals(void (*become)(int input, int output), int late, const char *const *all, size_t all_count)
{
    static const char *const up[] = {"up"};
    int input[2], output[2], status = -1;

    cr_assert(eq(int, pipe(input), 0));
    cr_assert(eq(int, pipe(output), 0));
    pid_t child = fork();
    if (child == 0)
        become(input[0], output[1]);
    close(output[1]);
    expect_lines(output[0], up, 1);
    kill(child, late);
    cr_assert(eq(i64, write(input[1], "\n", 1), 1));
    expect_lines(output[0], all, all_count);
    cr_assert(eq(i64, write(input[1], "\n", 1), 1));
    cr_assert(eq(int, waitpid(child, &status, 0), child));
    cr_expect(eq(int, status, 0));
}

Test(gproc_signals, those_before_main_wait_for_their_handlers)
{
    static const char *const all[] = {"10", "15", "2", "1"};

    expect_signals(become_successor, SIGINT, all, 4);
}

/* Somebody wants the log files opened anew, or another restart, while a full one goes on. */
Test(gproc_signals, those_of_a_full_restart_wait_too)
{
    static const char *const all[] = {"10", "1"};

    expect_signals(become_anew, SIGHUP, all, 2);
}

/* Where no log is open, what has come in the meantime does what it does without the library. */
Test(gproc_signals, a_hangup_that_nobody_wants_ends_the_process, .signal = SIGHUP)
{
    gf_signals_begin_anew();
    kill(getpid(), SIGHUP);
    gf_signals_settle_hangup();
    pause();
}

Test(gproc_signals, a_hangup_that_somebody_wants_is_his)
{
    gf_signals_begin_anew();
    kill(getpid(), SIGHUP);
    gproc_on_signal(SIGHUP, count, NULL);
    gf_signals_settle_hangup();
    cr_assert(wait_for(&called, 5000));
    kill(getpid(), SIGHUP);
    cr_assert(wait_for(&called, 5000));
}
