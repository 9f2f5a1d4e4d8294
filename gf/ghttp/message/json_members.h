/*
 * The members of a JSON object that came as the body, as parameters: texts, numbers and truth values.
 */
#ifndef GF_GHTTP_MESSAGE_JSON_MEMBERS_H
#define GF_GHTTP_MESSAGE_JSON_MEMBERS_H

struct cJSON;
struct ghttp_request;

/* Sets the request's members where its body is a JSON object. 0; -EINVAL: no JSON, or a NUL in a text of it. */
int gf_json_members_parse(struct ghttp_request *r);

/* The member of this name, the last where there are several; NULL: none. The body is parsed already. */
const struct cJSON *gf_json_members_find(const struct ghttp_request *r, const char *name);

/* A member as text; NULL: it is an object, an array or null, or there is no memory. */
const char *gf_json_members_text(struct ghttp_request *r, const struct cJSON *member);

/* Both in one. */
const char *gf_json_members_get(struct ghttp_request *r, const char *name);

#endif
