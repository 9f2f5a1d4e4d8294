/*
 * Uploads: the files in a body of multipart/form-data.
 */
#ifndef GF_GHTTP_MESSAGE_UPLOADS_H
#define GF_GHTTP_MESSAGE_UPLOADS_H

#include <stddef.h>

struct ghttp_request;

/* Fills the request's form_fields and uploads from its body, whose Content-Type this is. 0 or a negative errno. */
int gf_uploads_parse(struct ghttp_request *r, const char *content_type);

#endif
