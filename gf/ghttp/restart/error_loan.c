#include "error_loan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/glog/line.h>
#include <gf/glog/terminal.h>

#include "machine.h"

/* How often it is seen whether it is read, and when it is not: half of what a pipe holds lies there from one
 * look to the next, or the reader, that gives a sign of life twice a second, has been silent. */
#define LOOK_MS 250
#define UNREAD_MAX 32768
#define SILENCE_MS 2000
/* Pieces that are passed on at a time: as much as a pipe holds. */
#define RELAYED_AT_ONCE 16

static struct {
    int original;     /* -1: nothing is on loan */
    int reader;       /* -1: there is none (any more) */
    struct stat pipe; /* as we found it */
    bool is_ready;
    int64_t heard_ms;
    int64_t full_ms; /* since then there was as much in it at each look; 0: there is not */
} loan = {.original = -1, .reader = -1};

static bool is_pipe(int fd)
{
    struct stat now;

    return !fstat(fd, &now) && S_ISFIFO(now.st_mode) && now.st_ino == loan.pipe.st_ino &&
           now.st_dev == loan.pipe.st_dev;
}

/* By its name, since only the writing end was inherited; where there is no /proc, there is none. */
static int open_reader(void)
{
    char path[32];
    int fd;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", STDERR_FILENO);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && !is_pipe(fd)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void gf_error_loan_begin(int original)
{
    loan.original = original;
    if (original >= 0 && !fstat(STDERR_FILENO, &loan.pipe) && S_ISFIFO(loan.pipe.st_mode))
        loan.reader = open_reader();
}

void gf_error_loan_ready(void)
{
    loan.is_ready = true;
    loan.heard_ms = gf_machine_now_ms();
    if (loan.reader < 0)
        gf_error_loan_end();
}

void gf_error_loan_heard(void)
{
    loan.heard_ms = gf_machine_now_ms();
}

void gf_error_loan_relay(void)
{
    char text[GF_GLOG_LINE_MAX];
    ssize_t size = 1;

    for (int i = 0; i < RELAYED_AT_ONCE && size > 0; i++) {
        size = read(loan.reader, text, sizeof(text));
        if (size > 0)
            gf_terminal_write(text, (size_t)size);
    }
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    close(loan.reader); /* nobody has the other end */
    loan.reader = -1;
}

/* The program may have given its standard error another end meanwhile. */
void gf_error_loan_end(void)
{
    if (loan.original < 0)
        return;
    if (is_pipe(STDERR_FILENO))
        dup2(loan.original, STDERR_FILENO);
    close(loan.original);
    loan.original = -1;
    if (loan.reader >= 0)
        gf_error_loan_relay();
}

static bool is_read(int64_t now)
{
    int unread = 0;

    if (ioctl(loan.reader, FIONREAD, &unread) < 0 || unread < UNREAD_MAX)
        loan.full_ms = 0;
    else if (!loan.full_ms)
        loan.full_ms = now;
    return now - loan.heard_ms < SILENCE_MS && (!loan.full_ms || now - loan.full_ms < LOOK_MS);
}

int64_t gf_error_loan_look(void)
{
    int64_t now = gf_machine_now_ms();

    if (loan.original < 0 || !loan.is_ready)
        return INT64_MAX;
    if (is_read(now))
        return now + LOOK_MS;
    gf_error_loan_end();
    return INT64_MAX;
}

int gf_error_loan_original(void)
{
    return loan.original >= 0 ? loan.original : STDERR_FILENO;
}

int gf_error_loan_fd(void)
{
    return loan.original < 0 ? loan.reader : -1;
}
