/*
 * The successor: the new process as the old one sees it, from the check of its executable to its word "ready".
 *
 * Owns: its pidfd, this side of the channel, the reading end of its standard error, and what it last said there.
 * Thread: the state machine's.
 */
#ifndef GF_GHTTP_RESTART_SUCCESSOR_H
#define GF_GHTTP_RESTART_SUCCESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gf_handed;

/* What is kept of its last words. */
#define GF_LAST_WORDS_MAX 2048

struct gf_successor {
    pid_t pid; /* 0: there is none */
    int pidfd; /* -1: there was none to be had */
    int control;
    int standard_error; /* the pipe that it writes to until we trust it; -1: it writes where we write */
    size_t last_words_size;
    char last_words[GF_LAST_WORDS_MAX + 1];
};

/*
 * Finds the executable: path made absolute, or that by which this process was started. 0 and a copy (free()), or a
 * negative errno with a sentence.
 */
int gf_successor_find_executable(const char *path, char **ret_path, char *error, size_t error_size);

/*
 * Starts it as this process was started, with these listeners, or (NULL) all of all serving servers. message is the
 * first it finds on the channel. 0, or a negative errno with a sentence; then nothing runs.
 */
int gf_successor_spawn(struct gf_successor *successor, const char *path, const char *message,
                       const struct gf_handed *listeners, char *error, size_t error_size);

/* Reads what is in its standard error, a pipe full at most, and passes it on to ours. false: it has closed it. */
bool gf_successor_relay(struct gf_successor *successor);

/* Kills it if it lives, reaps it, and says in a sentence how it ended, with its last words. false: it has not ended. */
bool gf_successor_bury(struct gf_successor *successor, bool kill_it, char *text, size_t size);

/* Lets it live: closes what is here of it. */
void gf_successor_release(struct gf_successor *successor);

/* The arguments of this process's start, under the name of what is executed: an array (free()) of texts that stay whose
 * they are. 0 or -ENOMEM. */
int gf_successor_make_arguments(char ***ret_arguments, const char *path);

#endif
