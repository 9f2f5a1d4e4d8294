/*
 * The page that lists a folder, on the disk or embedded: its files and folders, without hidden ones. Thread: the
 * request's own.
 */
#ifndef GF_GHTTP_SERVICE_STATIC_LISTING_H
#define GF_GHTTP_SERVICE_STATIC_LISTING_H

#include <stdbool.h>

struct ghttp_request;
struct gres_bundle;

/* Answers with the list of the folder of this descriptor, which is closed in every outcome. links: symbolic links are
 * in it too. 0 or a negative errno: nothing was written. */
int gf_listing_write_folder(struct ghttp_request *r, int fd, bool links);
/* The same with the folder of this name ("": all) of a bundle. */
int gf_listing_write_bundle(struct ghttp_request *r, const struct gres_bundle *bundle, const char *name);

#endif
