/*
 * A server whose handlers read bodies while these come in. Prints its ports, HTTP and HTTPS, as http_server does.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/gf.h>

static sem_t steps;

static uint64_t add_up(uint64_t sum, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ (unsigned char)data[i]) * 1099511628211u;
    return sum;
}

static void step(ghttp_request *r)
{
    while (sem_wait(&steps) < 0 && errno == EINTR)
        continue;
    (void)r;
}

static void go(ghttp_request *r)
{
    sem_post(&steps);
    ghttp_response_writeln(r, "gone on");
}

/* Reads all of it, in pieces of `?piece=` bytes. With `?wait=1` only after a request to /go. */
static void count(ghttp_request *r)
{
    char piece[100000];
    size_t size = (size_t)ghttp_request_get_int(r, "piece", sizeof(piece));
    const char *agent;
    uint64_t bytes = 0, sum = 0;
    ssize_t got;

    if (size > sizeof(piece))
        size = sizeof(piece);
    if (ghttp_request_get_bool(r, "wait", false)) {
        printf("waiting\n");
        step(r);
    }
    while ((got = ghttp_request_read(r, piece, size)) > 0) {
        sum = add_up(sum, piece, (size_t)got);
        if (!bytes)
            printf("reading\n");
        bytes += (size_t)got;
    }
    agent = ghttp_request_header(r, "User-Agent");
    printf("read to %zd, agent %s\n", got, agent ? agent : "none");
    if (got < 0 && ghttp_request_get_bool(r, "fail", false))
        ghttp_response_fail(r, "it has lost its client");
    if (got == 0)
        ghttp_response_writefln(r, "%llu bytes, sum %llx, agent %s, pid %d", (unsigned long long)bytes,
                                (unsigned long long)sum, agent ? agent : "none", gproc_pid());
}

/* Reads `?read=` bytes and answers with `?size=` ones. */
static void early(ghttp_request *r)
{
    static const char text[] = "0123456789";
    char piece[1000];
    long left = ghttp_request_get_int(r, "read", 0);

    while (left > 0) {
        ssize_t got = ghttp_request_read(r, piece, left < 1000 ? (size_t)left : 1000);

        if (got <= 0)
            break;
        left -= got;
    }
    ghttp_response_set_status(r, 403);
    ghttp_response_set_header(r, "X-Reason", "enough");
    for (long i = 0; i < ghttp_request_get_int(r, "size", 10); i += 10)
        ghttp_response_write(r, text);
}

/* Answers with the program's own file, before the body is read. */
static void resource(ghttp_request *r)
{
    static unsigned char bytes[3000000];
    static const gres_file file = {"large.bin", bytes, sizeof(bytes), 1577836800,
                                   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};

    memset(bytes, 'r', sizeof(bytes));
    ghttp_response_serve_resource(r, &file);
}

/* Answers with the file that `?path=` names, before the body is read. */
static void file(ghttp_request *r)
{
    ghttp_response_serve_file(r, ghttp_request_get(r, "path"));
}

/* Flushes before, in the middle of, and behind the body, as `?at=` says. */
static void flush(ghttp_request *r)
{
    const char *at = ghttp_request_get(r, "at");
    char piece[1000];
    ssize_t got = at && !strcmp(at, "before") ? 0 : ghttp_request_read(r, piece, 10);
    int flushed;

    while (at && !strcmp(at, "behind") && (got = ghttp_request_read(r, piece, sizeof(piece))) > 0)
        continue;
    ghttp_response_write(r, "flushed ");
    flushed = ghttp_response_flush(r);
    while ((got = ghttp_request_read(r, piece, sizeof(piece))) > 0)
        continue;
    ghttp_response_writefln(r, "%d, then read %zd", flushed, got);
}

struct summary {
    uint64_t bytes, sum;
};

static int begin_part(ghttp_request *r, const struct ghttp_part *part, void *arg)
{
    *(struct summary *)arg = (struct summary){.bytes = 0};
    ghttp_response_writef(r, "%s (%s, %s): ", part->name, part->filename ? part->filename : "value",
                          part->type ? part->type : "none");
    return strcmp(part->name, "stop") ? 0 : -ECANCELED;
}

static int take_data(ghttp_request *r, const void *data, size_t size, void *arg)
{
    struct summary *summary = arg;

    (void)r;
    summary->bytes += size;
    summary->sum = add_up(summary->sum, data, size);
    return 0;
}

static int end_part(ghttp_request *r, void *arg)
{
    const struct summary *summary = arg;

    ghttp_response_writefln(r, "%llu %llx", (unsigned long long)summary->bytes, (unsigned long long)summary->sum);
    return 0;
}

static void form(ghttp_request *r)
{
    static const struct ghttp_multipart_callbacks callbacks = {begin_part, take_data, end_part};
    struct summary summary;

    ghttp_response_writefln(r, "form %d", ghttp_request_read_multipart(r, &callbacks, &summary));
}

static void authorize(ghttp_request *r)
{
    if (ghttp_request_header(r, "Authorization"))
        ghttp_request_next(r);
    else
        ghttp_response_write_status(r, 401);
}

static void collected(ghttp_request *r)
{
    size_t size;

    ghttp_request_body(r, &size);
    ghttp_response_writefln(r, "%zu", size);
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

int main(void)
{
    ghttp_server *s = g_server("uploads");
    ghttp_group *private = ghttp_server_group(s, "/private"), *limited = ghttp_server_group(s, "/limited");
    static const ghttp_timeout limit = {.ms = 1000, .status = 504};
    int ports[2] = {0, 0};

    setvbuf(stdout, NULL, _IOLBF, 0);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("sanitized\n");
#endif
    sem_init(&steps, 0, 0);
    ghttp_server_bind_streaming(s, "/count", count, NULL, (uint64_t)1 << 40);
    ghttp_server_bind_streaming(s, "/small", count, NULL, 1000);
    ghttp_server_bind_streaming(s, "POST:/early", early, NULL, 0);
    ghttp_server_bind_streaming(s, "POST:/resource", resource, NULL, 0);
    ghttp_server_bind_streaming(s, "POST:/file", file, NULL, 0);
    ghttp_server_bind_streaming(s, "POST:/flush", flush, NULL, 0);
    ghttp_server_bind_streaming(s, "POST:/form", form, NULL, (uint64_t)1 << 40);
    ghttp_server_bind(s, "POST:/form/collected", form);
    ghttp_server_bind(s, "POST:/collected", collected);
    ghttp_server_bind(s, "/go", go);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_group_use(private, authorize);
    ghttp_group_bind_streaming(private, "POST:/count", count, NULL, 0);
    ghttp_group_use_with(limited, ghttp_middleware_timeout, (void *)&limit);
    ghttp_group_bind_streaming(limited, "POST:/count", count, NULL, 0);
    ghttp_server_set_graceful(s, true);
    ghttp_server_set_address(s, getenv("GF_ADDRESS") ? getenv("GF_ADDRESS") : "127.0.0.1:0");
    if (ghttp_server_start(s) < 0)
        return 1;
    ghttp_server_listened_ports(s, ports, 2);
    printf("ports %d %d\n", ports[0], ports[1]);
    return g_wait();
}
