/*
 * The program tests/programs/http_server as tests of the engine use it: see http_server.h.
 */
#include "tests/support/http_server.h"

#include "tests/support/client.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_PATIENCE_MS = 20000,
    STOP_PATIENCE_MS = 20000,
    LOOK_AGAIN_MS = 10,
};

static int read_ports(struct http_server *s)
{
    char *line = process_find_line(s->process, "ports "), *at = line;
    char *sanitized = process_find_line(s->process, "sanitized");

    s->sanitized = sanitized != NULL;
    free(sanitized);
    if (!line)
        return -ENODATA;
    at += strlen("ports");
    while (*at == ' ' && s->port_count < HTTP_SERVER_PORTS_MAX)
        s->ports[s->port_count++] = (int)strtol(at + 1, &at, 10);
    s->port = s->ports[0];
    free(line);
    return 0;
}

struct http_server *http_server_start(const char *const *arguments)
{
    struct process_options options = {.program = "http_server", .arguments = arguments};
    struct http_server *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->process = process_start(&options);
    if (!s->process)
        goto fail;
    s->pid = process_pid(s->process);
    if (process_wait_line(s->process, "ports", START_PATIENCE_MS) < 0 || read_ports(s) < 0)
        goto fail;
    return s;
fail:
    process_free(s->process);
    free(s);
    return NULL;
}

int http_server_stop(struct http_server *s)
{
    int status = 0, result = -1;

    if (!s)
        return 0;
    if (!process_signal(s->process, SIGTERM) && !process_wait_exit(s->process, STOP_PATIENCE_MS, &status) &&
        WIFEXITED(status))
        result = WEXITSTATUS(status);
    process_free(s->process);
    free(s);
    return result;
}

int http_server_descriptors(const struct http_server *s)
{
    char path[64];
    int count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)s->pid);
    DIR *folder = opendir(path);
    if (!folder)
        return -errno;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

int http_server_wait_descriptors(const struct http_server *s, int count, int timeout_ms)
{
    while (http_server_descriptors(s) > count) {
        if ((timeout_ms -= LOOK_AGAIN_MS) < 0)
            return -ETIMEDOUT;
        usleep(LOOK_AGAIN_MS * 1000);
    }
    return 0;
}

bool http_server_serves(const struct http_server *s)
{
    char *body = NULL;
    bool good = client_fetch(s->port, "/", &body) == 200 && strcmp(body, "hello\n") == 0;

    free(body);
    return good;
}
