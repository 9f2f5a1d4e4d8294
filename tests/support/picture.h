/*
 * What a PNG shows, as far as a test can tell: its size, and whether it shows anything.
 *
 * Owns: nothing. Thread: any.
 */
#ifndef GF_TESTS_SUPPORT_PICTURE_H
#define GF_TESTS_SUPPORT_PICTURE_H

#include <stddef.h>

struct picture {
    int width, height;
    int colours;     /* different ones, 256 at most: more are counted as 256 */
    double majority; /* the share of the pixels that have the first pixel's colour, 0..1 */
};

/* Of 8 bits a channel, RGB or RGBA, not interlaced, as browsers make them. 0; -EPROTO: another one, or none; -ENOMEM.
 */
int picture_read(const void *data, size_t size, struct picture *ret_picture);

#endif
