/*
 * Media types: what a file is, by the extension of its name. Thread: any.
 */
#ifndef GF_GHTTP_MESSAGE_MEDIA_TYPE_H
#define GF_GHTTP_MESSAGE_MEDIA_TYPE_H

/* Of the last extension of the name, whatever its case; application/octet-stream for one that is not known. */
const char *gf_media_type(const char *name);

#endif
