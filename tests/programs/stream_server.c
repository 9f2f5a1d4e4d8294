/*
 * A server whose answers are sent while they are made. Address: GF_ADDRESS, or a port of the system's choice.
 */
#include <errno.h>
#include <gf/gf.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* count lines, ms between two of them; each is flushed. */
static void lines(ghttp_request *r)
{
    long count = ghttp_request_get_int(r, "count", 5), ms = ghttp_request_get_int(r, "ms", 50);

    for (long i = 0; i < count; i++) {
        ghttp_response_writefln(r, "line %ld of %s", i, ghttp_request_method(r));
        if (ghttp_response_flush(r) < 0) {
            glog_info("client gone after line %ld, agent %s", i, ghttp_request_header(r, "User-Agent"));
            return;
        }
        usleep((useconds_t)(ms * 1000));
    }
    ghttp_response_write(r, "end\n");
}

/* mb megabytes in pieces of 64 KiB, as fast as the client takes them. */
static void large(ghttp_request *r)
{
    static char piece[65536];
    long count = ghttp_request_get_int(r, "mb", 16) * 16;

    memset(piece, 'x', sizeof(piece));
    for (long i = 0; i < count; i++) {
        ghttp_response_write_bytes(r, piece, sizeof(piece));
        if (ghttp_response_flush(r) < 0) {
            glog_info("client gone after piece %ld", i);
            return;
        }
    }
}

/* Flushes before anything was written; fails afterwards. */
static void broken(ghttp_request *r)
{
    ghttp_response_set_status(r, 202);
    ghttp_response_flush(r);
    ghttp_response_set_status(r, 200);
    ghttp_response_writeln(r, "so far");
    ghttp_response_flush(r);
    ghttp_response_redirect(r, "bad\r\nurl", 0);
}

static sem_t steps_allowed;

/* A line, then waits for a request to /go before the next: what has come until then was sent by the flush. */
static void steps(ghttp_request *r)
{
    long count = ghttp_request_get_int(r, "count", 3);

    for (long i = 0; i < count; i++) {
        ghttp_response_writefln(r, "step %ld in %d", i, gproc_pid());
        if (ghttp_response_flush(r) < 0)
            return;
        while (sem_wait(&steps_allowed) < 0 && errno == EINTR)
            ;
    }
}

static void go(ghttp_request *r)
{
    sem_post(&steps_allowed);
    ghttp_response_writeln(r, "gone on");
}

/* Says in the body what comes of a header after the flush. */
static void late(ghttp_request *r)
{
    ghttp_response_set_header(r, "X-Early", "yes");
    ghttp_response_flush(r);
    ghttp_response_writefln(r, "%d", ghttp_response_set_header(r, "X-Late", "yes"));
    ghttp_response_set_status(r, 500);
}

static void none(ghttp_request *r)
{
    ghttp_response_set_status(r, 204);
    ghttp_response_flush(r);
    ghttp_response_writeln(r, "not to be seen");
    ghttp_response_flush(r);
}

static void none_for_ever(ghttp_request *r)
{
    int result;

    ghttp_response_set_status(r, 204);
    do {
        result = ghttp_response_event(r, NULL, NULL, "tick");
        usleep(1000);
    } while (result == 0);
    if (result == -EPIPE)
        glog_info("nobody reads a 204");
}

static void events(ghttp_request *r)
{
    ghttp_response_event(r, NULL, NULL, "plain");
    ghttp_response_event(r, "tick", "7", "one\ntwo\r\nthree\rfour");
    ghttp_response_event(r, "empty", NULL, "");
    ghttp_response_writefln(r, ": %d %d %d", ghttp_response_event(r, "a\nb", NULL, "x"),
                            ghttp_response_event(r, NULL, "a\rb", "x"), ghttp_response_event(r, NULL, NULL, NULL));
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, "hello");
}

int main(void)
{
    ghttp_server *s = g_server("streams");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    glog_info("sanitized");
#endif
    sem_init(&steps_allowed, 0, 0);
    ghttp_server_bind(s, "/", hello);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_bind(s, "/steps", steps);
    ghttp_server_bind(s, "/go", go);
    ghttp_server_bind(s, "/late", late);
    ghttp_server_bind(s, "/none", none);
    ghttp_server_bind(s, "/none_for_ever", none_for_ever);
    ghttp_server_bind(s, "/events", events);
    ghttp_server_bind(s, "/lines", lines);
    ghttp_server_bind(s, "/large", large);
    ghttp_server_bind(s, "/broken", broken);
    ghttp_server_set(s, "writeTimeout", "2s");
    ghttp_server_set_graceful(s, true);
    ghttp_server_set_address(s, getenv("GF_ADDRESS") ? getenv("GF_ADDRESS") : "127.0.0.1:0");
    return ghttp_server_run(s);
}
