/*
 * nginx: see nginx.h.
 *
 * It runs as a daemon, since it ignores SIGUSR2 as long as its parent is the one it was started by. The daemon leads a
 * process group in which its later masters stay, and falls to this process when its parent has gone.
 */
#include "bench/support/nginx.h"

#include "tests/support/guard.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 10000,
    STEP_MS = 2,
};

/* ---- small words ------------------------------------------------------------------------------------------------ */

static int find_program(struct nginx *n)
{
    static const char *const places[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"};

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (!access(places[i], X_OK)) {
            snprintf(n->program, sizeof(n->program), "%s", places[i]);
            return 0;
        }
    return -ENOENT;
}

static int write_file(const struct nginx *n, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", n->folder, name);
    file = fopen(path, "we");
    if (!file)
        return -errno;
    fputs(text, file);
    return fclose(file) ? -errno : 0;
}

/* The first number of a file of its folder; 0: none. */
static long read_number(const struct nginx *n, const char *name)
{
    char path[128];
    long number = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", n->folder, name);
    file = fopen(path, "re");
    if (file && fscanf(file, "%ld", &number) != 1)
        number = 0;
    if (file)
        fclose(file);
    return number;
}

static int count_children(pid_t parent)
{
    char path[64];
    int count = 0, child;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
    file = fopen(path, "re");
    while (file && fscanf(file, "%d", &child) == 1)
        count++;
    if (file)
        fclose(file);
    return count;
}

/* Nothing in it closes a connection that is kept, but an upgrade. */
static int write_configuration(const struct nginx *n)
{
    char text[2048];

    snprintf(text, sizeof(text),
             "%sworker_processes 2;\npid %s/nginx.pid;\nerror_log %s/error.log;\n"
             "events { worker_connections 1024; }\n"
             "http {\n    access_log off;\n    keepalive_timeout 3600s;\n    keepalive_requests 1000000000;\n"
             "    keepalive_time 24h;\n    default_type text/plain;\n"
             "    client_body_temp_path %s/body;\n    proxy_temp_path %s/proxy;\n    fastcgi_temp_path %s/fastcgi;\n"
             "    uwsgi_temp_path %s/uwsgi;\n    scgi_temp_path %s/scgi;\n"
             "    server { listen 127.0.0.1:%d; root %s/root; }\n}\n",
             geteuid() ? "" : "user root;\n", n->folder, n->folder, n->folder, n->folder, n->folder, n->folder,
             n->folder, n->port, n->folder);
    return write_file(n, "nginx.conf", text);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static void read_version(struct nginx *n)
{
    char command[512];
    FILE *output;

    snprintf(command, sizeof(command), "%s -v 2>&1", n->program);
    output = popen(command, "re");
    if (!output || !fgets(n->version, sizeof(n->version), output))
        snprintf(n->version, sizeof(n->version), "nginx");
    if (output)
        pclose(output);
    n->version[strcspn(n->version, "\n")] = 0;
}

static int run_program(struct nginx *n)
{
    char file[128];
    const char *arguments[] = {"-p", n->folder, "-c", file, NULL};
    struct process_options options = {.program = n->program, .arguments = arguments, .folder = n->folder};
    struct process *process;
    int status = -1, result;

    snprintf(file, sizeof(file), "%s/nginx.conf", n->folder);
    process = process_start(&options);
    if (!process)
        return -errno;
    result = process_wait_exit(process, PATIENCE_MS, &status);
    process_free(process); /* ends only what stayed in its group: the daemon has one of its own */
    return result ? result : status ? -EINVAL : 0;
}

int nginx_start(struct nginx *n)
{
    char root[128];
    int result;

    *n = (struct nginx){.folder = "/tmp/gf-nginx-XXXXXX"};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!mkdtemp(n->folder)) {
        n->folder[0] = 0;
        return -errno;
    }
    n->port = free_port();
    snprintf(root, sizeof(root), "%s/root", n->folder);
    result = find_program(n);
    if (!result && mkdir(root, 0755) < 0)
        result = -errno;
    if (!result)
        result = write_file(n, "root/file", NGINX_FILE_TEXT);
    if (!result)
        result = write_configuration(n);
    if (result)
        return result;
    read_version(n);
    result = run_program(n);
    for (int waited = 0; !result && !n->master && waited < PATIENCE_MS; waited += STEP_MS) {
        n->master = n->first = (pid_t)read_number(n, "nginx.pid");
        usleep(STEP_MS * 1000);
    }
    if (n->master)
        guard_add(n->first);
    return result ? result : n->master ? 0 : -ETIMEDOUT;
}

int nginx_upgrade(struct nginx *n, pid_t *old)
{
    pid_t fresh = 0;

    *old = n->master;
    if (kill(*old, SIGUSR2) < 0)
        return -errno;
    for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        fresh = (pid_t)read_number(n, "nginx.pid");
        if (fresh && fresh != *old && count_children(fresh) >= 2)
            break;
        fresh = 0;
        usleep(STEP_MS * 1000);
    }
    if (!fresh)
        return -ETIMEDOUT;
    n->master = fresh;
    if (kill(*old, SIGWINCH) < 0 || kill(*old, SIGQUIT) < 0)
        return -errno;
    return 0;
}

int nginx_wait_gone(const struct nginx *n, pid_t old, int timeout_ms)
{
    int result = process_wait_pid_gone(old, timeout_ms);

    waitpid(old, NULL, WNOHANG);
    (void)n;
    return result;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

void nginx_stop(struct nginx *n)
{
    if (n->master) {
        kill(n->master, SIGQUIT);
        if (process_wait_pid_gone(n->master, PATIENCE_MS) < 0)
            kill(-n->first, SIGKILL);
        while (waitpid(-n->first, NULL, 0) > 0 || errno == EINTR)
            continue;
        guard_remove(n->first);
    }
    if (n->folder[0])
        nftw(n->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    *n = (struct nginx){.folder = ""};
}
