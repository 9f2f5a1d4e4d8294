/*
 * The full restart, where graceful is off: the process finishes its requests, then executes the program anew in its own
 * place. The listeners stay open all the while: whoever connects waits in their queues for the program that comes, or
 * for this one if that cannot be executed.
 *
 * Thread: the state machine's.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gf/glog/glog.h>
#include <gf/glog/logger.h>

#include "../../gproc/reload.h"
#include "../../gproc/signals.h"
#include "../../gproc/start.h"
#include "../engine/engine.h"
#include "../server/registry.h"
#include "error_loan.h"
#include "listeners_json.h"
#include "machine.h"
#include "socket_activation.h"
#include "state.h"
#include "supervisor.h"

/* How long the end of the process waits for a disk to take the last lines of the log files. */
#define LAST_LINES_MS 2000

#define M gf_machine

/* ---- what is left to the program ---- */

/* What the program that is executed finds: variables of its own, and descriptors that stay open for it. */
struct legacy {
    struct gf_handed listeners;
    int state;
    char state_variable[64];
    char *reload_variable;
};

static void collect_listeners(struct gf_handed *handed)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        for (size_t i = 0; gf_server_state(s) == GF_SERVER_DRAINING && i < s->listener_count; i++) {
            const struct gf_listener *from = &s->listeners[i];
            struct gf_handed_listener *to = &handed->listeners[handed->count];

            if (from->fd < 0 || gf_socket_activation_is_of(from->fd) || handed->count == GF_HANDED_LISTENERS_MAX)
                continue;
            *to = (struct gf_handed_listener){.fd = from->fd, .tls = from->tls};
            snprintf(to->server, sizeof(to->server), "%s", s->name);
            snprintf(to->address, sizeof(to->address), "%s", from->address.text);
            handed->count++;
        }
    }
}

/* The listeners stay open, under their numbers: who connects meanwhile waits for the program that is executed. */
static int leave_listeners(struct legacy *legacy)
{
    char *text = NULL;
    int result;

    legacy->listeners.listeners = calloc(GF_HANDED_LISTENERS_MAX, sizeof(*legacy->listeners.listeners));
    if (!legacy->listeners.listeners)
        return -ENOMEM;
    collect_listeners(&legacy->listeners);
    result = gf_listeners_json_print(&legacy->listeners, 0, &gf_start_get()->nofile, &text);
    if (!result && asprintf(&legacy->reload_variable, "%s=%s", GF_RELOAD_VARIABLE, text) < 0)
        result = -ENOMEM;
    cJSON_free(text);
    return result;
}

/* What the servers have in memory stays in a channel that the new program finds. The variable is there in any case: it
 * says that signals wait. */
static void leave_state(struct legacy *legacy)
{
    char error[320] = "";

    legacy->state = gf_state_pack(error, sizeof(error));
    if (legacy->state < 0 && legacy->state != -ENOENT)
        glog_error("restart: %s", error);
    if (legacy->state < 0)
        legacy->state = -1;
    snprintf(legacy->state_variable, sizeof(legacy->state_variable), "%s=%d:%d", GF_STATE_VARIABLE, (int)getpid(),
             legacy->state < 0 ? 0 : legacy->state);
}

static void keep_open(const struct legacy *legacy, bool open)
{
    for (size_t i = 0; i < legacy->listeners.count; i++)
        fcntl(legacy->listeners.listeners[i].fd, F_SETFD, open ? 0 : FD_CLOEXEC);
    if (legacy->state >= 0)
        fcntl(legacy->state, F_SETFD, open ? 0 : FD_CLOEXEC);
}

static void finish_legacy(struct legacy *legacy)
{
    gf_handed_finish(&legacy->listeners);
    free(legacy->reload_variable);
    if (legacy->state >= 0)
        close(legacy->state);
}

/* The environment with these variables more; NULL: no memory. The array is the caller's. */
static char **add_variables(char **environment, const struct legacy *legacy)
{
    size_t count = 0;
    char **all;

    while (environment && environment[count])
        count++;
    all = calloc(count + 3, sizeof(*all));
    if (!all)
        return NULL;
    for (size_t i = 0; i < count; i++)
        all[i] = environment[i];
    all[count++] = legacy->reload_variable;
    all[count] = (char *)legacy->state_variable;
    return all;
}

static int execute(const char *path, char **arguments, char **environment)
{
    struct legacy legacy = {.listeners = GF_HANDED_NONE, .state = -1};
    char **with_legacy = NULL;
    sigset_t waiting;
    int result = leave_listeners(&legacy);

    if (result < 0)
        goto fail;
    leave_state(&legacy);
    result = -ENOMEM;
    with_legacy = add_variables(environment, &legacy);
    if (!with_legacy)
        goto fail;
    keep_open(&legacy, true);
    gf_signals_anew_block(&waiting);
    pthread_sigmask(SIG_BLOCK, &waiting, NULL);
    execve(path, arguments, with_legacy);
    result = -errno;
    keep_open(&legacy, false);
fail:
    free(with_legacy);
    finish_legacy(&legacy);
    return result;
}

/* As this process was started. Returns on failure: a negative errno; then all is as before. */
static int execute_anew(const char *path)
{
    const struct gf_start *start = gf_start_get();
    struct rlimit raised;
    char **arguments, **environment;
    sigset_t none, before;
    int result = gf_successor_make_arguments(&arguments, path);

    if (result < 0)
        return result;
    if (start->cwd_fd >= 0 && fchdir(start->cwd_fd) < 0)
        glog_warning("restart: cannot return to the folder of the start: %s; going on in this one", strerror(errno));
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &before);
    prlimit(0, RLIMIT_NOFILE, &start->nofile, &raised);
    environment = gf_socket_activation_pass();
    result = execute(path, arguments, environment ? environment : start->envp ? start->envp : environ);
    gf_socket_activation_retract();
    free(environment);
    prlimit(0, RLIMIT_NOFILE, &raised, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(arguments);
    return result;
}

/* ---- the state ---- */

/* Nobody comes after us who would let in those that wait. */
static void let_in_who_waits(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        if (!gf_machine_can_resume(s))
            continue;
        gf_engine_resume(&s->service);
        gf_engine_empty(&s->service);
        gf_engine_cease(&s->service);
    }
}

static void end_or_go_on(void)
{
    char reason[512];
    int result;

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING)
            gf_machine_log_drained(s, gf_server_in_flight(s));
    glog_info("all servers shutdown");
    gf_logger_flush_all(LAST_LINES_MS);
    if (gf_machine_flag(&M.shutdown_asked)) /* while a disk or a reader was waited for: this step looks at it first */
        return;
    result = M.executable ? execute_anew(M.executable) : -ENOMEM;
    snprintf(reason, sizeof(reason), "cannot execute \"%s\": %s; serving on", M.executable ? M.executable : "",
             strerror(-result));
    free(M.executable);
    M.executable = NULL;
    gf_machine_resume_all();
    gf_supervisor_failed(reason);
    gf_machine_enter(GF_GRACEFUL_SERVING, gf_machine_serve);
    glog_error("server restart failed: %s", reason);
}

static void drain_to_execute(void)
{
    struct pollfd fds[GF_MACHINE_FDS];

    if (gf_machine_pending_request()) { /* who asked cannot wait for the end: the drain waits for the answer to them */
        char *path = M.executable ? strdup(M.executable) : NULL;

        gf_machine_settle(0, getpid(), "graceful restarts are off: the process ends its requests, then executes anew");
        M.executable = path;
    }
    if (gf_machine_flag(&M.shutdown_asked)) {
        let_in_who_waits();
        gf_machine_close_listeners(false);
        gf_machine_enter(GF_GRACEFUL_DRAINING, gf_machine_drain);
    } else if (!gf_machine_is_answered() && gf_machine_now_ms() < M.deadline_ms) {
        gf_machine_wait_for(fds, GF_MACHINE_FDS, M.deadline_ms);
    } else {
        end_or_go_on();
    }
}

void gf_machine_begin_full_restart(void)
{
    gf_error_loan_end(); /* what is executed knows nothing of it */
    gf_machine_cease_all();
    gf_machine_drain_all(0);
    M.deadline_ms = gf_machine_now_ms() + gf_machine_longest(offsetof(struct gf_settings, graceful_shutdown_timeout));
    gf_machine_enter(GF_GRACEFUL_DRAINING, drain_to_execute);
}
