#include "server.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../../gproc/start.h"
#include "../engine/address_counts.h"
#include "../engine/engine.h"
#include "../engine/tls.h"
#include "configuration.h"
#include "cookie_defaults.h"
#include "routes.h"
#include "session_settings.h"

static struct gf_server_step *steps;

void gf_server_add_step(struct gf_server_step *step)
{
    step->next = steps;
    steps = step;
}

ghttp_server *gf_server_new(const char *name)
{
    ghttp_server *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    if (gf_settings_init(&s->settings) < 0)
        goto fail;
    s->router = gf_router_new();
    if (!s->router)
        goto fail_settings;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->life, NULL);
    snprintf(s->name, sizeof(s->name), "%s", name);
    s->chain.router = s->router;
    s->chain.pace = &s->pace;
    s->service.drained_fd = -1;
    return s;
fail_settings:
    gf_settings_finish(&s->settings);
fail:
    free(s);
    return NULL;
}

/* ---- errors ---- */

int gf_server_fail(ghttp_server *s, int result, const char *format, ...)
{
    va_list arguments;

    pthread_mutex_lock(&s->lock);
    if (!s->error[0]) {
        va_start(arguments, format);
        vsnprintf(s->error, sizeof(s->error), format, arguments);
        va_end(arguments);
    }
    pthread_mutex_unlock(&s->lock);
    return result;
}

/* A sentence that is there once stays as it is: only whether it is there needs the lock. */
const char *ghttp_server_error(ghttp_server *s)
{
    const char *error;

    pthread_mutex_lock(&s->lock);
    error = s->error[0] ? s->error : "";
    pthread_mutex_unlock(&s->lock);
    return error;
}

int gf_server_check_new(ghttp_server *s, const char *call)
{
    if (!s->router) /* what g_server() gives for a bad name; it has its error */
        return -EINVAL;
    if (gf_server_state(s) == GF_SERVER_NEW)
        return 0;
    glog_warning("server \"%s\": %s came after its start and has no effect", s->name, call);
    return -EBUSY;
}

/* ---- start ---- */

struct wanted {
    struct gf_address *http;
    struct gf_address *https;
    size_t http_count;
    size_t https_count;
};

/* GoFrame's rule: with a certificate and no HTTPS address, HTTPS takes over the HTTP addresses, else :443. */
static int find_addresses(ghttp_server *s, struct wanted *wanted, char *error, size_t size)
{
    const struct gf_settings *set = &s->settings;
    bool tls = set->https_cert_path[0] || set->https_key_path[0];
    bool takes_over = tls && !set->https_address[0];
    const char *http = takes_over ? "" : set->address[0] || tls ? set->address : ":0";
    const char *https = takes_over ? (set->address[0] ? set->address : ":443") : set->https_address;
    int result;

    if (https[0] && !tls) {
        snprintf(error, size, "HTTPS addresses are set, but no certificate: call ghttp_server_enable_https()");
        return -EINVAL;
    }
    result = gf_address_parse_list(http, &wanted->http, &wanted->http_count, error, size);
    if (!result)
        result = gf_address_parse_list(https, &wanted->https, &wanted->https_count, error, size);
    return result;
}

static int get_listener(ghttp_server *s, const struct gf_address *address, bool tls,
                        const struct gf_inheritance *inheritance, char *error, size_t size)
{
    struct gf_listener *listener = &s->listeners[s->listener_count];
    int fd = inheritance->take_listener(s->name, address, tls);
    int result;

    if (fd >= 0) {
        if (!gf_listener_adopt(listener, address, tls, fd, error, size)) {
            s->listener_count++;
            return 0;
        }
        inheritance->refuse_listener(fd, error);
    }
    result = gf_listener_open(listener, address, tls, error, size);
    if (!result)
        s->listener_count++;
    return result;
}

static int get_listeners(ghttp_server *s, const struct wanted *wanted, const struct gf_inheritance *inheritance,
                         char *error, size_t size)
{
    int result = 0;

    s->listeners = calloc(wanted->http_count + wanted->https_count, sizeof(*s->listeners));
    if (!s->listeners) {
        snprintf(error, size, "no memory for the listeners");
        return -ENOMEM;
    }
    for (size_t i = 0; i < wanted->http_count && !result; i++)
        result = get_listener(s, &wanted->http[i], false, inheritance, error, size);
    for (size_t i = 0; i < wanted->https_count && !result; i++)
        result = get_listener(s, &wanted->https[i], true, inheritance, error, size);
    return result;
}

static int prepare_tls(ghttp_server *s, const struct gf_inheritance *inheritance, char *error, size_t size)
{
    unsigned char key[GF_TICKET_KEY_SIZE];
    bool inherited = inheritance->take_ticket_key(s->name, key);
    char cert[PATH_MAX], private_key[PATH_MAX];
    int result = gf_tls_new(gf_start_find_file(s->settings.https_cert_path, cert, sizeof(cert)),
                            gf_start_find_file(s->settings.https_key_path, private_key, sizeof(private_key)),
                            inherited ? key : NULL, &s->service.tls, error, size);

    explicit_bzero(key, sizeof(key));
    s->inherited_tickets = inherited;
    return result;
}

/* Without a limit it is the largest that can be set, so that no sum of sizes ever overflows; the disk is full before.
 */
static size_t largest_body(const struct gf_settings *set)
{
    const struct gf_setting *row = gf_settings_find("clientMaxBodySize");

    return (size_t)(set->client_max_body_size ? set->client_max_body_size : row->max);
}

static int prepare_service(ghttp_server *s, const struct gf_inheritance *inheritance, int drained_fd, char *error,
                           size_t size)
{
    const struct gf_settings *set = &s->settings;
    struct gf_service *service = &s->service;

    *service = (struct gf_service){
        .server = s,
        .name = s->name,
        .agent = set->server_agent,
        .chain = &s->chain,
        .listeners = s->listeners,
        .listener_count = s->listener_count,
        .limits = {.body = largest_body(set),
                   .body_memory = (size_t)set->form_parsing_memory,
                   .header = (size_t)set->max_header_bytes,
                   .read_timeout_ms = (int)set->read_timeout,
                   .write_timeout_ms = (int)set->write_timeout,
                   .idle_timeout_ms = (int)set->idle_timeout,
                   .connections = (unsigned)set->max_connections,
                   .address_connections = (unsigned)set->max_connections_per_address,
                   .keep_alive = set->keep_alive},
        .drained_fd = drained_fd,
    };
    gf_server_attach_logs(s);
    s->chain.tells_places = set->error_stack;
    if (service->limits.address_connections) {
        service->address_counts = gf_address_counts_new(service->limits.address_connections);
        if (!service->address_counts) {
            snprintf(error, size, "no memory for maxConnectionsPerAddress");
            return -ENOMEM;
        }
    }
    if (!set->https_cert_path[0] && !set->https_key_path[0])
        return 0;
    return prepare_tls(s, inheritance, error, size);
}

static unsigned count_cores(void)
{
    cpu_set_t cores;

    return sched_getaffinity(0, sizeof(cores), &cores) < 0 ? 1 : (unsigned)CPU_COUNT(&cores);
}

static int start_engine(const ghttp_server *s, char *error, size_t size)
{
    unsigned workers = (unsigned)s->settings.workers;

    return gf_engine_start(workers ? workers : count_cores(), (unsigned)s->settings.handler_threads, error, size);
}

static void release(ghttp_server *s)
{
    gf_tls_free(s->service.tls);
    s->service.tls = NULL;
    gf_address_counts_free(s->service.address_counts);
    s->service.address_counts = NULL;
    gf_server_close_listeners(s, false);
    pthread_mutex_lock(&s->lock);
    free(s->listeners);
    s->listeners = NULL;
    s->listener_count = 0;
    pthread_mutex_unlock(&s->lock);
}

static int run_steps(ghttp_server *s, char *error, size_t size)
{
    int result = 0;

    for (const struct gf_server_step *step = steps; step && !result; step = step->next)
        result = step->run(s, error, size);
    return result;
}

static int open_and_serve(ghttp_server *s, const struct gf_inheritance *inheritance, int drained_fd, char *error,
                          size_t size)
{
    struct wanted wanted = {.http = NULL};
    int result = gf_cookie_defaults_check(&s->settings, error, size);

    if (!result)
        result = gf_session_settings_check(&s->settings, error, size);
    if (!result)
        result = run_steps(s, error, size);
    if (!result)
        result = find_addresses(s, &wanted, error, size);
    if (!result)
        result = gf_server_open_logs(s, error, size);
    if (!result)
        result = get_listeners(s, &wanted, inheritance, error, size);
    if (!result)
        result = prepare_service(s, inheritance, drained_fd, error, size);
    if (!result)
        result = start_engine(s, error, size);
    if (!result)
        result = gf_engine_add(&s->service, error, size);
    free(wanted.http);
    free(wanted.https);
    if (result < 0)
        release(s);
    return result;
}

static void log_listeners(const ghttp_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        char text[GF_ADDRESS_TEXT_MAX + 8];

        gf_listener_text(&s->listeners[i], text, sizeof(text));
        glog_info("%s server %s listening on [%s]", s->listeners[i].tls ? "https" : "http",
                  s->listeners[i].adopted ? "restarted" : "started", text);
    }
}

static int start(ghttp_server *s, const struct gf_inheritance *inheritance, int drained_fd)
{
    char error[GF_SERVER_ERROR_MAX] = "";
    int result;

    if (gf_server_state(s) == GF_SERVER_SERVING || gf_server_state(s) == GF_SERVER_DRAINING) {
        glog_error("server \"%s\": is running already", s->name);
        return -EALREADY;
    }
    result = ghttp_server_error(s)[0] ? -EINVAL : gf_configuration_read(s, error, sizeof(error));
    if (!result && s->prepare && (result = s->prepare(s)) < 0)
        snprintf(error, sizeof(error), "%s", strerror(-result)); /* unless it has said more */
    if (!result && !gf_router_count(s->router) && !s->chain.files)
        result = gf_server_fail(s, -EINVAL, "ghttp_server_start(): no route is bound; call ghttp_server_bind() first");
    if (!result)
        result = open_and_serve(s, inheritance, drained_fd, error, sizeof(error));
    if (result < 0) {
        gf_server_fail(s, result, "ghttp_server_start(): %s", error); /* unless its error is known already */
        atomic_store(&s->state, GF_SERVER_FAILED);
        glog_error("server \"%s\" does not start: %s", s->name, ghttp_server_error(s));
        return result;
    }
    log_listeners(s); /* before anyone may end it */
    if (s->settings.dump_router_map)
        gf_routes_log(s);
    atomic_store(&s->state, GF_SERVER_SERVING); /* and that before a client can ask for it */
    if (!inheritance->is_served())
        gf_engine_resume(&s->service);
    return 0;
}

int gf_server_start(ghttp_server *s, const struct gf_inheritance *inheritance, int drained_fd)
{
    int result;

    pthread_mutex_lock(&s->life);
    result = start(s, inheritance, drained_fd);
    pthread_mutex_unlock(&s->life);
    return result;
}

/* ---- the other states ---- */

void gf_server_drain(ghttp_server *s, int grace_ms, int64_t until_ms)
{
    pthread_mutex_lock(&s->life); /* a client who was let in first of all may have asked for the end already */
    pthread_mutex_unlock(&s->life);
    s->drain_until_ms = until_ms;
    atomic_store(&s->state, GF_SERVER_DRAINING);
    gf_engine_cease(&s->service);
    gf_engine_drain(&s->service, grace_ms);
}

void gf_server_resume(ghttp_server *s)
{
    gf_engine_undrain(&s->service);
    gf_engine_resume(&s->service);
    atomic_store(&s->state, GF_SERVER_SERVING);
}

/* Against whoever looks at them meanwhile. */
void gf_server_close_listeners(ghttp_server *s, bool handed_over)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->listener_count; i++) {
        s->listeners[i].handed_over |= handed_over;
        gf_listener_close(&s->listeners[i]);
    }
    pthread_mutex_unlock(&s->lock);
}

void gf_server_own_listeners(ghttp_server *s)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->listener_count; i++)
        s->listeners[i].handed_over = false;
    pthread_mutex_unlock(&s->lock);
}

unsigned gf_server_stop(ghttp_server *s)
{
    bool clean;
    unsigned cut;

    gf_engine_cease(&s->service);
    cut = gf_engine_remove(&s->service, &clean);
    gf_server_close_listeners(s, false);
    if (clean) /* else a handler still has a connection of it, until the process ends */
        release(s);
    atomic_store(&s->state, GF_SERVER_STOPPED);
    return cut;
}

unsigned gf_server_in_flight(const ghttp_server *s)
{
    return atomic_load(&s->service.counters.in_flight);
}

unsigned gf_server_connections(const ghttp_server *s)
{
    return atomic_load(&s->service.counters.connections);
}

enum gf_server_state gf_server_state(const ghttp_server *s)
{
    return atomic_load(&s->state);
}

bool ghttp_server_is_serving(const ghttp_server *s)
{
    return gf_server_state(s) == GF_SERVER_SERVING;
}

void gf_server_each_listener(ghttp_server *s, void (*fn)(const struct gf_listener *listener, void *arg), void *arg)
{
    enum gf_server_state state;

    pthread_mutex_lock(&s->lock);
    state = gf_server_state(s);
    for (size_t i = 0; (state == GF_SERVER_SERVING || state == GF_SERVER_DRAINING) && i < s->listener_count; i++)
        fn(&s->listeners[i], arg);
    pthread_mutex_unlock(&s->lock);
}

const char *ghttp_server_name(const ghttp_server *s)
{
    return s->name;
}
