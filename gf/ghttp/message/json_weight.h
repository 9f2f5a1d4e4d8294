/*
 * The memory that JSON takes as a tree, which is up to forty times its text ("0,0,0,0"): weighed before it is parsed.
 *
 * Thread: any.
 */
#ifndef GF_GHTTP_MESSAGE_JSON_WEIGHT_H
#define GF_GHTTP_MESSAGE_JSON_WEIGHT_H

#include <stdbool.h>
#include <stddef.h>

/* As much as all else of a request may take (GF_REQUEST_ARENA_MAX). */
#define GF_JSON_TREE_MAX ((size_t)64 << 20)

/* Whether the tree that cJSON makes of this text, or of what of it is JSON, takes no more than max bytes. */
bool gf_json_weighs_at_most(const char *text, size_t size, size_t max);

#endif
