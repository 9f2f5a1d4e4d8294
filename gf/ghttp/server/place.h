/*
 * Places in a program's text: who called a set-up function, and what a handler's function is called. For lists of
 * routes and messages only. Thread: each for itself.
 */
#ifndef GF_GHTTP_SERVER_PLACE_H
#define GF_GHTTP_SERVER_PLACE_H

#include <stddef.h>

#include <gf/ghttp/ghttp.h>

#define GF_PLACE_TEXT_MAX 256

struct gf_place {
    char text[GF_PLACE_TEXT_MAX];    /* "main.c:42", "row 3 of the table at main.c:42"; "" if not known */
    char handler[GF_PLACE_TEXT_MAX]; /* the function's name, or what is known in its place */
};

/* What ghttp_note_place() has said. */
struct gf_place_note {
    const char *handler; /* the argument as the program wrote it */
    const char *file;
    int line;
    int row; /* of the table that the call was given, from 1; 0: it is none of tables */
};

/* Takes the note of the call that is under way, for a call that binds several handlers and notes each again. */
struct gf_place_note gf_place_keep(void);
void gf_place_note(const struct gf_place_note *note);

/* The place noted for the call that is under way, which uses it up. */
void gf_place_take(struct gf_place *place, ghttp_handler *handler);

#endif
