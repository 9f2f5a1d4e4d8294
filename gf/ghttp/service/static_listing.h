/*
 * The page that lists a folder, on the disk or embedded: its files and folders, without hidden ones. Thread: the
 * request's own.
 */
#ifndef GF_GHTTP_SERVICE_STATIC_LISTING_H
#define GF_GHTTP_SERVICE_STATIC_LISTING_H

#include <stdbool.h>

struct ghttp_request;
struct gres_bundle;

/* Where a folder on the disk is, for those of its links that are served: the root, which nothing leads out of, and the
 * name below it ("": the root itself). */
struct gf_listed_folder {
    const char *root, *name;
    bool links; /* symbolic links are in the list too, as far as they stay in the root */
};

/* Answers with the list of the folder of this descriptor, which is closed in every outcome. 0 or a negative errno:
 * nothing was written. */
int gf_listing_write_folder(struct ghttp_request *r, int fd, const struct gf_listed_folder *folder);
/* The same with the folder of this name ("": all) of a bundle. */
int gf_listing_write_bundle(struct ghttp_request *r, const struct gres_bundle *bundle, const char *name);

#endif
