/*
 * State that goes with the servers from process to process at a restart: memory files and folders that a floor above
 * has for its own ends. What is in them, and how two processes share them while both live, is their owner's business;
 * that the new process finds them, each by its kind and its server's name, is this room's. They go over the channel as
 * descriptors, before the new process starts: a new process that fails has changed nothing here, and the old one still
 * has them.
 *
 * Owns: in a new process, the descriptors that nobody has taken yet. Thread: register before main(); keep, settle and
 * send the state machine's, or before it begins; take any.
 */
#ifndef GF_GHTTP_RESTART_STATE_H
#define GF_GHTTP_RESTART_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp.h>

struct cJSON;

/* Something that each server may have one of. */
struct gf_state_kind {
    const char *name;
    /* The descriptor of the server's, which stays its owner's; it is taken over or made if it is not there yet.
     * -ENOENT: this server has none; another negative errno with a sentence. */
    int (*find)(ghttp_server *s, char *error, size_t error_size);
    struct gf_state_kind *next;
};

/* kind stays where it is for ever. */
void gf_state_register(struct gf_state_kind *kind);

/* ---- the old process ---- */

/* Sends what all servers have that serve or drain over control. 0; or a negative errno with a sentence. */
int gf_state_send(int control, char *error, size_t error_size);

/*
 * For a program that this process executes in its own place: a descriptor in which all of it waits, the caller's, and
 * close-on-exec. -ENOENT: there is nothing; another negative errno with a sentence.
 */
int gf_state_pack(char *error, size_t error_size);

/* ---- the new process ---- */

/* Takes what gf_state_pack() has packed; the descriptor, of a channel, is closed. */
void gf_state_unpack(int fd);

/* A message of gf_state_send() has come with this descriptor, which is taken. */
void gf_state_keep(const struct cJSON *message, int fd);

/* What the process before this one had for this server: a descriptor, the caller's then. -ENOENT. */
int gf_state_take(const char *kind, const char *server);
/* Whether there is one to be taken. */
bool gf_state_waits(const char *kind, const char *server);

/* Has the owners take what is theirs, and closes the rest. 0; or a negative errno with a sentence: a server's state
 * cannot be taken over. */
int gf_state_settle(char *error, size_t error_size);

#endif
