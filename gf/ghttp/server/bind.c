/*
 * The public functions that bind routes, middleware, hooks and handlers of statuses to a server. Groups have a room
 * of their own.
 */
#include "bind.h"

#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../route/pattern.h"
#include "place.h"

/* ---- routes ---- */

int gf_bind_route(ghttp_server *s, const char *call, const struct gf_route_wish *wanted)
{
    struct gf_route_wish wish = *wanted;
    char error[GF_SERVER_ERROR_MAX];
    struct gf_place place;
    int result = gf_server_check_new(s, call);

    gf_place_take(&place, wish.handler);
    if (result < 0)
        return result;
    if (!wish.pattern || !wish.handler)
        return gf_server_fail(s, -EINVAL, "%s: the %s is NULL", call, wish.pattern ? "handler" : "pattern");
    if (!wish.name)
        wish.name = place.handler;
    wish.place = place.text[0] ? place.text : NULL;
    wish.overwrites = s->settings.route_over_write;
    result = gf_router_add(s->router, &wish, error, sizeof(error));
    if (!result && wish.streams)
        s->chain.has_streaming = true;
    return result < 0 ? gf_server_fail(s, result, "%s: %s", call, error) : 0;
}

int(ghttp_server_bind_with)(ghttp_server *s, const char *pattern, ghttp_handler *fn, void *arg)
{
    return gf_bind_route(s, "ghttp_server_bind()",
                         &(struct gf_route_wish){.pattern = pattern, .handler = fn, .arg = arg});
}

int(ghttp_server_bind)(ghttp_server *s, const char *pattern, ghttp_handler *fn)
{
    return (ghttp_server_bind_with)(s, pattern, fn, NULL);
}

int(ghttp_server_bind_streaming)(ghttp_server *s, const char *pattern, ghttp_handler *fn, void *arg, uint64_t max_size)
{
    return gf_bind_route(
        s, "ghttp_server_bind_streaming()",
        &(struct gf_route_wish){.pattern = pattern, .handler = fn, .arg = arg, .streams = true, .body_max = max_size});
}

/* ---- steps ---- */

struct gf_stages *gf_bind_stages(ghttp_server *s, const char *call)
{
    if (!s->stages)
        s->stages = gf_stages_new();
    if (!s->stages)
        gf_server_fail(s, -ENOMEM, "%s: out of memory", call);
    return s->stages;
}

int gf_bind_make_step(ghttp_server *s, const char *call, ghttp_handler *fn, void *arg, struct gf_step *step)
{
    struct gf_stages *stages;
    struct gf_place place;
    int result = gf_server_check_new(s, call);

    gf_place_take(&place, fn);
    if (result < 0)
        return result;
    if (!fn)
        return gf_server_fail(s, -EINVAL, "%s: the handler is NULL", call);
    stages = gf_bind_stages(s, call);
    if (!stages)
        return -ENOMEM;
    *step = (struct gf_step){
        .handler = fn,
        .arg = arg,
        .name = gf_arena_strdup(stages->arena, place.handler),
        .place = gf_arena_strdup(stages->arena, place.text),
    };
    if (!step->name || !step->place)
        return gf_server_fail(s, -ENOMEM, "%s: out of memory", call);
    s->chain.stages = stages;
    return 0;
}

/* ---- middleware ---- */

static int add_middleware(ghttp_server *s, const char *call, const char *pattern, ghttp_handler *fn, void *arg)
{
    char error[GF_SERVER_ERROR_MAX];
    struct gf_step step;
    int result = gf_bind_make_step(s, call, fn, arg, &step);

    if (result < 0)
        return result;
    result = gf_stages_add_middleware(s->stages, pattern, &step, error, sizeof(error));
    return result < 0 ? gf_server_fail(s, result, "%s: %s", call, error) : 0;
}

int(ghttp_server_use_with)(ghttp_server *s, ghttp_handler *middleware, void *arg)
{
    return add_middleware(s, "ghttp_server_use()", NULL, middleware, arg);
}

int(ghttp_server_use)(ghttp_server *s, ghttp_handler *middleware)
{
    return (ghttp_server_use_with)(s, middleware, NULL);
}

int(ghttp_server_bind_middleware_with)(ghttp_server *s, const char *pattern, ghttp_handler *middleware, void *arg)
{
    static const char call[] = "ghttp_server_bind_middleware()";

    if (!pattern) /* which would be for every request */
        return gf_server_fail(s, -EINVAL, "%s: the pattern is NULL", call);
    return add_middleware(s, call, pattern, middleware, arg);
}

int(ghttp_server_bind_middleware)(ghttp_server *s, const char *pattern, ghttp_handler *middleware)
{
    return (ghttp_server_bind_middleware_with)(s, pattern, middleware, NULL);
}

/* ---- hooks ---- */

int gf_bind_hook(ghttp_server *s, const char *call, const char *pattern, ghttp_hook when, ghttp_handler *fn, void *arg)
{
    char error[GF_SERVER_ERROR_MAX];
    struct gf_step step;
    int result = gf_bind_make_step(s, call, fn, arg, &step);

    if (result < 0)
        return result;
    if (!pattern || (unsigned)when >= GF_STAGE_HOOKS)
        return gf_server_fail(s, -EINVAL, "%s: %s", call, pattern ? "no such moment" : "the pattern is NULL");
    result = gf_stages_add_hook(s->stages, pattern, when, &step, error, sizeof(error));
    return result < 0 ? gf_server_fail(s, result, "%s: %s", call, error) : 0;
}

int ghttp_server_bind_hook_with(ghttp_server *s, const char *pattern, ghttp_hook when, ghttp_handler *fn, void *arg)
{
    return gf_bind_hook(s, "ghttp_server_bind_hook()", pattern, when, fn, arg);
}

int ghttp_server_bind_hook(ghttp_server *s, const char *pattern, ghttp_hook when, ghttp_handler *fn)
{
    return ghttp_server_bind_hook_with(s, pattern, when, fn, NULL);
}

/* ---- statuses ---- */

static int make_status_step(ghttp_server *s, const char *call, int status, ghttp_handler *fn, void *arg,
                            struct gf_step *step)
{
    int result = gf_bind_make_step(s, call, fn, arg, step);

    if (result < 0)
        return result;
    if (status <= 200 || status > 599)
        return gf_server_fail(s, -EINVAL, "%s: %d is no status for it; 201 to 599 are", call, status);
    step->status = status;
    return 0;
}

static int add_status(ghttp_server *s, const char *call, const struct gf_step *step)
{
    char error[GF_SERVER_ERROR_MAX];
    int result = gf_stages_add_status(s->stages, step, error, sizeof(error));

    return result < 0 ? gf_server_fail(s, result, "%s: %s", call, error) : 0;
}

int ghttp_server_bind_status_with(ghttp_server *s, int status, ghttp_handler *fn, void *arg)
{
    static const char call[] = "ghttp_server_bind_status()";
    struct gf_step step;
    int result = make_status_step(s, call, status, fn, arg, &step);

    return result < 0 ? result : add_status(s, call, &step);
}

int ghttp_server_bind_status(ghttp_server *s, int status, ghttp_handler *fn)
{
    return ghttp_server_bind_status_with(s, status, fn, NULL);
}

/* The domains of a comma list, read as those of a pattern are: in lower case, none twice. */
static int parse_domains(ghttp_server *s, const char *call, const char *list, struct gf_pattern *pattern)
{
    const char *reason = "out of memory";
    bool fits = list && strnlen(list, GF_PATTERN_SIZE_MAX) < GF_PATTERN_SIZE_MAX - 2 && !strpbrk(list, "/@");
    const char *text = fits ? gf_arena_printf(s->stages->arena, "/@%s", list) : NULL;
    int result = text ? gf_pattern_parse(pattern, s->stages->arena, text, &reason) : -ENOMEM;

    if (!fits)
        return gf_server_fail(s, -EINVAL, "%s: \"%.100s\" is no domain", call, list ? list : "");
    if (result == -EINVAL)
        return gf_server_fail(s, result, "%s: \"%.100s\" is no domain, nor a comma list of them", call, list);
    return result < 0 ? gf_server_fail(s, result, "%s: out of memory", call) : 0;
}

int ghttp_server_bind_status_domain_with(ghttp_server *s, int status, const char *domains, ghttp_handler *fn, void *arg)
{
    static const char call[] = "ghttp_server_bind_status_domain()";
    struct gf_pattern pattern;
    struct gf_step step;
    int result = make_status_step(s, call, status, fn, arg, &step);

    if (!result)
        result = parse_domains(s, call, domains, &pattern);
    for (size_t i = 0; !result && i < pattern.domain_count; i++) {
        /* as patterns have it, "default" is every host */
        step.domain = strcmp(pattern.domains[i], "default") != 0 ? pattern.domains[i] : NULL;
        result = add_status(s, call, &step);
    }
    return result;
}

int ghttp_server_bind_status_domain(ghttp_server *s, int status, const char *domains, ghttp_handler *fn)
{
    return ghttp_server_bind_status_domain_with(s, status, domains, fn, NULL);
}
