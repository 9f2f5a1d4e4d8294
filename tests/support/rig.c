#include "tests/support/rig.h"

#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/port.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 20000,   /* a sanitizer's build on a busy machine */
    RESTART_MS = 40000, /* more than gracefulReadyTimeout, so that its failure is seen as what it is */
    FETCH_MS = 45000,
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

int rig_init(struct rig *rig)
{
    *rig = (struct rig){.folder = "/tmp/gf-rig-XXXXXX"};
    if (!mkdtemp(rig->folder)) {
        rig->folder[0] = 0;
        return -errno;
    }
    rig->port = free_port();
    rig->second_port = free_port();
    rig->https_port = free_port();
    if (rig->port < 0 || rig->second_port < 0 || rig->https_port < 0)
        return -EADDRNOTAVAIL;
    rig->http = (struct transport_target){.port = rig->port};
    rig->https = (struct transport_target){.port = rig->https_port, .tls = true};
    return certificate_make(rig->folder, "server", "localhost");
}

int rig_settings(struct rig *rig, const char *lines)
{
    char path[512], fresh[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/settings", rig->folder);
    snprintf(fresh, sizeof(fresh), "%s/settings.new", rig->folder);
    file = fopen(fresh, "we");
    if (!file)
        return -errno;
    fprintf(file, "address_1=127.0.0.1:%d\nhttps_1=127.0.0.1:%d\naddress_2=127.0.0.1:%d\n", rig->port, rig->https_port,
            rig->second_port);
    fprintf(file, "certificate=%s/server.crt\nkey=%s/server.key\n", rig->folder, rig->folder);
    fprintf(file, "set_gracefulProbation=200ms\n%s\n", lines ? lines : "");
    return fclose(file) || rename(fresh, path) ? -errno : 0;
}

static struct process *start_process(const struct rig *rig)
{
    struct process_options options = {.folder = rig->folder, .environment = rig->environment};
    char *program = process_program(rig->program ? rig->program : "restart_server"), *script = NULL;
    const char *arguments[] = {"-c", NULL, program, NULL};
    struct process *process = NULL;

    options.program = program;
    if (rig->preface && asprintf(&script, "%s\nexec \"$0\"", rig->preface) < 0)
        script = NULL;
    if (script) {
        options.program = "/bin/sh";
        arguments[1] = script;
        options.arguments = arguments;
    }
    if (program)
        process = process_start(&options);
    free(script);
    free(program);
    return process;
}

int rig_start(struct rig *rig)
{
    long pid = 0;
    char line[64];

    rig->process = start_process(rig);
    if (!rig->process)
        return -errno;
    rig->first = rig->pid = process_pid(rig->process);
    snprintf(line, sizeof(line), " %d: ", (int)rig->first);
    if (process_wait_line(rig->process, line, START_MS) < 0)
        return -ETIMEDOUT;
    for (int i = 0; i < START_MS / 20 && pid != rig->first; i++) {
        pid = rig_ask_pid(rig);
        if (pid != rig->first)
            usleep(20000);
    }
    return pid == rig->first ? 0 : pid < 0 ? (int)pid : -EADDRINUSE;
}

int rig_begin(struct rig *rig, const char *lines)
{
    int result = rig_init(rig);

    if (!result)
        result = rig_settings(rig, lines);
    return result ? result : rig_start(rig);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

void rig_finish(struct rig *rig)
{
    process_free(rig->process);
    if (rig->folder[0])
        nftw(rig->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *rig = (struct rig){.port = 0};
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

int rig_fetch(const struct transport_target *target, const char *path, char **body)
{
    char request[1024];
    struct client *c = client_connect(target, FETCH_MS);
    const struct answer *answer = NULL;
    int error;

    if (!c)
        return -errno;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    error = client_send_text(c, request);
    if (!error)
        answer = client_receive(c, &error);
    if (answer)
        error = answer->status;
    if (answer && body)
        *body = strdup(answer->body ? answer->body : "");
    client_close(c);
    return error;
}

long rig_fetch_number(const struct transport_target *target, const char *path)
{
    char *body = NULL, *end = NULL;
    long number = rig_fetch(target, path, &body);

    if (number == 200) {
        number = strtol(body, &end, 10);
        if (end == body || *end != '\n')
            number = -EPROTO;
    } else if (number > 0) {
        number = -EPROTO;
    }
    free(body);
    return number;
}

pid_t rig_ask_pid(const struct rig *rig)
{
    return (pid_t)rig_fetch_number(&rig->http, "/pid");
}

/* ---- restarts -------------------------------------------------------------------------------------------------- */

/* What the log said last with these words: "... process 4711 serves ...". */
static pid_t logged_successor(const struct rig *rig, const char *words)
{
    char *line = process_find_line(rig->process, words);
    const char *at = line ? strstr(line, "process ") : NULL;
    pid_t pid = at ? (pid_t)atol(at + strlen("process ")) : -EPROTO;

    free(line);
    return pid;
}

/* The line of this process: that of the one before it, which has been replaced by the page, may come later than the
 * page's answer. */
pid_t rig_restart_by_signal(struct rig *rig)
{
    char words[64];

    snprintf(words, sizeof(words), " %d: server restarted: process ", (int)rig->pid);
    process_mark(rig->process);
    if (kill(rig->pid, SIGUSR1) < 0)
        return -errno;
    if (process_wait_line(rig->process, words, RESTART_MS) < 0)
        return -ETIMEDOUT;
    rig->pid = logged_successor(rig, words);
    return rig->pid;
}

pid_t rig_restart_by_api(struct rig *rig)
{
    long result = rig_fetch_number(&rig->http, "/restart");

    if (result < 0)
        return (pid_t)result;
    rig->pid = rig_ask_pid(rig);
    return rig->pid;
}

int rig_page(const struct rig *rig, const char *path, char **body)
{
    char whole[1024];

    snprintf(whole, sizeof(whole), "/debug/admin%s", path);
    return rig_fetch(&rig->http, whole, body);
}

pid_t rig_restart_by_page(struct rig *rig)
{
    char *body = NULL;
    int status = rig_page(rig, "/restart", &body);

    if (status != 200)
        fprintf(stderr, "the page does not restart: %d %s\n", status, body ? body : "");
    free(body);
    if (status != 200)
        return status < 0 ? status : -EPROTO;
    rig->pid = rig_ask_pid(rig);
    return rig->pid;
}

bool rig_is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return getenv("GF_TEST_PROGRAMS") != NULL;
#endif
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

struct process_facts {
    char state;
    int parent, group;
};

static bool read_facts(const char *pid, struct process_facts *facts)
{
    char path[300], text[1024] = "";
    FILE *file;
    const char *at;

    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    at = strrchr(text, ')'); /* a name may contain anything */
    return at && sscanf(at + 1, " %c %d %d", &facts->state, &facts->parent, &facts->group) == 3;
}

/* Processes of this group that live, or (group 0) zombies of this parent. */
static int count(pid_t group, pid_t parent)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    struct process_facts facts;
    int found = 0;

    while (folder && (entry = readdir(folder)))
        if (isdigit((unsigned char)entry->d_name[0]) && read_facts(entry->d_name, &facts))
            found += group ? facts.group == group && facts.state != 'Z' && facts.state != 'X'
                           : facts.parent == parent && facts.state == 'Z';
    if (folder)
        closedir(folder);
    return found;
}

int rig_count_processes(const struct rig *rig)
{
    return count(rig->first, 0);
}

int rig_count_zombies(pid_t parent)
{
    return count(0, parent);
}

int rig_wait_reaped(pid_t parent, int timeout_ms)
{
    for (int waited = 0; rig_count_zombies(parent); waited += 20) {
        if (waited >= timeout_ms)
            return -ETIMEDOUT;
        usleep(20000);
    }
    return 0;
}

pid_t rig_find_child(pid_t parent)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    struct process_facts facts;
    pid_t found = 0;

    while (folder && (entry = readdir(folder)))
        if (isdigit((unsigned char)entry->d_name[0]) && read_facts(entry->d_name, &facts) && facts.parent == parent &&
            atol(entry->d_name) > found)
            found = (pid_t)atol(entry->d_name);
    if (folder)
        closedir(folder);
    return found;
}

static bool has_stopped(pid_t pid)
{
    char path[64], task[320];
    struct process_facts facts;
    struct dirent *entry;
    bool stopped = true;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    folder = opendir(path);
    while (folder && stopped && (entry = readdir(folder))) {
        snprintf(task, sizeof(task), "%d/task/%.200s", (int)pid, entry->d_name);
        stopped = !isdigit((unsigned char)entry->d_name[0]) || !read_facts(task, &facts) || facts.state == 'T';
    }
    if (folder)
        closedir(folder);
    return stopped;
}

int rig_stop(pid_t pid)
{
    if (kill(pid, SIGSTOP) < 0)
        return -errno;
    for (int waited = 0; !has_stopped(pid); waited++) {
        if (waited >= 10000)
            return -ETIMEDOUT;
        usleep(1000);
    }
    return 0;
}

int rig_wait_processes(const struct rig *rig, int wanted, int timeout_ms)
{
    for (int waited = 0; rig_count_processes(rig) != wanted; waited += 20) {
        if (waited >= timeout_ms)
            return -ETIMEDOUT;
        usleep(20000);
    }
    return 0;
}
