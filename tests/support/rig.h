/*
 * A rig: tests/programs/restart_server with ports, a certificate and a folder of its own, and what a test of restarts
 * asks of it again and again, whichever generation answers.
 *
 * Owns: the folder and the process. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_RIG_H
#define GF_TESTS_SUPPORT_RIG_H

#include "tests/support/process.h"
#include "tests/support/transport.h"

#include <stdbool.h>
#include <sys/types.h>

struct rig {
    char folder[256];
    int port, second_port, https_port; /* of the first server, of the second, of the first over TLS */
    struct transport_target http, https;
    const char *const
        *environment;    /* what the first generation finds beside the test's own; may be set before the start */
    const char *program; /* likewise: NULL is restart_server */
    const char *preface; /* likewise: shell commands that run in its process before it */
    struct process *process;
    pid_t first; /* generation: its number is that of the process group too */
    pid_t pid;   /* of the generation that serves, as far as the rig has heard */
};

/* A folder, ports and settings, and nothing running yet. 0 or a negative errno. rig_finish() in any case. */
int rig_init(struct rig *rig);
/*
 * Writes the settings that the generations from the next one on read: the rig's own (address_1, https_1, address_2,
 * certificate, key, a short gracefulProbation), then these lines, which win. 0 or a negative errno.
 */
int rig_settings(struct rig *rig, const char *lines);
/* Starts the server and waits until it serves. 0 or a negative errno. */
int rig_start(struct rig *rig);
/* rig_init(), rig_settings(lines) and rig_start(). */
int rig_begin(struct rig *rig, const char *lines);
/* Ends all generations and removes the folder. */
void rig_finish(struct rig *rig);

/* GET over a connection of its own, in at most 20 seconds: the status, and the body (allocated) if wanted; or a
 * negative errno. */
int rig_fetch(const struct transport_target *target, const char *path, char **body);
/* The number that is the answer; -errno, or -EPROTO for another answer. */
long rig_fetch_number(const struct transport_target *target, const char *path);
/* Who answers /pid on a new connection. */
pid_t rig_ask_pid(const struct rig *rig);

/* Each restarts the generation that serves, and waits for the outcome: the new pid, or a negative errno. */
pid_t rig_restart_by_signal(struct rig *rig);
pid_t rig_restart_by_api(struct rig *rig);
pid_t rig_restart_by_page(struct rig *rig);
/* The page of the admin, below /debug/admin: its status, and what it says (allocated). */
int rig_page(const struct rig *rig, const char *path, char **body);

/* Whether the servers are built with a sanitizer, which itself needs descriptors, and memory, to come to its end. */
bool rig_is_sanitized(void);

/* Processes of the group that live, zombies not counted; zombies that are children of this process. */
int rig_count_processes(const struct rig *rig);
int rig_count_zombies(pid_t parent);
/* Until this parent has reaped all of its children that have ended: 0 or -ETIMEDOUT. */
int rig_wait_reaped(pid_t parent, int timeout_ms);
/* The child of this process that was started last; 0: it has none. */
pid_t rig_find_child(pid_t parent);
/* Stops this process (SIGSTOP), and waits until none of its threads runs any more: kill() returns before that. 0 or
 * -ETIMEDOUT. */
int rig_stop(pid_t pid);
/* Waits until exactly so many processes of the group live. 0 or -ETIMEDOUT. */
int rig_wait_processes(const struct rig *rig, int count, int timeout_ms);

#endif
