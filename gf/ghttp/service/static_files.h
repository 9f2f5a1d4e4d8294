/*
 * The static service: which folders and bundles a server's files come from (static_config.c), and how a request finds
 * its file in them (static_files.c).
 *
 * Owns: all of it, for as long as the server lives. Thread: set-up before the start; serving any, it is read only then.
 */
#ifndef GF_GHTTP_SERVICE_STATIC_FILES_H
#define GF_GHTTP_SERVICE_STATIC_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "../route/chain.h"

/* Each request may have to look into all of the first; nobody lists more by hand. */
#define GF_STATIC_SEARCH_MAX 16
#define GF_STATIC_PATHS_MAX 64
#define GF_STATIC_REWRITES_MAX 256
#define GF_STATIC_INDEX_MAX 16

/* Where the files of some paths are: in a folder, or embedded in the program. */
struct gf_static_mapping {
    char *prefix;                     /* "/assets", "" for all paths */
    char *folder;                     /* NULL: it is a bundle */
    const struct gres_bundle *bundle; /* NULL: it is a folder */
};

struct gf_static_rewrite {
    char *from, *to;
};

struct gf_static_files {
    struct gf_chain_files hook; /* first: the chain's pointer is ours */
    /* as the program has set them */
    char *search[GF_STATIC_SEARCH_MAX];
    size_t search_count;
    struct gf_static_mapping paths[GF_STATIC_PATHS_MAX]; /* in the order of search */
    size_t path_count;
    struct gf_static_rewrite rewrites[GF_STATIC_REWRITES_MAX];
    size_t rewrite_count;
    /* made of these and of the settings by the start, in the order of search */
    struct gf_static_mapping mappings[GF_STATIC_PATHS_MAX + 2 * GF_STATIC_SEARCH_MAX + 1];
    size_t mapping_count;
    char *index[GF_STATIC_INDEX_MAX];
    size_t index_count;
    bool lists;
    bool links;
};

/* Has the server's start make the service ready, if program or settings ask for it. */
void gf_static_files_attach(ghttp_server *s);

/* What the chain calls. */
void gf_static_files_rewrite(const struct gf_chain_files *files, struct ghttp_request *r);
bool gf_static_files_serve(const struct gf_chain_files *files, struct ghttp_request *r);
bool gf_static_files_has(const struct gf_chain_files *files, struct ghttp_request *r);

#endif
