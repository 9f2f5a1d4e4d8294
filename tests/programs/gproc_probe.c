/*
 * Says how the library saw its own start, for tests/unit/test_gproc_*.c.
 *
 *   start [fd]...     prints name=value lines, and for each fd whether it is close-on-exec
 *   signals signo...  waits for a line of input, then prints the signals that came before, one line for each, and
 *                     ends after the next line of input
 *   state             prints its blocked and ignored signals and its open descriptors
 *   listen            listens for messages, says so, and echoes those of the group "echo" until one says "end"
 */
#include <gf/gproc/gproc.h>
#include <gf/gproc/start.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_start(int count, char **fds)
{
    const struct gf_start *start = gf_start_get();
    char link[64], folder[4096] = "";
    int copied = 0;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", start->cwd_fd);
    if (readlink(link, folder, sizeof(folder) - 1) < 0)
        folder[0] = '\0';
    for (char **at = start->envp; *at != NULL; at++)
        copied += strncmp(*at, "GF_SERVER_RELOAD=", 17) == 0;
    printf("is_ppid=%d\nppid=%d\nchild=%d\n", gproc_ppid() == gproc_pid(), (int)gproc_ppid(), gproc_is_child());
    printf("exe=%s\nargc=%d\nargv0=%s\ncwd=%s\ncwd_fd_high=%d\nnofile=%lu\n", start->exe_path, start->argc,
           start->argv[0], folder, start->cwd_fd > 2, (unsigned long)start->nofile.rlim_cur);
    printf("ignored_hup=%d\nignored_term=%d\n", sigismember(&start->ignored, SIGHUP),
           sigismember(&start->ignored, SIGTERM));
    printf("variable=%d\nvariable_copied=%d\nreload=%s\n", getenv("GF_SERVER_RELOAD") != NULL, copied,
           start->reload != NULL ? start->reload : "(none)");
    for (int i = 0; i < count; i++) {
        int flags = fcntl(atoi(fds[i]), F_GETFD);
        printf("fd%s=%s\n", fds[i], flags < 0 ? "closed" : flags & FD_CLOEXEC ? "cloexec" : "inherited");
    }
}

static void print_signal(int signo, void *arg)
{
    (void)arg;
    printf("%d\n", signo);
    fflush(stdout);
}

static void wait_for_line(void)
{
    char line[16];

    if (fgets(line, sizeof(line), stdin) == NULL)
        exit(2);
}

static void print_signals(int count, char **signos)
{
    printf("up\n");
    fflush(stdout);
    wait_for_line();
    for (int i = 0; i < count; i++)
        gproc_on_signal(atoi(signos[i]), print_signal, NULL);
    wait_for_line();
}

static void print_state(void)
{
    sigset_t blocked;
    struct sigaction action;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int signo = 1; signo < 32; signo++) {
        if (sigismember(&blocked, signo) == 1)
            printf("blocked %d\n", signo);
        if (sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf("ignored %d\n", signo);
    }
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && fd != gf_start_get()->cwd_fd)
            printf("fd %d\n", fd);
}

static int echo(void)
{
    bool ended = false;

    if (gproc_listen() < 0)
        return 1;
    printf("listening\n");
    fflush(stdout);
    while (!ended) {
        size_t size;
        gproc_message *message = gproc_receive("echo", 20000);
        if (message == NULL)
            return 1;
        const char *data = gproc_message_data(message, &size);
        ended = strcmp(data, "end") == 0;
        if (!ended && gproc_send(gproc_message_sender(message), "echoed", data, size) < 0)
            return 1;
        gproc_message_free(message);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    if (strcmp(mode, "start") == 0)
        print_start(argc - 2, argv + 2);
    else if (strcmp(mode, "signals") == 0)
        print_signals(argc - 2, argv + 2);
    else if (strcmp(mode, "state") == 0)
        print_state();
    else if (strcmp(mode, "listen") == 0)
        return echo();
    else
        return 2;
    return 0;
}
