#include "routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../route/method.h"
#include "../route/stages.h"
#include "server.h"

/* Names of middleware in one line, as far as they go. */
#define NAMES_SIZE 256
#define COLUMNS 5

/* ---- the list ---- */

/* "log, authorize"; what does not fit becomes "...". */
static void join_names(const struct gf_route *route, char names[NAMES_SIZE])
{
    static const char more[] = "...";
    size_t size = 0;

    names[0] = '\0';
    for (size_t i = 0; i < route->middleware_count; i++) {
        const char *name = route->middleware[i].name;

        if (size + strlen(name) + sizeof(", ") + sizeof(more) > NAMES_SIZE) {
            snprintf(names + size, NAMES_SIZE - size, "%s%s", size ? ", " : "", more);
            return;
        }
        size += (size_t)snprintf(names + size, NAMES_SIZE - size, "%s%s", size ? ", " : "", name);
    }
}

static void tell_route(const struct gf_route *route, void (*fn)(const ghttp_route *route, void *arg), void *arg)
{
    char names[NAMES_SIZE];

    join_names(route, names);
    fn(&(ghttp_route){.method = route->method,
                      .domain = route->domain,
                      .path = route->path,
                      .handler = route->name ? route->name : "",
                      .middleware = names,
                      .place = route->place ? route->place : ""},
       arg);
}

/* Once for each of its domains, as routes are. */
static int tell_middleware(const struct gf_step *step, void (*fn)(const ghttp_route *route, void *arg), void *arg)
{
    static const char *everywhere[] = {"default"};
    const struct gf_matcher *matcher = step->matcher;
    const char *const *domains = matcher ? matcher->domains : everywhere;
    size_t count = matcher ? matcher->domain_count : 1;

    for (size_t i = 0; i < count; i++)
        fn(&(ghttp_route){.method = gf_method_name(matcher ? matcher->methods : GF_METHOD_ALL),
                          .domain = domains[i],
                          .path = matcher ? matcher->path : "/*",
                          .handler = step->name,
                          .middleware = matcher ? "MIDDLEWARE" : "GLOBAL MIDDLEWARE",
                          .place = step->place},
           arg);
    return (int)count;
}

int ghttp_server_routes(ghttp_server *s, void (*fn)(const ghttp_route *route, void *arg), void *arg)
{
    const struct gf_steps *steps = s->stages ? &s->stages->middleware : NULL;
    size_t count = s->router ? gf_router_count(s->router) : 0;
    int told = 0;

    for (size_t i = 0; steps && i < steps->count; i++)
        told += tell_middleware(&steps->items[i], fn, arg);
    for (size_t i = 0; i < count; i++)
        tell_route(gf_router_route(s->router, i), fn, arg);
    return told + (int)count;
}

/* ---- the table ---- */

struct row {
    ghttp_route route;
    size_t number; /* in the list: middleware comes first, and stays in its order */
};

struct table {
    struct row *rows;
    size_t count, room;
    char (*names)[NAMES_SIZE];
};

static void count_row(const ghttp_route *route, void *arg)
{
    (void)route;
    (void)arg;
}

static void add_row(const ghttp_route *route, void *arg)
{
    struct table *table = arg;

    if (table->count == table->room)
        return;
    snprintf(table->names[table->count], NAMES_SIZE, "%s", route->middleware);
    table->rows[table->count] = (struct row){*route, table->count};
    table->rows[table->count].route.middleware = table->names[table->count];
    table->count++;
}

/* By domain, path and method, middleware before the routes that are at the same path. */
static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = strcmp(a->route.domain, b->route.domain);

    if (!order)
        order = strcmp(a->route.path, b->route.path);
    if (!order)
        order =
            (strstr(b->route.middleware, "MIDDLEWARE") != NULL) - (strstr(a->route.middleware, "MIDDLEWARE") != NULL);
    if (!order)
        order = strcmp(a->route.method, b->route.method);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

/* "/path", or "/path@domain". */
static void format_path(const ghttp_route *route, char *text, size_t size)
{
    bool has_domain = strcmp(route->domain, "default") != 0;

    snprintf(text, size, "%s%s%s", route->path, has_domain ? "@" : "", has_domain ? route->domain : "");
}

static void log_row(const char *const cells[COLUMNS], const size_t widths[COLUMNS])
{
    glog_info("%-*s | %-*s | %-*s | %-*s |%s%s", (int)widths[0], cells[0], (int)widths[1], cells[1], (int)widths[2],
              cells[2], (int)widths[3], cells[3], *cells[4] ? " " : "", cells[4]);
}

static void widen(size_t widths[COLUMNS], const char *const cells[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++)
        if (strlen(cells[i]) > widths[i])
            widths[i] = strlen(cells[i]);
}

static void log_table(const struct table *table, const char *address)
{
    static const char *const head[COLUMNS] = {"ADDRESS", "METHOD", "ROUTE", "HANDLER", "MIDDLEWARE"};
    size_t widths[COLUMNS] = {0};

    for (int pass = 0; pass < 2; pass++) {
        pass ? log_row(head, widths) : widen(widths, head);
        for (size_t i = 0; i < table->count; i++) {
            const ghttp_route *route = &table->rows[i].route;
            char path[512];
            const char *const cells[COLUMNS] = {address, route->method, path, route->handler, route->middleware};

            format_path(route, path, sizeof(path));
            pass ? log_row(cells, widths) : widen(widths, cells);
        }
    }
}

/* The listeners as a comma list, HTTPS marked; what does not fit becomes "...". */
static void format_addresses(const ghttp_server *s, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < s->listener_count; i++) {
        char one[GF_ADDRESS_TEXT_MAX + 8];

        gf_listener_text(&s->listeners[i], one, sizeof(one));
        if (used + strlen(one) + sizeof(",tls...") > size) {
            snprintf(text + used, size - used, "...");
            return;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s%s", used ? "," : "", s->listeners[i].tls ? "tls" : "",
                                 one);
    }
}

void gf_routes_log(ghttp_server *s)
{
    struct table table = {.room = (size_t)ghttp_server_routes(s, count_row, NULL)};
    char address[128];

    if (!table.room)
        return;
    table.rows = calloc(table.room, sizeof(*table.rows));
    table.names = calloc(table.room, sizeof(*table.names));
    if (table.rows && table.names) {
        ghttp_server_routes(s, add_row, &table);
        qsort(table.rows, table.count, sizeof(*table.rows), compare_rows);
        format_addresses(s, address, sizeof(address));
        log_table(&table, address);
    } else {
        glog_warning("server \"%s\": no memory for the table of routes", s->name);
    }
    free(table.names);
    free(table.rows);
}
