/*
 * GF_SERVER_RELOAD: what the environment variable carries from a process to its successor, GoFrame's key and shape:
 *   {"version":1,"parent":11511,"control":3,"servers":{"s1":{"http":":8100#4,:8200#5","https":""}},"stderr":6,"keeper":7,
 *    "files":[1024,524288]}
 * Without "control" and "parent" it is a process that executes anew in its own place: nobody waits for a word.
 * An address is as configured, the number behind '#' is the listener's descriptor. "files" are the limits of open files
 * with which the first process was started; gf/gproc/reload.c obeys them before main(). Secrets never go there.
 */
#ifndef GF_GHTTP_RESTART_LISTENERS_JSON_H
#define GF_GHTTP_RESTART_LISTENERS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#include "../engine/address.h"

/* Listeners that a process hands over; a sane program has far less. As many on TCP fit into the variable. */
#define GF_HANDED_LISTENERS_MAX 1024

struct gf_handed_listener {
    char server[72];
    char address[GF_ADDRESS_TEXT_MAX];
    bool tls;
    int fd;
    char taker[72]; /* in the new process: the server that has it for TLS now; "": none */
};

struct gf_handed {
    int control;        /* -1: none */
    int standard_error; /* -1: none */
    int keeper;         /* -1: none */
    size_t count;
    struct gf_handed_listener *listeners;
};

#define GF_HANDED_NONE                                                                                                 \
    {                                                                                                                  \
        .control = -1, .standard_error = -1, .keeper = -1                                                              \
    }

/* The variable's value (cJSON_free()), of a parent unless that is 0. 0; -E2BIG: it has no room for so many and long
 * addresses; -ENOMEM. */
int gf_listeners_json_print(const struct gf_handed *handed, int parent, const struct rlimit *files, char **ret_text);

/*
 * Believes nothing: every number must be a descriptor above 2, no two the same. 0, or -EINVAL with a
 * sentence, -EPROTO for another version (ret_handed has the channel then, to say so, and nothing else),
 * -ENOMEM. gf_handed_finish() afterwards.
 */
int gf_listeners_json_parse(const char *text, struct gf_handed *ret_handed, char *error, size_t error_size);
void gf_handed_finish(struct gf_handed *handed);

#endif
