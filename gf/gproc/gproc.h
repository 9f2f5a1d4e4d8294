/**
 * @file gproc.h
 * Processes: who this one is, its signals, its children, and messages to and from others.
 *
 * Functions that return int return 0 or a negative errno, and write their outputs only on success.
 */
#ifndef GF_GPROC_H
#define GF_GPROC_H

#include <gf/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

GF_BEGIN_DECLS

/* ---- this process ---------------------------------------------------------------------------------- */

/** The id of this process. Thread: any thread. */
GF_API pid_t gproc_pid(void);

/** The id of the process that started this one by a restart; where there was none, this process' own id. Thread: any
 * thread. */
GF_API pid_t gproc_ppid(void);

/** Whether a restart of the library started this process. Thread: any thread. */
GF_API bool gproc_is_child(void);

/** When this process was started: milliseconds since 1970-01-01 UTC. Thread: any thread. */
GF_API int64_t gproc_start_time(void);

/** For how long this process has run: milliseconds of a clock that nobody sets. Thread: any thread. */
GF_API int64_t gproc_uptime(void);

/**
 * Finds an executable: by its path (absolute, or from the working directory), else in $PATH.
 *
 * @param name what to look for; only a name without a slash is looked for in $PATH.
 * @param buffer takes the absolute path; symbolic links in it are left as they are.
 * @param size of the buffer in bytes.
 * @return 0; -ENOENT: there is none; -EACCES: it is no regular file, or not executable for this process;
 *         -ENAMETOOLONG: the path does not fit; -EINVAL: name is empty or NULL.
 * Thread: any thread.
 */
GF_API int gproc_search_binary(const char *name, char *buffer, size_t size);

/* ---- signals --------------------------------------------------------------------------------------- */

/** What is called for a signal: on a thread of the library, not in a signal context. */
typedef void gproc_signal_handler(int signo, void *arg);

/**
 * Calls a handler each time this process gets a signal. All handlers of the process run one after the other
 * on one thread, those of one signal in the order in which they were registered; a signal that comes while
 * they run is kept. Signals of the same number that come close together may be one call.
 *
 * @param signo the signal; not one that cannot be caught or that the process raises by its own fault (SIGSEGV …).
 * @param handler may block; it delays only other signal handlers.
 * @param arg given to the handler; NULL is fine.
 * @return 0; -EINVAL: not a signal that can be handled; -ENOSPC: 128 handlers are registered; -EMFILE, -EAGAIN …:
 *         the thread could not be started.
 * Thread: any thread; a handler too.
 */
GF_API int gproc_on_signal(int signo, gproc_signal_handler *handler, void *arg);

/**
 * Takes back one gproc_on_signal() with the same arguments. When this was the last handler of the signal, the
 * signal does again what it did before the first one. Does not return while the handler is running, except to
 * that handler itself: what arg points to may be freed then.
 *
 * @return 0; -ENOENT: there is no such handler.
 * Thread: any thread; a handler too.
 */
GF_API int gproc_off_signal(int signo, gproc_signal_handler *handler, void *arg);

/* ---- children -------------------------------------------------------------------------------------- */

/** A child process. Any thread may use it; one thread frees it when no other uses it. */
typedef struct gproc_process gproc_process;

/**
 * Describes a child, which gproc_process_start() then starts.
 *
 * @param path the executable; a name without a slash is looked for in $PATH.
 * @param argv ends with NULL; copied. NULL: the path alone.
 * @param envp ends with NULL; copied. NULL: the environment of this process when it is started.
 * @return to be freed with gproc_process_free(); NULL with errno set: EINVAL, ENOMEM.
 */
GF_API gproc_process *gproc_process_new(const char *path, char *const argv[], char *const envp[]);

/** Frees the object; a child that still runs goes on, one that has ended is reaped. NULL is fine. */
GF_API void gproc_process_free(gproc_process *p);

/**
 * Starts the child: with standard input, output and error of this process and no other descriptor, all
 * signals as they are by default, none blocked. Its cost does not depend on this process' memory.
 *
 * @return 0, also when it was started before; else the negative errno of the search or the exec.
 */
GF_API int gproc_process_start(gproc_process *p);

/**
 * Waits until the child has ended and reaps it.
 *
 * @param timeout_ms how long, in milliseconds; 0: only look; negative: without a limit.
 * @param ret_status the status as waitpid(2) has it, for WIFEXITED() and its kind; NULL is fine. After
 *        gproc_manager_add() of a process which is no child of this one: -1, only its parent is told.
 * @return 0, at once when it ended before; -ETIMEDOUT; -ECHILD: not started, or reaped behind the library's back.
 */
GF_API int gproc_process_wait(gproc_process *p, int timeout_ms, int *ret_status);

/** Sends a signal to exactly this process, whoever may have its number by now. 0; -ESRCH: not started, or ended;
 * -EINVAL, -EPERM. */
GF_API int gproc_process_signal(gproc_process *p, int signo);

/** Ends the process with SIGKILL; gproc_process_wait() is still to be called. Results as gproc_process_signal(). */
GF_API int gproc_process_kill(gproc_process *p);

/** Its id; 0: not started. */
GF_API pid_t gproc_process_pid(gproc_process *p);

/** Children that are signalled and waited for together, at most 1,024. Any thread may use it. */
typedef struct gproc_manager gproc_manager;

/** An empty manager; NULL: no memory. */
GF_API gproc_manager *gproc_manager_new(void);

/** Frees the manager and its process objects, and leaves the processes alone. NULL is fine. */
GF_API void gproc_manager_free(gproc_manager *m);

/**
 * Starts a child that belongs to the manager; arguments as for gproc_process_new().
 *
 * @param ret_process the manager's object, until it is removed or the manager freed; NULL is fine.
 * @return 0; -ENOSPC: the manager is full; or why it did not start.
 */
GF_API int gproc_manager_spawn(gproc_manager *m, const char *path, char *const argv[], char *const envp[],
                               gproc_process **ret_process);

/** Adds a process that runs already, of this user. 0; -ESRCH: there is none; -EEXIST: it is in the manager; -ENOSPC. */
GF_API int gproc_manager_add(gproc_manager *m, pid_t pid);

/** Takes a process out and frees its object. 0; -ENOENT. */
GF_API int gproc_manager_remove(gproc_manager *m, pid_t pid);

/** The process with this id; NULL: none, errno ENOENT. */
GF_API gproc_process *gproc_manager_find(gproc_manager *m, pid_t pid);

/** How many processes it has, ended ones that were not removed included. */
GF_API size_t gproc_manager_count(gproc_manager *m);

/** Sends a signal to each process that runs. 0, or the first error; the others get it all the same. */
GF_API int gproc_manager_signal_all(gproc_manager *m, int signo);

/** SIGKILL to each process that runs. Results as gproc_manager_signal_all(). */
GF_API int gproc_manager_kill_all(gproc_manager *m);

/** Waits until all of them have ended. timeout_ms is for all together. 0; -ETIMEDOUT: some still run. */
GF_API int gproc_manager_wait_all(gproc_manager *m, int timeout_ms);

/**
 * Runs a command by /bin/sh -c and collects what it writes to standard output and standard error, together.
 * Its standard input is /dev/null. It ends when the shell does: what the shell left in the background goes on,
 * its later output is lost.
 *
 * @param command never build it from what a client sent.
 * @param ret_output what was written and a 0 after it; to be freed with free(). NULL: not wanted.
 * @param max_output bytes; more than this is an error.
 * @param timeout_ms milliseconds; negative: without a limit.
 * @param ret_status as waitpid(2) has it; NULL is fine.
 * @return 0, whatever the command's status was; -EMSGSIZE: it wrote too much; -ETIMEDOUT: after both the shell
 *         and what it started were killed. Otherwise why it did not start.
 * Thread: any thread; blocks.
 */
GF_API int gproc_shell_exec(const char *command, char **ret_output, size_t max_output, int timeout_ms, int *ret_status);

/** Runs a command by /bin/sh -c with this process' standard input, output and error, and waits for its end. ret_status
 * as above. */
GF_API int gproc_shell_run(const char *command, int *ret_status);

/* ---- messages between processes ---------------------------------------------------------------------- */

/** Bytes of a message at most: it travels in one packet. */
#define GPROC_MESSAGE_MAX 65536
/** Bytes of a group's name at most. */
#define GPROC_GROUP_MAX 64

/** A message that was received; immutable. */
typedef struct gproc_message gproc_message;

/**
 * Sends a message to another process of this user and waits until that process has it in its queue.
 *
 * @param pid the receiver; this process itself is fine.
 * @param group under which gproc_receive() there finds it; NULL is "".
 * @param data size bytes, which may be 0.
 * @return 0: queued there; -ESRCH: the process does not exist or does not listen; -ENOBUFS: its queue is full;
 *         -EMSGSIZE: more than GPROC_MESSAGE_MAX or GPROC_GROUP_MAX; -ETIMEDOUT: no answer for five seconds;
 *         -EPERM: the folder of the sockets, or who listens there, is not this user's; -EINVAL: no data.
 * Thread: any thread; blocks.
 */
GF_API int gproc_send(pid_t pid, const char *group, const void *data, size_t size);

/**
 * Begins to listen, so that messages are queued before the first gproc_receive(). Up to 1,000 messages of a
 * group, 64 groups and 16 MB in all are kept; what does not fit is refused to its sender.
 *
 * The socket is in $XDG_RUNTIME_DIR/gf, or where that is not set to a folder of this user alone, in
 * /tmp/gf-<uid>; it is removed at exit.
 *
 * @return 0, also when it listens already; -EPERM: the folder exists and is not a folder of this user with the
 *         mode 0700; -EADDRINUSE: another process has this one's socket; or what the system says.
 * Thread: any thread.
 */
GF_API int gproc_listen(void);

/**
 * Takes the oldest message of a group; begins to listen when nobody has asked for that before.
 *
 * @param group NULL is "".
 * @param timeout_ms how long to wait for one, in milliseconds; 0: do not wait; negative: without a limit.
 * @return to be freed with gproc_message_free(); NULL with errno set: ETIMEDOUT; EMSGSIZE: the name is too long;
 *         or as gproc_listen() says.
 * Thread: any thread; blocks.
 */
GF_API gproc_message *gproc_receive(const char *group, int timeout_ms);

/** NULL is fine. */
GF_API void gproc_message_free(gproc_message *message);

/** The process that sent it: the kernel says so, not the message. */
GF_API pid_t gproc_message_sender(const gproc_message *message);

/** The group's name; never NULL, as long as the message. */
GF_API const char *gproc_message_group(const gproc_message *message);

/** The data, as long as the message; after the last byte comes a 0 which ret_size (NULL is fine) does not count. */
GF_API const void *gproc_message_data(const gproc_message *message, size_t *ret_size);

GF_END_DECLS

#endif
