/*
 * A soak: see soak.h.
 *
 * At most three generations of a server live, and a restart that would make a fourth waits for the oldest. So that this
 * wait is not taken for the restart, the soak waits itself until one more generation may live; every tenth time it asks
 * at once, to see the server wait.
 */
#include "tests/support/soak.h"

#include "tests/support/rig.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    GENERATIONS = 3,
    BEHIND_MAX = 16, /* more than the server allows */
    ASK_AT_ONCE_EVERY = 10,
    PATIENCE_MS = 60000,
    FIRST_ANSWER_MS = 5000,
    AGE_MS = 3000, /* of a generation that is looked at: its clients have come, its first memory is taken */
    LOOK_MS = 500,
    PROGRESS_EVERY = 50,
};

struct soak {
    const struct soak_options *options;
    struct soak_result *result;
    struct rig rig;
    struct soak_clients *clients;
    char sockets[300];
    pid_t behind[BEHIND_MAX]; /* who lives behind the one that serves, the oldest first */
    int behind_count;
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- the server ------------------------------------------------------------------------------------------------ */

static int start_server(struct soak *s)
{
    char port[16], https_port[16], certificate[300], key[300], runtime[300];
    const char *arguments[] = {port, https_port, certificate, key, NULL};
    const char *environment[] = {runtime, NULL};
    struct process_options options = {
        .program = "soak_server", .arguments = arguments, .environment = environment, .folder = s->rig.folder};

    snprintf(port, sizeof(port), "%d", s->rig.port);
    snprintf(https_port, sizeof(https_port), "%d", s->rig.https_port);
    snprintf(certificate, sizeof(certificate), "%s/server.crt", s->rig.folder);
    snprintf(key, sizeof(key), "%s/server.key", s->rig.folder);
    snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s", s->rig.folder); /* nobody else's sockets there */
    snprintf(s->sockets, sizeof(s->sockets), "%s/gf", s->rig.folder);
    s->rig.process = process_start(&options);
    if (!s->rig.process)
        return -errno;
    s->rig.first = s->rig.pid = process_pid(s->rig.process);
    return process_wait_line(s->rig.process, "https server started listening", PATIENCE_MS);
}

/* ---- generations ----------------------------------------------------------------------------------------------- */

/* Takes those that have gone off the list. */
static void forget_gone(struct soak *s)
{
    int kept = 0;

    for (int i = 0; i < s->behind_count; i++) {
        if (process_wait_pid_gone(s->behind[i], 0) == -ETIMEDOUT)
            s->behind[kept++] = s->behind[i];
        else if (s->behind[i] != s->rig.first) /* that one is the process's own to reap */
            waitpid(s->behind[i], NULL, WNOHANG);
    }
    s->behind_count = kept;
}

static int wait_for_oldest(struct soak *s)
{
    uint64_t began = now_us();
    int result = 0;

    forget_gone(s);
    while (s->behind_count >= GENERATIONS - 1 && !result) {
        result = process_wait_pid_gone(s->behind[0], PATIENCE_MS);
        forget_gone(s);
    }
    latency_add(&s->result->awaited, now_us() - began);
    return result;
}

/* ---- restarts -------------------------------------------------------------------------------------------------- */

/* Asks the page, and waits for its answer: the new pid, or a negative errno. */
static pid_t ask_by_page(struct soak *s)
{
    char *body = NULL;
    int status = rig_page(&s->rig, "/restart", &body), old = 0, fresh = -EPROTO;

    if ((status != 200 || !body || sscanf(body, "server restarted: %d -> %d", &old, &fresh) != 2)) {
        fresh = status < 0 ? status : -EPROTO;
        if (!s->result->refusal[0])
            snprintf(s->result->refusal, sizeof(s->result->refusal), "status %d: %.400s", status, body ? body : "");
    }
    free(body);
    if (fresh > 0)
        s->rig.pid = fresh;
    return fresh;
}

/* By the page and by the signal in turns. */
static int restart(struct soak *s, int number)
{
    pid_t old = s->rig.pid, fresh, seen;
    bool full;
    uint64_t asked, told, first;

    forget_gone(s);
    full = s->behind_count >= GENERATIONS - 1;
    asked = soak_clients_restart_begin(s->clients, old);
    fresh = number % 2 ? ask_by_page(s) : rig_restart_by_signal(&s->rig);
    told = now_us();
    soak_clients_restart_end(s->clients);
    if (fresh <= 0) {
        s->result->refused++;
        return process_wait_pid_gone(old, 0) == 0 ? -ESRCH : 0;
    }
    if (s->behind_count < BEHIND_MAX)
        s->behind[s->behind_count++] = old;
    s->result->restarts++;
    latency_add(full ? &s->result->queued : &s->result->told, told - asked);
    first = soak_clients_first_answer(s->clients, &seen, FIRST_ANSWER_MS);
    if (!first || seen != fresh)
        s->result->lost_sight++;
    else if (!full)
        latency_add(&s->result->seen, first - asked);
    return 0;
}

static int look(struct soak *s, int which, int generation)
{
    usleep(AGE_MS * 1000);
    return generation_look(&s->result->looks[which], generation, s->rig.pid, s->sockets, LOOK_MS);
}

static void tell_progress(struct soak *s, int done)
{
    FILE *file = s->options->progress;

    if (!file || (done % PROGRESS_EVERY && done != s->options->restarts))
        return;
    fprintf(file, "  ... %d restarts, %d refused, %llu failures\n", done, s->result->refused,
            (unsigned long long)soak_clients_failures(s->clients));
    fflush(file);
}

static int restart_all(struct soak *s)
{
    int n = s->options->restarts, result = look(s, SOAK_FIRST, 1);

    for (int i = 1; i <= n && !result; i++) {
        usleep((useconds_t)s->options->pause_ms * 1000);
        if (i % ASK_AT_ONCE_EVERY)
            result = wait_for_oldest(s);
        if (!result)
            result = restart(s, i);
        if (!result && i == 1)
            result = look(s, SOAK_SECOND, 2);
        else if (!result && i == n / 2)
            result = look(s, SOAK_MIDDLE, i + 1);
        else if (!result && i == n)
            result = look(s, SOAK_LAST, i + 1);
        tell_progress(s, i);
    }
    return result;
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

/* Lines of the log that tell of something unusual; a request that crossed a close, a connection that was cut. */
static bool is_unusual(const char *line)
{
    const char *crossed = strstr(line, " requests crossed a close, "), *cut = strstr(line, " were cut");

    if (strstr(line, "[WARN]") || strstr(line, "[ERRO]"))
        return true;
    return crossed && cut && (strncmp(crossed - 2, " 0", 2) || strncmp(cut - 2, " 0", 2));
}

static void read_log(struct soak *s)
{
    char *log = process_output(s->rig.process), *rest = log;

    for (char *line; log && (line = strsep(&rest, "\n"));) {
        if (!is_unusual(line))
            continue;
        if (s->result->warning_count < (int)(sizeof(s->result->warnings) / sizeof(s->result->warnings[0])))
            snprintf(s->result->warnings[s->result->warning_count], sizeof(s->result->warnings[0]), "%s", line);
        s->result->warning_count++;
    }
    free(log);
}

static int soak(struct soak *s)
{
    struct soak_clients_options options = {.http = s->rig.http, .https = s->rig.https, .kinds = s->options->kinds};
    uint64_t began = now_us();
    int result;

    s->clients = soak_clients_start(&options);
    if (!s->clients)
        return -errno;
    result = soak_clients_wait_all(s->clients, PATIENCE_MS);
    if (!result)
        result = restart_all(s);
    s->result->seconds = (double)(now_us() - began) / 1e6;
    soak_clients_stop(s->clients, s->result->outcomes);
    if (!result)
        rig_wait_processes(&s->rig, 1, PATIENCE_MS / 2);
    s->result->left = rig_count_processes(&s->rig);
    return result;
}

int soak_run(const struct soak_options *options, struct soak_result *result)
{
    struct soak s = {.options = options, .result = result};
    int error;

    *result = (struct soak_result){.restarts = 0};
    error = rig_init(&s.rig);
    if (!error)
        error = start_server(&s);
    if (!error)
        error = soak(&s);
    if (s.rig.process && process_stop(s.rig.process) < 0 && !error)
        error = -ETIMEDOUT;
    if (s.rig.process)
        read_log(&s);
    soak_clients_free(s.clients);
    rig_finish(&s.rig);
    return error;
}
