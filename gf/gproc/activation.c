/*
 * Takes what a service manager has put into the environment. Owns nothing; runs once, before main(). Variables that
 * were meant for another process (a shell passes all of them on) are taken out and not believed.
 */
#include <gf/gproc/activation.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A positive whole number up to max, or 0. */
static int64_t number_in(const char *variable, int64_t max)
{
    const char *text = getenv(variable);
    char *end;
    long long number;

    if (text == NULL || !isdigit((unsigned char)text[0]))
        return 0;
    errno = 0;
    number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && number <= max ? number : 0;
}

static bool is_for_this_process(const char *variable)
{
    return number_in(variable, INT32_MAX) == getpid();
}

static void protect(int count)
{
    for (int fd = GF_ACTIVATION_FIRST_FD; fd < GF_ACTIVATION_FIRST_FD + count; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    }
}

void gf_activation_take_sockets(struct gf_activation *activation)
{
    const char *names = getenv("LISTEN_FDNAMES");

    if (is_for_this_process("LISTEN_PID")) {
        activation->listen_count = (int)number_in("LISTEN_FDS", GF_ACTIVATION_FDS_MAX);
        activation->listen_names = names != NULL ? strdup(names) : NULL;
        protect(activation->listen_count);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (getenv("WATCHDOG_PID") != NULL && !is_for_this_process("WATCHDOG_PID"))
        unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void gf_activation_take_manager(struct gf_activation *activation)
{
    const char *notify_socket = getenv("NOTIFY_SOCKET");

    activation->notify_socket = notify_socket != NULL && notify_socket[0] != '\0' ? strdup(notify_socket) : NULL;
    activation->watchdog_usec = number_in("WATCHDOG_USEC", INT64_MAX);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
}
