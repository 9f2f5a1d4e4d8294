#include "listeners_json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../gproc/reload.h"
#include "channel.h"
#include "fault.h"

/* Descriptors are small numbers; this is the kernel's own limit (fs.nr_open's default). */
#define FD_MAX 1048576
/* Of a limit of open files, which root can set beyond that. */
#define FD_LIMIT_MAX INT_MAX

/* ---- print ---- */

/* Appends "address#fd" to the list that the server has under its protocol. */
static bool append_listener(struct cJSON *servers, const struct gf_handed_listener *listener)
{
    const char *key = listener->tls ? "https" : "http";
    struct cJSON *server = cJSON_GetObjectItemCaseSensitive(servers, listener->server);
    const char *before;
    char *list;
    bool good;

    if (!server) {
        server = cJSON_AddObjectToObject(servers, listener->server);
        if (!server || !cJSON_AddStringToObject(server, "http", "") || !cJSON_AddStringToObject(server, "https", ""))
            return false;
    }
    before = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(server, key));
    if (!before || asprintf(&list, "%s%s%s#%d", before, *before ? "," : "", listener->address, listener->fd) < 0)
        return false;
    good = cJSON_ReplaceItemInObjectCaseSensitive(server, key, cJSON_CreateString(list));
    free(list);
    return good;
}

/* A number that JSON has no exact form of is none that a system sets: it is left away, and nothing is limited anew. */
static bool append_files(struct cJSON *root, const struct rlimit *files)
{
    struct cJSON *list;

    if (files->rlim_cur > FD_LIMIT_MAX || files->rlim_max > FD_LIMIT_MAX)
        return true;
    list = cJSON_AddArrayToObject(root, "files");
    return list && cJSON_AddItemToArray(list, cJSON_CreateNumber((double)files->rlim_cur)) &&
           cJSON_AddItemToArray(list, cJSON_CreateNumber((double)files->rlim_max));
}

int gf_listeners_json_print(const struct gf_handed *handed, int parent, const struct rlimit *files, char **ret_text)
{
    struct cJSON *root = cJSON_CreateObject(), *servers = NULL;
    char *text = NULL;
    bool good = cJSON_AddNumberToObject(root, "version", gf_fault_version(GF_CHANNEL_VERSION)) &&
                (!parent || cJSON_AddNumberToObject(root, "parent", parent)) &&
                (handed->control < 0 || cJSON_AddNumberToObject(root, "control", handed->control)) &&
                (servers = cJSON_AddObjectToObject(root, "servers"));

    for (size_t i = 0; good && i < handed->count; i++)
        good = append_listener(servers, &handed->listeners[i]);
    if (good && handed->standard_error >= 0)
        good = cJSON_AddNumberToObject(root, "stderr", handed->standard_error) != NULL;
    if (good && handed->keeper >= 0)
        good = cJSON_AddNumberToObject(root, "keeper", handed->keeper) != NULL;
    if (good)
        good = append_files(root, files);
    if (good)
        text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!text)
        return -ENOMEM;
    if (strlen(text) > GF_RELOAD_TEXT_MAX) {
        cJSON_free(text);
        return -E2BIG;
    }
    *ret_text = text;
    return 0;
}

/* ---- parse ---- */

struct parsing {
    struct gf_handed *handed;
    char *error;
    size_t error_size;
};

static int fail(struct parsing *p, int result, const char *what)
{
    snprintf(p->error, p->error_size, "GF_SERVER_RELOAD: %s", what);
    return result;
}

static int fail_at_version(struct parsing *p, const struct cJSON *version)
{
    char what[256], theirs[32] = "none";

    if (cJSON_IsNumber(version))
        snprintf(theirs, sizeof(theirs), "version %.0f", version->valuedouble);
    snprintf(what, sizeof(what),
             "the process before this one is of a library that speaks %s of the restart protocol, this one is of one "
             "that speaks version %d; end the one and start the other in full, once",
             theirs, GF_CHANNEL_VERSION);
    return fail(p, -EPROTO, what);
}

static int parse_fd(const struct cJSON *item, int *ret_fd)
{
    double number = cJSON_IsNumber(item) ? item->valuedouble : -1;

    if (number < 3 || number > FD_MAX || number != (double)(int)number)
        return -EINVAL;
    *ret_fd = (int)number;
    return 0;
}

static bool is_taken(const struct gf_handed *handed, int fd)
{
    if (fd == handed->control || fd == handed->standard_error || fd == handed->keeper)
        return true;
    for (size_t i = 0; i < handed->count; i++)
        if (handed->listeners[i].fd == fd)
            return true;
    return false;
}

/* One "address#fd" of length bytes. */
static int parse_listener(struct parsing *p, const char *server, bool tls, const char *text, size_t length)
{
    struct gf_handed *handed = p->handed;
    struct gf_handed_listener *listener = &handed->listeners[handed->count];
    const char *hash = memrchr(text, '#', length);
    char *end;
    long fd;

    if (!hash || hash == text || (size_t)(hash - text) >= sizeof(listener->address))
        return fail(p, -EINVAL, "an address without \"#descriptor\"");
    fd = strtol(hash + 1, &end, 10);
    if (end != text + length || hash[1] < '0' || hash[1] > '9' || fd < 3 || fd > FD_MAX || is_taken(handed, (int)fd))
        return fail(p, -EINVAL, "a descriptor that cannot be one");
    if (handed->count == GF_HANDED_LISTENERS_MAX)
        return fail(p, -EINVAL, "too many listeners");
    *listener = (struct gf_handed_listener){.tls = tls, .fd = (int)fd};
    memcpy(listener->address, text, (size_t)(hash - text));
    snprintf(listener->server, sizeof(listener->server), "%s", server);
    handed->count++;
    return 0;
}

static int parse_list(struct parsing *p, const char *server, bool tls, const struct cJSON *item)
{
    const char *list = cJSON_GetStringValue(item);

    if (!list)
        return fail(p, -EINVAL, "a server without its list of listeners");
    while (*list) {
        size_t length = strcspn(list, ",");
        int result = parse_listener(p, server, tls, list, length);

        if (result < 0)
            return result;
        list += length + (list[length] == ',');
    }
    return 0;
}

static int parse_servers(struct parsing *p, const struct cJSON *servers)
{
    const struct cJSON *server;

    if (!cJSON_IsObject(servers))
        return fail(p, -EINVAL, "no \"servers\"");
    cJSON_ArrayForEach(server, servers)
    {
        int result;

        if (!server->string || strlen(server->string) >= sizeof(p->handed->listeners->server))
            return fail(p, -EINVAL, "a server's name is too long");
        result = parse_list(p, server->string, false, cJSON_GetObjectItemCaseSensitive(server, "http"));
        if (!result)
            result = parse_list(p, server->string, true, cJSON_GetObjectItemCaseSensitive(server, "https"));
        if (result < 0)
            return result;
    }
    return 0;
}

/* Which must be known first of all: by it a process that speaks another version is told so. */
static int parse_channel(struct parsing *p, const struct cJSON *root)
{
    const struct cJSON *control = cJSON_GetObjectItemCaseSensitive(root, "control");
    const struct cJSON *version = cJSON_GetObjectItemCaseSensitive(root, "version");

    if (!control)
        return 0; /* nobody to be spoken to */
    if (parse_fd(control, &p->handed->control) < 0)
        return fail(p, -EINVAL, "\"control\" is no descriptor");
    if (!cJSON_IsNumber(version) || version->valuedouble != GF_CHANNEL_VERSION)
        return fail_at_version(p, version);
    return 0;
}

static bool has_two_ends_in_one(const struct gf_handed *handed)
{
    int control = handed->control, error = handed->standard_error, keeper = handed->keeper;

    return (error >= 0 && error == control) || (keeper >= 0 && (keeper == control || keeper == error));
}

static int parse_root(struct parsing *p, const struct cJSON *root)
{
    const struct cJSON *standard_error = cJSON_GetObjectItemCaseSensitive(root, "stderr");
    const struct cJSON *keeper = cJSON_GetObjectItemCaseSensitive(root, "keeper");
    int result;

    if (!cJSON_IsObject(root))
        return fail(p, -EINVAL, "no JSON object");
    result = parse_channel(p, root);
    if (result < 0)
        return result;
    if (standard_error && parse_fd(standard_error, &p->handed->standard_error) < 0)
        return fail(p, -EINVAL, "\"stderr\" is no descriptor");
    if (keeper && parse_fd(keeper, &p->handed->keeper) < 0)
        return fail(p, -EINVAL, "\"keeper\" is no descriptor");
    if (has_two_ends_in_one(p->handed))
        return fail(p, -EINVAL, "one descriptor for two ends");
    return parse_servers(p, cJSON_GetObjectItemCaseSensitive(root, "servers"));
}

int gf_listeners_json_parse(const char *text, struct gf_handed *ret_handed, char *error, size_t error_size)
{
    struct gf_handed handed = GF_HANDED_NONE;
    struct parsing parsing = {.handed = &handed, .error = error, .error_size = error_size};
    struct cJSON *root;
    int result;

    handed.listeners = calloc(GF_HANDED_LISTENERS_MAX + 1, sizeof(*handed.listeners));
    if (!handed.listeners)
        return fail(&parsing, -ENOMEM, "no memory");
    root = cJSON_Parse(text);
    result = parse_root(&parsing, root);
    cJSON_Delete(root);
    if (result < 0)
        gf_handed_finish(&handed);
    if (!result || result == -EPROTO)
        *ret_handed = handed;
    return result;
}

void gf_handed_finish(struct gf_handed *handed)
{
    free(handed->listeners);
    handed->listeners = NULL;
    handed->count = 0;
}
