/*
 * Uploads: the files in a body of multipart/form-data.
 */
#ifndef GF_GHTTP_MESSAGE_UPLOADS_H
#define GF_GHTTP_MESSAGE_UPLOADS_H

#include <stddef.h>

struct gf_arena;
struct ghttp_request;

/* What is behind the last slash of either kind; "upload" when that is nothing. No controls, no hidden file. NULL: no
 * memory. */
const char *gf_upload_base_name(struct gf_arena *arena, const char *raw);

/* Fills the request's form_fields and uploads from its body, whose Content-Type this is. 0 or a negative errno. */
int gf_uploads_parse(struct ghttp_request *r, const char *content_type);

#endif
