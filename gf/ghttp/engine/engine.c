#include "engine.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "branch.h"
#include "monitor.h"
#include "spare.h"
#include "worker.h"

/* How long the end of the engine waits for handlers that are about to return. */
#define STOP_TIMEOUT_MS 200

static struct {
    pthread_mutex_t lock;
    struct gf_worker *workers;
    unsigned count;
    pthread_mutex_t branches_lock; /* guards each service's branches, against their end, for those who only look */
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER, .branches_lock = PTHREAD_MUTEX_INITIALIZER};

/* What libmicrohttpd believes to be the end of the world is logged before it aborts. */
static void log_panic(void *cls, const char *file, unsigned line, const char *reason)
{
    (void)cls;
    glog_error("libmicrohttpd gives up at %s:%u: %s", file, line, reason);
    raise(SIGABRT); /* it has lost its own state: going on would be a guess */
}

/* Connections cost descriptors: take what the system allows without asking. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- start and end ---- */

/* Of the workers, those have leaders that come first. false: threads still run, and what they use has to stay. */
static bool stop_workers(unsigned led, bool monitored)
{
    bool none_left;

    for (unsigned n = 0; n < led; n++)
        gf_worker_stop(&engine.workers[n]);
    if (monitored)
        gf_monitor_stop(); /* last: a loop that is blocked at this moment has to be passed on to end */
    none_left = gf_spare_stop(STOP_TIMEOUT_MS);
    if (!none_left)
        return false;
    for (unsigned n = 0; n < engine.count; n++)
        gf_worker_finish(&engine.workers[n]);
    free(engine.workers);
    engine.workers = NULL;
    engine.count = 0;
    return true;
}

static int init_workers(unsigned count)
{
    int result = 0;

    engine.workers = calloc(count, sizeof(*engine.workers));
    if (!engine.workers)
        return -ENOMEM;
    while (engine.count < count && !result) {
        result = gf_worker_init(&engine.workers[engine.count]);
        if (!result)
            engine.count++;
    }
    return result;
}

/* How many could be started in *ret_led. */
static int start_leaders(unsigned *ret_led)
{
    unsigned led = 0;

    while (led < engine.count && gf_spare_run(gf_worker_lead, &engine.workers[led]))
        led++;
    *ret_led = led;
    return led == engine.count ? 0 : -EAGAIN;
}

/* All or nothing: who tries again, for another server perhaps, begins from the start. */
static int start(unsigned workers, unsigned handler_threads)
{
    unsigned led = 0;
    int result = gf_spare_start(handler_threads + 2 * workers, workers);

    if (!result)
        result = init_workers(workers);
    if (!result)
        result = start_leaders(&led);
    if (!result)
        result = gf_monitor_start(engine.workers, engine.count);
    while (result && !stop_workers(led, false))
        continue; /* no thread has had a handler to run: all of them end, as soon as they get the time to */
    return result;
}

int gf_engine_start(unsigned workers, unsigned handler_threads, char *error, size_t error_size)
{
    int result = 0;

    pthread_mutex_lock(&engine.lock);
    if (!engine.workers) {
        raise_descriptor_limit();
        MHD_set_panic_func(log_panic, NULL);
        result = start(workers, handler_threads);
        if (result)
            snprintf(error, error_size, "cannot start %u workers: %s", workers, strerror(-result));
    }
    pthread_mutex_unlock(&engine.lock);
    return result;
}

bool gf_engine_stop(void)
{
    bool none_left = true;

    pthread_mutex_lock(&engine.lock);
    if (engine.workers)
        none_left = stop_workers(engine.count, true);
    pthread_mutex_unlock(&engine.lock);
    return none_left;
}

/* ---- one service in all workers ---- */

struct errand {
    struct gf_branch *branch;
    int (*fn)(struct gf_branch *branch, struct errand *errand);
    int result;
    int grace_ms;
    int fd;                     /* a connection to adopt */
    uint64_t consumed;          /* of it */
    struct gf_running *running; /* room for what runs */
    size_t running_room;
    size_t running_count;
    bool stuck; /* a handler still has a connection */
    char *error;
    size_t error_size;
};

static void run_errand(struct gf_worker *worker, void *arg)
{
    struct errand *errand = arg;

    (void)worker;
    errand->result = errand->fn(errand->branch, errand);
}

/* Runs the errand on every loop, to the first failure. */
static int on_every_loop(struct gf_service *service, struct errand *errand)
{
    for (unsigned n = 0; n < engine.count; n++) {
        errand->branch = service->branches[n];
        gf_worker_call(&engine.workers[n], run_errand, errand);
        if (errand->result < 0)
            return errand->result;
    }
    return 0;
}

static int open_branch(struct gf_branch *branch, struct errand *errand)
{
    return gf_branch_open(branch, errand->error, errand->error_size);
}

static int accept_on_branch(struct gf_branch *branch, struct errand *errand)
{
    (void)errand;
    return gf_branch_accept(branch);
}

static int cease_on_branch(struct gf_branch *branch, struct errand *errand)
{
    (void)errand;
    gf_branch_cease(branch);
    return 0;
}

static int empty_backlog_of_branch(struct gf_branch *branch, struct errand *errand)
{
    (void)errand;
    gf_branch_empty_backlog(branch);
    return 0;
}

static int drain_branch(struct gf_branch *branch, struct errand *errand)
{
    gf_branch_drain(branch, true, errand->grace_ms);
    return 0;
}

static int undrain_branch(struct gf_branch *branch, struct errand *errand)
{
    (void)errand;
    gf_branch_drain(branch, false, 0);
    return 0;
}

static int close_branch(struct gf_branch *branch, struct errand *errand)
{
    if (!gf_branch_close(branch))
        errand->stuck = true;
    return 0;
}

static int release_branch(struct gf_branch *branch, struct errand *errand)
{
    (void)errand;
    gf_branch_release(branch);
    return 0;
}

static int adopt_in_branch(struct gf_branch *branch, struct errand *errand)
{
    return gf_branch_adopt(branch, errand->fd, errand->consumed);
}

static int list_running_in_branch(struct gf_branch *branch, struct errand *errand)
{
    errand->running_count = gf_branch_running(branch, errand->running, errand->running_count, errand->running_room);
    return 0;
}

static void set_branches(struct gf_service *service, struct gf_branch **branches)
{
    pthread_mutex_lock(&engine.branches_lock);
    service->branches = branches;
    pthread_mutex_unlock(&engine.branches_lock);
}

static void free_branches(struct gf_branch **branches)
{
    for (unsigned n = 0; branches && n < engine.count; n++)
        gf_branch_free(branches[n]);
    free(branches);
}

static int make_branches(struct gf_service *service)
{
    struct gf_branch **branches = calloc(engine.count, sizeof(*branches));

    for (unsigned n = 0; branches && n < engine.count; n++)
        if (!(branches[n] = gf_branch_new(&engine.workers[n], service))) {
            free_branches(branches);
            return -ENOMEM;
        }
    set_branches(service, branches);
    return branches ? 0 : -ENOMEM;
}

int gf_engine_add(struct gf_service *service, char *error, size_t error_size)
{
    struct errand open = {.fn = open_branch, .error = error, .error_size = error_size};
    bool clean;
    int result = make_branches(service);

    if (result < 0) {
        snprintf(error, error_size, "no memory for the workers");
        return result;
    }
    result = on_every_loop(service, &open);
    if (result < 0)
        gf_engine_remove(service, &clean);
    return result;
}

void gf_engine_cease(struct gf_service *service)
{
    struct errand cease = {.fn = cease_on_branch};

    if (service->branches)
        on_every_loop(service, &cease);
}

void gf_engine_empty(struct gf_service *service)
{
    struct errand empty = {.fn = empty_backlog_of_branch};

    if (service->branches)
        on_every_loop(service, &empty);
}

void gf_engine_resume(struct gf_service *service)
{
    struct errand accept = {.fn = accept_on_branch};

    if (service->branches && on_every_loop(service, &accept) < 0)
        glog_error("server \"%s\": cannot accept connections again: %s", service->name, strerror(-accept.result));
}

void gf_engine_drain(struct gf_service *service, int grace_ms)
{
    struct errand drain = {.fn = drain_branch, .grace_ms = grace_ms};

    atomic_store(&service->draining, true);
    if (service->branches)
        on_every_loop(service, &drain);
    if (!atomic_load(&service->counters.connections))
        gf_service_tell_drained(service);
}

void gf_engine_undrain(struct gf_service *service)
{
    struct errand undrain = {.fn = undrain_branch};

    atomic_store(&service->draining, false);
    if (service->branches)
        on_every_loop(service, &undrain);
}

void gf_engine_set_mover(struct gf_service *service, const struct gf_mover *mover)
{
    struct errand release = {.fn = release_branch};

    atomic_fetch_add(&service->mover_round, 1); /* first: who finds this mover, asks it */
    atomic_store(&service->mover, mover);
    if (service->branches) /* NULL too: when this returns, no loop uses the mover before any more */
        on_every_loop(service, &release);
}

int gf_engine_adopt(struct gf_service *service, int fd, uint64_t consumed)
{
    static _Atomic unsigned turn;
    struct errand adopt = {.fn = adopt_in_branch, .fd = fd, .consumed = consumed};
    unsigned n = atomic_fetch_add(&turn, 1);

    if (!service->branches) {
        close(fd);
        return -ENOENT;
    }
    adopt.branch = service->branches[n % engine.count];
    gf_worker_call(&engine.workers[n % engine.count], run_errand, &adopt);
    return adopt.result;
}

unsigned gf_engine_remove(struct gf_service *service, bool *ret_clean)
{
    struct errand close = {.fn = close_branch};
    unsigned cut = atomic_load(&service->counters.in_flight);

    if (!service->branches) {
        *ret_clean = true;
        return 0;
    }
    on_every_loop(service, &close);
    atomic_fetch_add(&service->counters.cut, cut);
    *ret_clean = !close.stuck;
    if (*ret_clean) {
        struct gf_branch **branches = service->branches;

        set_branches(service, NULL);
        free_branches(branches);
    }
    return cut;
}

size_t gf_engine_running(struct gf_service *service, struct gf_running *running, size_t room)
{
    struct errand list = {.fn = list_running_in_branch, .running = running, .running_room = room};

    pthread_mutex_lock(&engine.branches_lock);
    if (service->branches)
        on_every_loop(service, &list);
    pthread_mutex_unlock(&engine.branches_lock);
    return list.running_count;
}

static void turn(struct gf_worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
}

void gf_engine_probe(void)
{
    for (unsigned n = 0; n < engine.count; n++)
        gf_worker_call(&engine.workers[n], turn, NULL);
}

void gf_engine_facts(struct gf_engine_facts *ret_facts)
{
    ret_facts->workers = engine.count;
    gf_spare_count(&ret_facts->threads, &ret_facts->idle_threads);
}

/* ---- drains ---- */

void gf_service_tell_drained(struct gf_service *service)
{
    uint64_t one = 1;

    while (service->drained_fd >= 0 && write(service->drained_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

void gf_service_connection_gone(struct gf_service *service)
{
    if (atomic_fetch_sub(&service->counters.connections, 1) == 1 && atomic_load(&service->draining))
        gf_service_tell_drained(service);
}

void gf_service_hold(struct gf_service *service)
{
    atomic_fetch_add(&service->counters.connections, 1);
    atomic_fetch_add(&service->counters.in_flight, 1);
}

void gf_service_release(struct gf_service *service)
{
    atomic_fetch_sub(&service->counters.in_flight, 1);
    gf_service_connection_gone(service);
}
