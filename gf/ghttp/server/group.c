/*
 * Groups: a prefix and middleware that several routes have in common. A group is only there while the program sets
 * its server up; what stays are the routes, with their whole patterns and their middleware.
 *
 * Owns nothing: groups are in the arena of the server's stages.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../route/pattern.h"
#include "bind.h"
#include "place.h"

struct ghttp_group {
    ghttp_server *server;
    const char *path;                 /* "/api", or "" */
    const char *domain;               /* "@example.org", or "" */
    const struct gf_step *middleware; /* never changed in place: the routes bound so far have it too */
    size_t middleware_count;
};

/* A pattern in its three parts, which point into it. */
struct parts {
    const char *method, *path, *domain;
    int method_size, path_size; /* "GET:" and "/path"; the domain, "@example.org", is the rest */
};

/* ---- patterns ---- */

static void split(const char *pattern, struct parts *parts)
{
    const char *path = pattern, *at;

    while (gf_ascii_is_letter(*path))
        path++;
    path = *path == ':' ? path + 1 : pattern;
    parts->method = pattern;
    parts->method_size = (int)(path - pattern);
    while (*path == ' ')
        path++;
    at = strrchr(path, '@');
    parts->path = path;
    parts->domain = at && !strchr(at, '/') ? at : path + strlen(path);
    parts->path_size = (int)(parts->domain - path);
}

/* The whole pattern of one inside the group; NULL, with the message on the server. */
static const char *compose(const ghttp_group *g, const char *call, const char *method, const char *pattern)
{
    struct parts parts;
    const char *whole;

    if (strnlen(pattern, GF_PATTERN_SIZE_MAX + 1) > GF_PATTERN_SIZE_MAX) {
        gf_server_fail(g->server, -EINVAL, "%s: a pattern is longer than 4,096 bytes", call);
        return NULL;
    }
    split(pattern, &parts);
    if (*method && parts.method_size > 0) {
        gf_server_fail(g->server, -EINVAL,
                       "%s: pattern \"%.200s\": the call says the method; patterns with one are for ghttp_group_bind()",
                       call, pattern);
        return NULL;
    }
    if (parts.path_size > 0 && parts.path[0] != '/') {
        gf_server_fail(g->server, -EINVAL, "%s: pattern \"%.200s\": the path must begin with '/'", call, pattern);
        return NULL;
    }
    if (*g->domain && *parts.domain) {
        gf_server_fail(g->server, -EINVAL, "%s: pattern \"%.200s\": the group is for \"%.200s\" already", call, pattern,
                       g->domain);
        return NULL;
    }
    whole = gf_arena_printf(g->server->stages->arena, "%s%.*s%s%.*s%s%s", method, parts.method_size, parts.method,
                            *g->path || parts.path_size ? g->path : "/", parts.path_size, parts.path, g->domain,
                            parts.domain);
    if (!whole)
        gf_server_fail(g->server, -ENOMEM, "%s: out of memory", call);
    return whole;
}

/* ---- groups ---- */

/* A group whose pattern is whole ("/api/users@example.org"), with the middleware of another one. */
static ghttp_group *new_group(ghttp_server *s, const char *call, const char *pattern, const ghttp_group *outer)
{
    struct gf_arena *arena = s->stages->arena;
    struct gf_pattern parsed;
    struct parts parts;
    const char *reason = "out of memory";
    int result = gf_pattern_parse(&parsed, arena, pattern, &reason);
    ghttp_group *g = result ? NULL : gf_arena_alloc(arena, sizeof(*g));

    if (!g) {
        gf_server_fail(s, result, "%s: prefix \"%.200s\": %s", call, pattern, reason);
        return NULL;
    }
    split(parsed.text, &parts);
    *g = (ghttp_group){
        .server = s,
        .path = strcmp(parsed.path, "/") != 0 ? parsed.path : "",
        .domain = parts.domain,
        .middleware = outer ? outer->middleware : NULL,
        .middleware_count = outer ? outer->middleware_count : 0,
    };
    return g;
}

/* A prefix has no method, and nothing can follow a '*'. */
static bool is_prefix(const char *prefix)
{
    return prefix && prefix[0] == '/' && !strchr(prefix, '*');
}

ghttp_group *ghttp_server_group(ghttp_server *s, const char *prefix)
{
    static const char call[] = "ghttp_server_group()";

    if (gf_server_check_new(s, call) < 0 || !gf_bind_stages(s, call))
        return NULL;
    if (!is_prefix(prefix)) {
        gf_server_fail(s, -EINVAL, "%s: \"%.200s\" is no prefix; \"/path\" or \"/path@domain\" is", call,
                       prefix ? prefix : "");
        return NULL;
    }
    return new_group(s, call, prefix, NULL);
}

ghttp_group *ghttp_group_group(ghttp_group *g, const char *prefix)
{
    static const char call[] = "ghttp_group_group()";
    const char *whole;

    if (!g || gf_server_check_new(g->server, call) < 0)
        return NULL;
    if (!is_prefix(prefix)) {
        gf_server_fail(g->server, -EINVAL, "%s: \"%.200s\" is no prefix; \"/path\" or \"/path@domain\" is", call,
                       prefix ? prefix : "");
        return NULL;
    }
    whole = compose(g, call, "", prefix);
    return whole ? new_group(g->server, call, whole, g) : NULL;
}

int(ghttp_group_use_with)(ghttp_group *g, ghttp_handler *middleware, void *arg)
{
    static const char call[] = "ghttp_group_use()";
    struct gf_step step, *steps;
    int result;

    if (!g)
        return -EINVAL;
    result = gf_bind_make_step(g->server, call, middleware, arg, &step);
    if (result < 0)
        return result;
    if (g->middleware_count == GF_STAGE_STEPS_MAX)
        return gf_server_fail(g->server, -ENOSPC, "%s: there are 1,000 of them already", call);
    steps = gf_arena_alloc(g->server->stages->arena, (g->middleware_count + 1) * sizeof(*steps));
    if (!steps)
        return gf_server_fail(g->server, -ENOMEM, "%s: out of memory", call);
    if (g->middleware_count)
        memcpy(steps, g->middleware, g->middleware_count * sizeof(*steps));
    steps[g->middleware_count++] = step;
    g->middleware = steps;
    return 0;
}

int(ghttp_group_use)(ghttp_group *g, ghttp_handler *middleware)
{
    return (ghttp_group_use_with)(g, middleware, NULL);
}

int ghttp_group_bind_hook_with(ghttp_group *g, const char *pattern, ghttp_hook when, ghttp_handler *fn, void *arg)
{
    static const char call[] = "ghttp_group_bind_hook()";
    const char *whole;
    int result = g ? gf_server_check_new(g->server, call) : -EINVAL;

    if (result < 0)
        return result;
    if (!pattern)
        return gf_server_fail(g->server, -EINVAL, "%s: the pattern is NULL", call);
    whole = compose(g, call, "", pattern);
    return whole ? gf_bind_hook(g->server, call, whole, when, fn, arg) : -EINVAL;
}

int ghttp_group_bind_hook(ghttp_group *g, const char *pattern, ghttp_hook when, ghttp_handler *fn)
{
    return ghttp_group_bind_hook_with(g, pattern, when, fn, NULL);
}

/* ---- routes ---- */

static int bind_wish(ghttp_group *g, const char *call, const char *method, const char *pattern,
                     struct gf_route_wish wish)
{
    int result;

    if (!g)
        return -EINVAL;
    result = gf_server_check_new(g->server, call);
    if (result < 0)
        return result;
    if (!pattern)
        return gf_server_fail(g->server, -EINVAL, "%s: the pattern is NULL", call);
    wish.pattern = compose(g, call, method, pattern);
    if (!wish.pattern)
        return -EINVAL;
    wish.middleware = g->middleware;
    wish.middleware_count = g->middleware_count;
    return gf_bind_route(g->server, call, &wish);
}

static int bind_in(ghttp_group *g, const char *call, const char *method, const char *pattern, ghttp_handler *fn,
                   void *arg)
{
    return bind_wish(g, call, method, pattern, (struct gf_route_wish){.handler = fn, .arg = arg});
}

int(ghttp_group_bind_streaming)(ghttp_group *g, const char *pattern, ghttp_handler *fn, void *arg, uint64_t max_size)
{
    return bind_wish(g, "ghttp_group_bind_streaming()", "", pattern,
                     (struct gf_route_wish){.handler = fn, .arg = arg, .streams = true, .body_max = max_size});
}

int(ghttp_group_bind_with)(ghttp_group *g, const char *pattern, ghttp_handler *fn, void *arg)
{
    return bind_in(g, "ghttp_group_bind()", "", pattern, fn, arg);
}

int(ghttp_group_bind)(ghttp_group *g, const char *pattern, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_bind()", "", pattern, fn, NULL);
}

int(ghttp_group_all)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_all()", "ALL:", path, fn, NULL);
}

int(ghttp_group_get)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_get()", "GET:", path, fn, NULL);
}

int(ghttp_group_post)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_post()", "POST:", path, fn, NULL);
}

int(ghttp_group_put)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_put()", "PUT:", path, fn, NULL);
}

int(ghttp_group_patch)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_patch()", "PATCH:", path, fn, NULL);
}

int(ghttp_group_delete)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_delete()", "DELETE:", path, fn, NULL);
}

int(ghttp_group_head)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_head()", "HEAD:", path, fn, NULL);
}

int(ghttp_group_options)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_options()", "OPTIONS:", path, fn, NULL);
}

/* CONNECT of a path only: a proxy's, of "host:port", is answered 400 before a route is looked for. */
int(ghttp_group_connect)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_connect()", "CONNECT:", path, fn, NULL);
}

int(ghttp_group_trace)(ghttp_group *g, const char *path, ghttp_handler *fn)
{
    return bind_in(g, "ghttp_group_trace()", "TRACE:", path, fn, NULL);
}

int(ghttp_group_bind_table)(ghttp_group *g, const ghttp_binding *table)
{
    struct gf_place_note note = gf_place_keep();
    int result = g && table ? 0 : -EINVAL;

    if (g && !table)
        return gf_server_fail(g->server, -EINVAL, "ghttp_group_bind_table(): the table is NULL");
    for (; !result && table->pattern; table++) {
        note.handler = table->name;
        note.row++;
        gf_place_note(&note);
        result = bind_in(g, "ghttp_group_bind_table()", "", table->pattern, table->handler, table->arg);
    }
    return result;
}
