/*
 * Shell commands: run one and wait, with or without its output.
 *
 * Owns nothing that outlives a call; any thread may enter, and blocks until the command has ended or its time is up.
 */
#include <gf/gproc/child.h>
#include <gf/gproc/deadline.h>
#include <gf/gproc/start.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

GF_START_NEEDED;

/* What a read asks for at least, and the first size of the memory: the size of a pipe's page. */
#define CHUNK_BYTES 4096

/* What the command has written. */
struct output {
    char *data; /* with room for a 0 after size bytes; NULL until the first read */
    size_t size;
    size_t capacity;
    size_t max;
};

/* A command that runs. */
struct command {
    pid_t pid;
    int pidfd;
    int pipe_fd; /* the end to read from, non-blocking; -1: it is at its end */
};

static int spawn_shell(const char *command, int output_fd, pid_t *ret_pid, int *ret_pidfd)
{
    char *const argv[] = {"sh", "-c", "--", (char *)command, NULL};
    const struct gf_child_plan plan = {.path = "/bin/sh", .argv = argv, .output_fd = output_fd};

    return gf_child_spawn(&plan, ret_pid, ret_pidfd);
}

static int start_command(const char *text, struct command *command)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int result = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (result == 0)
        result = spawn_shell(text, ends[1], &command->pid, &command->pidfd);
    close(ends[1]);
    if (result < 0)
        close(ends[0]);
    else
        command->pipe_fd = ends[0];
    return result;
}

/* Room for a chunk and the 0. It grows with what was read, which is never much more than the maximum. */
static int make_room(struct output *output)
{
    if (output->capacity - output->size > CHUNK_BYTES)
        return 0;
    size_t capacity = output->capacity * 2 + 2 * CHUNK_BYTES;
    char *data = capacity > output->capacity ? realloc(output->data, capacity) : NULL;
    if (data == NULL)
        return -ENOMEM;
    output->data = data;
    output->capacity = capacity;
    return 0;
}

/* Reads what is there. 0: nothing more for now, or the end, which closes the pipe. */
static int read_output(struct command *command, struct output *output)
{
    while (command->pipe_fd >= 0) {
        int result = make_room(output);
        if (result < 0)
            return result;
        ssize_t size = read(command->pipe_fd, output->data + output->size, output->capacity - output->size - 1);
        if (size > 0) {
            output->size += (size_t)size;
            if (output->size > output->max)
                return -EMSGSIZE;
        } else if (size < 0 && errno == EAGAIN) {
            return 0;
        } else if (size == 0 || errno != EINTR) {
            close(command->pipe_fd);
            command->pipe_fd = -1;
        }
    }
    return 0;
}

/* Until the shell has ended: what it started in the background may hold the pipe open for ever. */
static int collect(struct command *command, struct output *output, int64_t deadline)
{
    for (;;) {
        struct pollfd fds[2] = {{.fd = command->pidfd, .events = POLLIN}, {.fd = command->pipe_fd, .events = POLLIN}};
        int ready = poll(fds, 2, gf_deadline_left(deadline));
        if (ready == 0)
            return -ETIMEDOUT;
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready < 0)
            continue;
        int result = read_output(command, output);
        if (result < 0 || fds[0].revents != 0)
            return result;
        /* A command that never stops writing keeps the loop from looking at the clock. */
        if (gf_deadline_left(deadline) == 0)
            return -ETIMEDOUT;
    }
}

/* Reaps the shell; after a failure it is killed before, and all that it started and that stayed in its group. */
static int finish_command(struct command *command, bool failed, int *ret_status)
{
    if (failed)
        kill(-command->pid, SIGKILL); /* its number is its own until it is reaped */
    int result = gf_child_reap(command->pid, ret_status);
    close(command->pidfd);
    if (command->pipe_fd >= 0)
        close(command->pipe_fd);
    return result;
}

int gproc_shell_exec(const char *command, char **ret_output, size_t max_output, int timeout_ms, int *ret_status)
{
    int64_t deadline = gf_deadline_after(timeout_ms);
    struct output output = {.max = max_output};
    struct command running;
    int status;

    if (command == NULL)
        return -EINVAL;
    int result = make_room(&output);
    if (result < 0)
        return result;
    result = start_command(command, &running);
    if (result < 0)
        goto fail;
    result = collect(&running, &output, deadline);
    int reaped = finish_command(&running, result < 0, &status);
    if (result == 0)
        result = reaped;
    if (result < 0)
        goto fail;
    if (ret_status != NULL)
        *ret_status = status;
    output.data[output.size] = '\0';
    if (ret_output != NULL)
        *ret_output = output.data;
    else
        free(output.data);
    return 0;

fail:
    free(output.data);
    return result;
}

int gproc_shell_run(const char *command, int *ret_status)
{
    pid_t pid;
    int pidfd;
    int status;

    if (command == NULL)
        return -EINVAL;
    int result = spawn_shell(command, -1, &pid, &pidfd);
    if (result < 0)
        return result;
    close(pidfd);
    result = gf_child_reap(pid, &status);
    if (result == 0 && ret_status != NULL)
        *ret_status = status;
    return result;
}
