/*
 * Where uploads are kept: each under a random id of ours, with its name, size and sender in a file beside it. A name
 * that a visitor has sent is never part of a path.
 *
 * Thread: any; the files are what threads and processes share.
 */
#ifndef WEBSITE_UPLOAD_STORE_H
#define WEBSITE_UPLOAD_STORE_H

#include <gf/gf.h>
#include <stdio.h>
#include <time.h>

#define UPLOAD_ID_SIZE 33 /* 32 digits and the end */

struct upload_entry {
    char id[UPLOAD_ID_SIZE];
    char name[256]; /* as the visitor called it: to be escaped */
    char user[128];
    double size; /* bytes */
    time_t at;
};

/* Makes the folders. 0 or a negative errno. Before start. */
int upload_store_open(void);

/* An upload that is coming in, and that nobody sees yet. */
struct upload_incoming {
    char id[UPLOAD_ID_SIZE];
    char name[256];
    double size;
    FILE *file; /* NULL: it is complete */
};

/* Begins one. 0; -ENOSPC, with these others that are coming in too there are maxUploads; or another negative errno. */
int upload_store_begin(struct upload_incoming *upload, const char *name, size_t others);
/* More of it. 0 or a negative errno. */
int upload_store_write(struct upload_incoming *upload, const void *data, size_t size);
/* It is complete. 0 or a negative errno. */
int upload_store_end(struct upload_incoming *upload);
/* Shows a complete one to everybody. 0 or a negative errno. */
int upload_store_keep(struct upload_incoming *upload, const char *user);
/* Nothing is left of one that has not been kept. */
void upload_store_drop(struct upload_incoming *upload);

/* What is kept of this id. 0; -ENOENT, also for what is no id. */
int upload_store_find(const char *id, struct upload_entry *ret_entry);
/* Where its bytes are; the id must have been found. */
void upload_store_path(const char *id, char *ret_path, size_t size);
/* Calls fn for each upload, the newest first. 0 or a negative errno. */
int upload_store_each(void (*fn)(const struct upload_entry *entry, void *arg), void *arg);
/* 0; -ENOENT. */
int upload_store_remove(const char *id);

#endif
