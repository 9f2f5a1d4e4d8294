/*
 * The page that lists a folder: its files and folders, without hidden ones. Thread: the request's own.
 */
#ifndef GF_GHTTP_SERVICE_STATIC_LISTING_H
#define GF_GHTTP_SERVICE_STATIC_LISTING_H

#include <stdbool.h>

struct ghttp_request;

/* Answers with the list of the folder of this descriptor, which is closed in every outcome. links: symbolic links are
 * in it too. 0 or a negative errno: nothing was written. */
int gf_listing_write(struct ghttp_request *r, int fd, bool links);

#endif
