#include "supervisor.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>
#include <gf/gproc/gproc.h>

#include "../../gproc/start.h"
#include "../engine/engine.h"
#include "../server/registry.h"
#include "../server/server.h"
#include "keeper_link.h"
#include "machine.h"
#include "notify.h"
#include "pid_file.h"
#include "socket_activation.h"

/* What the manager may take to deal with our messages before we leave; it needs milliseconds. */
#define BARRIER_TIMEOUT_MS 5000
/* A shorter watchdog would make us do nothing else. */
#define TICK_MIN_MS 10
/* Of a reason, in one line of a status. */
#define STATUS_MAX 512

static struct {
    bool ready;
    bool handed_over;
    bool stopping;
    int64_t ticked_ms;
} supervisor;

/* ---- pid files ---- */

/* The number to be written: that of the keeper, where there is one. */
static pid_t stable_pid(void)
{
    pid_t keeper = gf_keeper_link_pid();

    return keeper ? keeper : getpid();
}

static void write_pid_files(void)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        const char *path = s->settings.pid_file;
        int result = path[0] && gf_pid_file_read(path) != stable_pid() ? gf_pid_file_write(path, stable_pid()) : 0;

        if (result < 0)
            glog_error("pidFile: cannot write \"%s\": %s", path, strerror(-result));
    }
}

static void remove_pid_files(void)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (s->settings.pid_file[0])
            gf_pid_file_remove(s->settings.pid_file, stable_pid());
}

/* ---- systemd ---- */

static void warn_if(int result, const char *what)
{
    if (result < 0)
        glog_warning("NOTIFY_SOCKET: cannot say %s: %s", what, strerror(-result));
}

/* Where the first process stays, it stays the main process. */
static bool is_main_process_new(void)
{
    return gproc_is_child() && !gf_keeper_link_pid();
}

static unsigned count_serving(void)
{
    unsigned count = 0;

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        count += gf_server_state(s) == GF_SERVER_SERVING;
    return count;
}

static void notify_ready(void)
{
    unsigned count = count_serving();
    const char *plural = count == 1 ? "" : "s";

    if (is_main_process_new())
        warn_if(gf_notify_send("MAINPID=%d\nREADY=1\nSTATUS=process %d serves, %u server%s", (int)getpid(),
                               (int)getpid(), count, plural),
                "READY=1");
    else
        warn_if(gf_notify_send("READY=1\nSTATUS=process %d serves, %u server%s", (int)getpid(), count, plural),
                "READY=1");
}

/* ---- the turns ---- */

void gf_supervisor_ready(void)
{
    supervisor.ready = true;
    supervisor.ticked_ms = gf_machine_now_ms();
    gf_socket_activation_settle();
    gf_socket_activation_store();
    gf_keeper_link_announce();
    write_pid_files();
    notify_ready();
}

void gf_supervisor_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    warn_if(gf_notify_send("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=restarting",
                           now.tv_sec * 1000000LL + now.tv_nsec / 1000),
            "RELOADING=1");
}

void gf_supervisor_handed_over(int successor_pidfd)
{
    supervisor.handed_over = true;
    gf_keeper_link_hand_over(successor_pidfd);
}

/* The new process may have come as far as to call itself the main process. */
void gf_supervisor_failed(const char *reason)
{
    char line[STATUS_MAX];

    if (!supervisor.ready)
        return;
    supervisor.handed_over = false;
    supervisor.ticked_ms = gf_machine_now_ms();
    gf_keeper_link_take_back();
    gf_keeper_link_announce();
    write_pid_files();
    gf_notify_line(reason, line, sizeof(line));
    if (gf_keeper_link_pid())
        warn_if(gf_notify_send("READY=1\nSTATUS=restart failed: %s", line), "that a restart has failed");
    else
        warn_if(gf_notify_send("MAINPID=%d\nREADY=1\nSTATUS=restart failed: %s", (int)getpid(), line),
                "that a restart has failed");
}

void gf_supervisor_stopping(void)
{
    if (!supervisor.ready || supervisor.stopping || supervisor.handed_over)
        return;
    supervisor.stopping = true;
    gf_keeper_link_say("shutdown", getpid());
    warn_if(gf_notify_send("STOPPING=1\nSTATUS=shutting down"), "STOPPING=1");
}

void gf_supervisor_leave(bool replaced)
{
    if (!supervisor.ready)
        return;
    if (replaced) { /* else the manager might see the end of its main process before it has heard of the new one */
        if (!gf_keeper_link_pid())
            warn_if(gf_notify_barrier(BARRIER_TIMEOUT_MS), "BARRIER=1");
        return;
    }
    gf_supervisor_stopping();
    remove_pid_files();
}

/* ---- signs of life ---- */

int64_t gf_supervisor_due_ms(void)
{
    int64_t half = gf_start_get()->activation.watchdog_usec / 2000;

    if (!half || !supervisor.ready || supervisor.handed_over)
        return INT64_MAX;
    return supervisor.ticked_ms + (half < TICK_MIN_MS ? TICK_MIN_MS : half);
}

/* The state machine lives, since it has come here; a worker that does not holds the question, and so the sign, up. */
void gf_supervisor_tick(void)
{
    if (gf_machine_now_ms() < gf_supervisor_due_ms())
        return;
    supervisor.ticked_ms = gf_machine_now_ms();
    gf_engine_probe();
    warn_if(gf_notify_send("WATCHDOG=1"), "WATCHDOG=1");
}
