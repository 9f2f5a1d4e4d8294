/* The ready-made middleware: what each answers, lets through and refuses. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#ifdef GF_HAVE_BROTLI
#include <brotli/decode.h>
#endif
#ifdef GF_HAVE_ZSTD
#include <zstd.h>
#endif

#include <gf/gf.h>
#include <gf/ghttp/engine/spare.h>
#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/server/server.h>

static struct ghttp_request r;
static struct gf_arena *arena;
static ghttp_server *s;
static int served;

static void drop_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

static void begin_request(void)
{
    gf_request_finish(&r);
    gf_arena_reset(arena);
    gf_request_init(&r, arena, 1 << 20);
    r.method = "GET";
    r.target = "/";
    r.host = "localhost";
    served = 0;
}

static void begin(void)
{
    arena = gf_arena_new(64 << 20);
    gf_request_init(&r, arena, 1 << 20);
    s = g_server("middleware");
    glog_set_writer(drop_line, NULL);
    begin_request();
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(middleware, .init = begin, .fini = end);

static void add_header(const char *name, const char *value)
{
    cr_assert(zero(int, gf_fields_add(&r.headers, arena, name, value)));
}

static void run(void)
{
    cr_assert(gf_chain_prepare(&s->chain, &r) != NULL);
    gf_chain_run(&s->chain, &r);
}

static char *body(void)
{
    static char nothing[] = "";

    return r.response.body.size ? r.response.body.data : nothing;
}

static char *header(const char *name)
{
    const char *value = gf_fields_find(&r.response.headers, name);

    return (char *)(value ? value : "(none)");
}

static void hello(ghttp_request *request)
{
    served++;
    ghttp_response_write(request, "hello");
}

static void nothing(ghttp_request *request)
{
    (void)request;
    served++;
}

static void use(ghttp_handler *middleware, const void *arg, ghttp_handler *handler)
{
    cr_assert(zero(int, ghttp_server_use_with(s, middleware, (void *)arg)));
    cr_assert(zero(int, ghttp_server_bind(s, "/", handler)));
}

/* ---- cors ---- */

static void ask_from(const char *method, const char *origin, const char *asked)
{
    begin_request();
    r.method = method;
    if (origin)
        add_header("origin", origin);
    if (asked)
        add_header("Access-Control-Request-Method", asked);
    run();
}

Test(middleware, cors_is_open_to_all_and_without_credentials)
{
    use(ghttp_middleware_cors, NULL, hello);
    ask_from("GET", "https://a.example", NULL);
    cr_expect(eq(str, header("Access-Control-Allow-Origin"), "*"));
    cr_expect(eq(str, header("Access-Control-Allow-Credentials"), "(none)"));
    cr_expect(eq(str, header("Vary"), "(none)"));
    cr_expect(eq(str, body(), "hello"));
    ask_from("GET", NULL, NULL);
    cr_expect(eq(str, header("Access-Control-Allow-Origin"), "(none)"));
    ask_from("OPTIONS", "https://a.example", "PUT");
    cr_expect(zero(int, served));
    cr_expect(eq(int, r.response.status, 204));
    cr_expect(eq(str, header("Access-Control-Allow-Methods"), "GET,PUT,POST,DELETE,PATCH,HEAD,CONNECT,OPTIONS,TRACE"));
    cr_expect(not(zero(ptr, strstr(header("Access-Control-Allow-Headers"), "Authorization"))));
    cr_expect(eq(str, header("Access-Control-Max-Age"), "3628800"));
    ask_from("OPTIONS", "https://a.example", NULL);
    cr_expect(eq(int, served, 1), "OPTIONS of its own is the handler's");
}

static void fail(ghttp_request *request)
{
    served++;
    ghttp_response_fail(request, "it has");
}

/* Else the page's script learns nothing but "network error". */
Test(middleware, cors_lets_failures_be_read)
{
    static const ghttp_cors cors = {.origins = "https://a.example", .credentials = true};

    use(ghttp_middleware_cors, &cors, fail);
    ask_from("GET", "https://a.example", NULL);
    cr_expect(eq(int, r.response.status, 500));
    cr_expect(eq(str, header("Access-Control-Allow-Origin"), "https://a.example"));
    cr_expect(eq(str, header("Access-Control-Allow-Credentials"), "true"));
    cr_expect(eq(str, header("Vary"), "Origin"));
    begin_request();
    add_header("Origin", "https://a.example");
    r.target = "/absent";
    run();
    cr_expect(eq(int, r.response.status, 404));
    cr_expect(eq(str, header("Access-Control-Allow-Origin"), "https://a.example"));
    cr_assert(zero(int, ghttp_server_bind(s, "POST:/post", hello)));
    begin_request();
    add_header("Origin", "https://a.example");
    r.target = "/post";
    run();
    cr_expect(eq(int, r.response.status, 405));
    cr_expect(eq(str, header("Access-Control-Allow-Origin"), "https://a.example"));
    cr_expect(eq(str, header("Allow"), "POST, OPTIONS"));
}

Test(middleware, cors_of_any_origin_never_has_credentials)
{
    static const ghttp_cors cors = {.credentials = true};

    use(ghttp_middleware_cors, &cors, hello);
    ask_from("GET", "https://a.example", NULL);
    cr_expect(eq(str, header("Access-Control-Allow-Credentials"), "(none)"));
}

Test(middleware, cors_of_named_origins)
{
    static const ghttp_cors cors = {.origins = "https://a.example, http://b.example:81",
                                    .methods = "GET",
                                    .headers = "X-A",
                                    .exposed_headers = "X-B",
                                    .credentials = true,
                                    .max_age = -1};
    static const char *const strangers[] = {"https://a.example.org",
                                            "https://a.exampl",
                                            "http://a.example",
                                            "null",
                                            "https://a.example, http://b.example:81",
                                            "",
                                            "*"};

    use(ghttp_middleware_cors, &cors, hello);
    ask_from("GET", "http://b.example:81", NULL);
    cr_expect(eq(str, header("Access-Control-Allow-Origin"), "http://b.example:81"));
    cr_expect(eq(str, header("Access-Control-Allow-Credentials"), "true"));
    cr_expect(eq(str, header("Access-Control-Expose-Headers"), "X-B"));
    cr_expect(eq(str, header("Vary"), "Origin"));
    ask_from("OPTIONS", "https://a.example", "GET");
    cr_expect(eq(str, header("Access-Control-Allow-Methods"), "GET"));
    cr_expect(eq(str, header("Access-Control-Allow-Headers"), "X-A"));
    cr_expect(eq(str, header("Access-Control-Max-Age"), "(none)"));
    for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++) {
        ask_from("GET", strangers[i], NULL);
        cr_expect(eq(str, header("Access-Control-Allow-Origin"), "(none)"), "%s", strangers[i]);
        cr_expect(eq(str, header("Access-Control-Allow-Credentials"), "(none)"), "%s", strangers[i]);
        cr_expect(eq(str, header("Vary"), "Origin"));
        cr_expect(eq(int, served, 1));
        ask_from("OPTIONS", strangers[i], "GET");
        cr_expect(eq(int, r.response.status, 403), "%s", strangers[i]);
        cr_expect(zero(int, served));
    }
}

/* ---- response ---- */

static void with_data(ghttp_request *request)
{
    cr_expect(zero(int, ghttp_response_set_data(request, cJSON_CreateString("old"))));
    cr_expect(zero(int, ghttp_response_set_data(request, cJSON_Parse("{\"a\":[1,2]}"))));
}

static void with_error(ghttp_request *request)
{
    cr_expect(zero(int, ghttp_response_set_error(request, 51, "the \"name\" is missing")));
}

static void with_status(ghttp_request *request)
{
    ghttp_response_set_status(request, (int)ghttp_request_get_int(request, "status", 200));
    if (ghttp_request_query(request, "type"))
        ghttp_response_set_header(request, "Content-Type", ghttp_request_query(request, "type"));
}

Test(middleware, responses_have_one_shape)
{
    static const struct {
        const char *target, *body, *type;
    } cases[] = {
        {"/data", "{\"code\":0,\"message\":\"OK\",\"data\":{\"a\":[1,2]}}", "application/json"},
        {"/error", "{\"code\":51,\"message\":\"the \\\"name\\\" is missing\",\"data\":null}", "application/json"},
        {"/status", "{\"code\":0,\"message\":\"OK\",\"data\":null}", "application/json"},
        {"/status?status=403", "{\"code\":61,\"message\":\"Not Authorized\",\"data\":null}", "application/json"},
        {"/status?status=201", "{\"code\":0,\"message\":\"OK\",\"data\":null}", "application/json"},
        {"/status?status=409", "{\"code\":64,\"message\":\"Conflict\",\"data\":null}", "application/json"},
        {"/status?status=418", "{\"code\":64,\"message\":\"Unknown Error\",\"data\":null}", "application/json"},
        {"/absent", "{\"code\":65,\"message\":\"Not Found\",\"data\":null}", "application/json"},
        {"/status?status=204", "", "(none)"},
        {"/status?status=302", "", "(none)"},
        {"/status?type=text/event-stream;charset=utf-8", "", "text/event-stream;charset=utf-8"},
        {"/hello", "hello", "text/plain; charset=utf-8"},
        {"/", "{\"code\":0,\"message\":\"OK\",\"data\":null}", "application/json"},
    };

    use(ghttp_middleware_response, NULL, nothing);
    ghttp_server_bind(s, "/data", with_data);
    ghttp_server_bind(s, "/error", with_error);
    ghttp_server_bind(s, "/status", with_status);
    ghttp_server_bind(s, "/hello", hello);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin_request();
        r.target = cases[i].target;
        run();
        cr_expect(eq(str, body(), (char *)cases[i].body), "%s", cases[i].target);
        cr_expect(eq(str, header("Content-Type"), (char *)cases[i].type), "%s", cases[i].target);
    }
}

/* ---- json body ---- */

static void expect_refusal(ghttp_handler *middleware, void *arg, int status, const char *body)
{
    use(ghttp_middleware_response, NULL, nothing);
    cr_assert(zero(int, ghttp_server_bind_middleware_with(s, "/*", middleware, arg)));
    ghttp_server_bind(s, "/", hello);
    begin_request();
    r.method = "POST";
    gf_buffer_append(&r.body, "{", 1);
    run();
    cr_expect(eq(int, r.response.status, status));
    cr_expect(eq(str, r.response.body.data, (char *)body));
    cr_expect(zero(int, served));
}

Test(middleware, bodies_that_are_not_json_are_refused_in_the_shape_of_all)
{
    expect_refusal(ghttp_middleware_json_body, NULL, 400,
                   "{\"code\":53,\"message\":\"the body is not JSON\",\"data\":null}");
}

Test(middleware, strangers_are_refused_in_the_shape_of_all)
{
    static const ghttp_bearer_auth auth = {.tokens = NULL};

    expect_refusal(ghttp_middleware_bearer_auth, (void *)&auth, 401,
                   "{\"code\":64,\"message\":\"Unauthorized\",\"data\":null}");
}

Test(middleware, bodies_must_be_json)
{
    static const struct {
        const char *body;
        int status;
    } cases[] = {{"", 200}, {"{\"a\":1}", 200}, {" [1] ", 200}, {"null", 200}, {"{", 400}, {"{} x", 400}, {"a=1", 400}};

    use(ghttp_middleware_json_body, NULL, hello);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin_request();
        r.method = "POST";
        gf_buffer_append(&r.body, cases[i].body, strlen(cases[i].body));
        run();
        cr_expect(eq(int, r.response.status, cases[i].status), "%s", cases[i].body);
        cr_expect(eq(int, served, cases[i].status == 200), "%s", cases[i].body);
    }
}

/* It is not there yet when the middleware runs. */
Test(middleware, bodies_that_handlers_read_themselves_are_theirs_to_judge)
{
    use(ghttp_middleware_json_body, NULL, hello);
    begin_request();
    r.method = "POST";
    r.streamed = true;
    run();
    cr_expect(eq(int, r.response.status, 200));
    cr_expect(eq(int, served, 1));
}

/* ---- authentication ---- */

static bool ask_somebody(ghttp_request *request, const char *name, const char *password)
{
    (void)request;
    return strcmp(name, "eve") == 0 && strcmp(password, "x:y") == 0;
}

static void tell_user(ghttp_request *request)
{
    served++;
    ghttp_response_writef(request, "%s", ghttp_request_user(request));
}

Test(middleware, basic_authentication)
{
    static const ghttp_user users[] = {{"ann", "secret"}, {"bob", ""}, {"nobody", NULL}, {NULL, NULL}};
    static const ghttp_basic_auth auth = {.realm = "here", .users = users, .check = ask_somebody};
    static const struct {
        const char *header, *user; /* NULL: refused */
    } cases[] = {
        {"Basic YW5uOnNlY3JldA==", "ann"},
        {"basic  YW5uOnNlY3JldA", "ann"}, /* without its padding */
        {"Basic Ym9iOg==", "bob"},
        {"Basic ZXZlOng6eQ==", "eve"},
        {"Basic YW5uOnNlY3Jl", NULL},
        {"Basic YW5uOnNlY3JldHM=", NULL}, /* less, more */
        {"Basic Ym9iOnNlY3JldA==", NULL},
        {"Basic bm9ib2R5Og==", NULL}, /* another's; without a password */
        {"Basic YW5u", NULL},
        {"Basic ", NULL},
        {"Basic", NULL},
        {"Bearer YW5uOnNlY3JldA==", NULL},
        {"Basic YW5uOnNlY3JldA=", "ann"},
        {"Basic YW5uOnNlY3JldA==x", NULL},
        {"Basic YW5u*nNlY3JldA==", NULL},
        {"Basic YW5uOnNlY3JldAA=", NULL}, /* a NUL at the end */
        {"Basic Og==", NULL},
    };

    use(ghttp_middleware_basic_auth, &auth, tell_user);
    run();
    cr_expect(eq(int, r.response.status, 401));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin_request();
        add_header("Authorization", cases[i].header);
        run();
        cr_expect(eq(int, r.response.status, cases[i].user ? 200 : 401), "%s", cases[i].header);
        cr_expect(eq(int, served, cases[i].user != NULL), "%s", cases[i].header);
        if (cases[i].user)
            cr_expect(eq(str, body(), (char *)cases[i].user));
        else
            cr_expect(eq(str, header("WWW-Authenticate"), "Basic realm=\"here\", charset=\"UTF-8\""));
    }
}

Test(middleware, bearer_authentication)
{
    static const char *const tokens[] = {"abc", "", "defg", NULL};
    static const ghttp_bearer_auth auth = {.tokens = tokens};
    static const struct {
        const char *header;
        bool enters;
    } cases[] = {{"Bearer abc", true},   {"bearer defg", true}, {"Bearer ", false},   {"Bearer", false},
                 {"Bearer abcd", false}, {"Bearer ab", false},  {"Basic abc", false}, {"Bearer abcabc", false}};

    use(ghttp_middleware_bearer_auth, &auth, hello);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin_request();
        add_header("Authorization", cases[i].header);
        run();
        cr_expect(eq(int, r.response.status, cases[i].enters ? 200 : 401), "%s", cases[i].header);
        cr_expect(eq(int, served, cases[i].enters), "%s", cases[i].header);
    }
    cr_expect(eq(str, header("WWW-Authenticate"), "Bearer realm=\"restricted\""));
}

Test(middleware, without_its_argument_nobody_enters)
{
    ghttp_handler *const all[] = {ghttp_middleware_basic_auth, ghttp_middleware_bearer_auth,
                                  ghttp_middleware_rate_limit};

    for (size_t i = 0; i < 3; i++) {
        char pattern[16];

        snprintf(pattern, sizeof(pattern), "/%zu", i);
        ghttp_server_bind_middleware(s, pattern, all[i]);
        ghttp_server_bind(s, pattern, hello);
        begin_request();
        r.target = pattern;
        add_header("Authorization", i ? "Bearer x" : "Basic YW5uOnNlY3JldA==");
        run();
        cr_expect(eq(int, r.response.status, 500));
        cr_expect(zero(int, served));
    }
}

/* ---- request id ---- */

static void tell_id(ghttp_request *request)
{
    ghttp_response_writef(request, "%s", ghttp_request_id(request));
}

Test(middleware, requests_have_ids)
{
    static const char long_one[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
        "56789012345678901234567890123456789012345678";
    char before[64] = "";

    use(ghttp_middleware_request_id, NULL, tell_id);
    for (int i = 0; i < 3; i++) {
        begin_request();
        run();
        cr_expect(eq(sz, strspn(body(), "0123456789abcdef"), 32));
        cr_expect(eq(str, header("X-Request-Id"), body()));
        cr_expect(not(eq(str, before, body())));
        snprintf(before, sizeof(before), "%s", body());
    }
    static const char *const given[] = {"a-B_c.9", long_one + 1, long_one, "", "a b", "a\"b", "a;b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++) {
        begin_request();
        add_header("x-request-id", given[i]);
        run();
        cr_expect(eq(int, strcmp(body(), given[i]) == 0, i < 2), "%s", given[i]);
    }
}

/* ---- rate limit ---- */

static void come_from(const char *ip)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&r.peer;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&r.peer;

    begin_request();
    r.peer = (struct sockaddr_storage){.ss_family = strcmp(ip, "unix") == 0 ? AF_UNIX
                                                    : strchr(ip, ':')       ? AF_INET6
                                                                            : AF_INET};
    if (r.peer.ss_family == AF_INET)
        inet_pton(AF_INET, ip, &four->sin_addr);
    if (r.peer.ss_family == AF_INET6)
        inet_pton(AF_INET6, ip, &six->sin6_addr);
}

static int status_from(const char *ip)
{
    come_from(ip);
    run();
    return r.response.status;
}

Test(middleware, each_client_has_its_rate)
{
    ghttp_rate_limit *limit = ghttp_rate_limit_new(0.01, 3);

    use(ghttp_middleware_rate_limit, limit, hello);
    for (int i = 0; i < 3; i++)
        cr_expect(eq(int, status_from("192.0.2.1"), 200));
    cr_expect(eq(int, status_from("192.0.2.1"), 429));
    cr_expect(zero(int, served));
    cr_expect(eq(str, header("Retry-After"), "100"));
    cr_expect(eq(int, status_from("192.0.2.2"), 200));
    for (int i = 0; i < 3; i++)
        cr_expect(eq(int, status_from("2001:db8::1"), 200));
    cr_expect(eq(int, status_from("2001:db8::2"), 429), "the same /64");
    cr_expect(eq(int, status_from("2001:db8:0:1::1"), 200));
    cr_expect(eq(int, status_from("unix"), 200));
    ghttp_rate_limit_free(limit);
}

Test(middleware, tokens_come_back)
{
    ghttp_rate_limit *limit = ghttp_rate_limit_new(1000, 1);
    int refused = 0;

    use(ghttp_middleware_rate_limit, limit, hello);
    for (int i = 0; i < 5; i++) {
        while (status_from("192.0.2.1") == 429)
            refused++;
        cr_expect(eq(int, r.response.status, 200));
    }
    cr_expect(gt(int, refused, 0), "the loop is faster than 1,000 in a second");
    ghttp_rate_limit_free(limit);
}

Test(middleware, more_clients_than_the_table_holds_leave_the_limited_ones_limited)
{
    ghttp_rate_limit *limit = ghttp_rate_limit_new(0.001, 2);
    char ip[32];

    use(ghttp_middleware_rate_limit, limit, hello);
    for (int i = 0; i < 3; i++)
        status_from("192.0.2.1");
    for (unsigned i = 0; i < 200000; i++) {
        snprintf(ip, sizeof(ip), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        cr_assert(eq(int, status_from(ip), 200));
    }
    cr_expect(eq(int, status_from("192.0.2.1"), 429));
    ghttp_rate_limit_free(limit);
}

Test(middleware, rates_that_are_none)
{
    cr_expect(zero(ptr, ghttp_rate_limit_new(0, 1)));
    cr_expect(zero(ptr, ghttp_rate_limit_new(-1, 1)));
    cr_expect(zero(ptr, ghttp_rate_limit_new(0.0 / 0.0, 1)));
    cr_expect(zero(ptr, ghttp_rate_limit_new(1, 0)));
    cr_expect(eq(int, errno, EINVAL));
    ghttp_rate_limit_free(NULL);
}

/* ---- gzip ---- */

static void text(ghttp_request *request)
{
    for (long i = 0; i < ghttp_request_get_int(request, "size", 1024); i++)
        ghttp_response_writef(request, "%c", (char)('a' + i % 7));
    if (ghttp_request_query(request, "name"))
        ghttp_response_set_header(request, ghttp_request_query(request, "name"), ghttp_request_query(request, "value"));
    ghttp_response_set_status(request, (int)ghttp_request_get_int(request, "status", 200));
}

static void noise(ghttp_request *request)
{
    uint32_t state = 1;

    for (int i = 0; i < 4096; i++) {
        state = state * 1664525 + 1013904223;
        ghttp_response_write_bytes(request, (unsigned char[]){(unsigned char)(state >> 24)}, 1);
    }
}

static bool is_compressed(const char *target, const char *accept)
{
    begin_request();
    r.target = target;
    if (accept)
        add_header("accept-encoding", accept);
    run();
    bool marked = strcmp(header("Content-Encoding"), "gzip") == 0;
    cr_expect(eq(int, marked, r.response.body.size > 2 && memcmp(body(), "\x1f\x8b", 2) == 0));
    return marked;
}

/* Whether the body is gzip of size bytes as text() writes them. */
static bool unzips_to(size_t size)
{
    static unsigned char out[3 << 20];
    z_stream stream = {.next_in = (unsigned char *)r.response.body.data,
                       .avail_in = (unsigned)r.response.body.size,
                       .next_out = out,
                       .avail_out = sizeof(out)};
    bool good = inflateInit2(&stream, 15 + 16) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END &&
                stream.total_out == size && stream.avail_in == 0;

    inflateEnd(&stream);
    for (size_t i = 0; good && i < size; i++)
        good = out[i] == 'a' + i % 7;
    return good;
}

Test(middleware, gzip_compresses_what_is_worth_it)
{
    use(ghttp_middleware_gzip, NULL, text);
    ghttp_server_bind(s, "/noise", noise);
    cr_expect(is_compressed("/", "gzip"));
    cr_expect(unzips_to(1024));
    cr_expect(eq(str, header("Vary"), "Accept-Encoding"));
    cr_expect(is_compressed("/?size=3000000", "br, gzip;q=0.5"));
    cr_expect(unzips_to(3000000));
    cr_expect(not(is_compressed("/?size=1023", "gzip")));
    cr_expect(eq(str, header("Vary"), "(none)"));
    cr_expect(not(is_compressed("/noise", "gzip")), "it would not be smaller");
    cr_expect(eq(sz, r.response.body.size, 4096));
    cr_expect(is_compressed("/?status=404", "gzip"));
    cr_expect(not(is_compressed("/?status=206", "gzip")));
    cr_expect(not(is_compressed("/?status=204", "gzip")));
}

Test(middleware, gzip_is_for_those_who_take_it)
{
    static const char *const takers[] = {"gzip", "GZIP", "deflate, gzip", "*", "x-gzip", "gzip;q=0.001", "*;q=0, gzip"};
    static const char *const others[] = {NULL,          "",    "deflate", "gzip;q=0", "gzip; q=0.000", "*;q=0",
                                         "gzip;q=0, *", "gzi", "gzipp"};

    use(ghttp_middleware_gzip, NULL, text);
    for (size_t i = 0; i < sizeof(takers) / sizeof(*takers); i++)
        cr_expect(is_compressed("/", takers[i]), "%s", takers[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        cr_expect(not(is_compressed("/", others[i])), "%s", others[i] ? others[i] : "(none)");
        cr_expect(eq(str, header("Vary"), "Accept-Encoding"), "a cache must not give it to the others");
    }
}

Test(middleware, gzip_leaves_alone_what_is_compressed_already)
{
    static const char *const types[] = {"image/png", "video/mp4", "application/zip", "application/gzip;x=y"};
    char target[128];

    use(ghttp_middleware_gzip, NULL, text);
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        snprintf(target, sizeof(target), "/?name=Content-Type&value=%s", types[i]);
        cr_expect(not(is_compressed(target, "gzip")), "%s", types[i]);
    }
    cr_expect(is_compressed("/?name=Content-Type&value=image/svg%2Bxml", "gzip"));
    cr_expect(not(is_compressed("/?name=Content-Encoding&value=br", "gzip")));
    cr_expect(not(is_compressed("/?name=Content-Range&value=bytes%200-1023/2048", "gzip")));
    cr_expect(is_compressed("/?name=ETag&value=%22abc%22", "gzip"));
    cr_expect(eq(str, header("ETag"), "W/\"abc\""));
    cr_expect(is_compressed("/?name=Vary&value=Origin", "gzip"));
    cr_expect(eq(str, header("Vary"), "Origin, Accept-Encoding"));
    cr_expect(is_compressed("/?name=Vary&value=origin,%20accept-encoding", "gzip"));
    cr_expect(eq(str, header("Vary"), "origin, accept-encoding"));
}

static void text_among_many_headers(ghttp_request *request)
{
    char name[16];

    for (int i = 0; i < 63; i++) {
        snprintf(name, sizeof(name), "X-%d", i);
        ghttp_response_set_header(request, name, "x");
    }
    text(request);
}

/* Whatever goes wrong, the body as it is is a right answer. */
Test(middleware, without_room_for_its_headers_nothing_is_compressed)
{
    use(ghttp_middleware_compress, NULL, text_among_many_headers);
    cr_expect(not(is_compressed("/?name=X-63&value=full", "gzip")), "no room for Vary");
    cr_expect(eq(int, r.response.status, 500), "nor is there for a Content-Type");
    cr_expect(not(is_compressed("/?name=Content-Type&value=text/plain", "gzip")));
    cr_expect(eq(int, r.response.status, 200));
    cr_expect(eq(sz, r.response.body.size, 1024));
    cr_expect(eq(str, header("Vary"), "(none)"));
    cr_expect(not(is_compressed("/?name=Vary&value=Origin", "gzip")), "no room for Content-Encoding");
}

/* ---- proxies ---- */

static void tell_client(ghttp_request *request)
{
    ghttp_response_writef(request, "%s", ghttp_request_client_ip(request));
}

Test(middleware, the_client_behind_named_proxies)
{
    static const struct {
        const char *peer, *forwarded, *second, *client;
    } cases[] = {
        {"10.1.2.3", "192.0.2.1", NULL, "192.0.2.1"},
        {"10.1.2.3", NULL, NULL, "10.1.2.3"},
        {"11.1.2.3", "192.0.2.1", NULL, "11.1.2.3"}, /* a stranger says so */
        {"10.1.2.3", "6.6.6.6, 192.0.2.1", NULL, "192.0.2.1"},
        {"10.1.2.3", "6.6.6.6, 192.0.2.1, 10.9.9.9,10.8.8.8", NULL, "192.0.2.1"},
        {"10.1.2.3", "6.6.6.6, 192.0.2.1", "10.9.9.9", "192.0.2.1"},
        {"10.1.2.3", "6.6.6.6", "192.0.2.1", "192.0.2.1"},
        {"10.1.2.3", "10.1.1.1, 10.9.9.9", NULL, "10.1.1.1"}, /* all trusted: the first one */
        {"10.1.2.3", "192.0.2.1, unknown", NULL, "10.1.2.3"},
        {"10.1.2.3", "192.0.2.1, unknown, 10.9.9.9", NULL, "10.9.9.9"},
        {"10.1.2.3", "", NULL, "10.1.2.3"},
        {"10.1.2.3", ",", NULL, "10.1.2.3"},
        {"10.1.2.3", "unix", NULL, "10.1.2.3"},
        {"10.1.2.3", "192.0.2.1:4711", NULL, "192.0.2.1"},
        {"10.1.2.3", "[2001:db8::1]:4711", NULL, "2001:db8::1"},
        {"10.1.2.3", "2001:DB8::1", NULL, "2001:db8::1"},
        {"10.1.2.3", "::ffff:192.0.2.1", NULL, "192.0.2.1"},
        {"::ffff:10.1.2.3", "192.0.2.1", NULL, "192.0.2.1"},
        {"fd12::1", "192.0.2.1", NULL, "192.0.2.1"},
        {"fe12::1", "192.0.2.1", NULL, "fe12::1"},
        {"172.16.0.129", "192.0.2.1", NULL, "172.16.0.129"},
        {"172.16.0.127", "192.0.2.1", NULL, "192.0.2.1"},
        {"127.0.0.1", "192.0.2.1", NULL, "192.0.2.1"},
        {"127.0.0.2", "192.0.2.1", NULL, "127.0.0.2"},
        {"unix", "192.0.2.1", NULL, "192.0.2.1"},
    };

    cr_assert(zero(int, ghttp_server_trust_proxies(s, "127.0.0.1, 10.0.0.0/8,fd00::/8, 172.16.0.0/25  unix")));
    ghttp_server_bind(s, "/", tell_client);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        come_from(cases[i].peer);
        r.proxies = s->chain.proxies; /* as the engine does */
        if (cases[i].forwarded)
            add_header("X-Forwarded-For", cases[i].forwarded);
        if (cases[i].second)
            add_header("x-forwarded-for", cases[i].second);
        run();
        cr_expect(eq(str, body(), (char *)cases[i].client), "case %zu", i);
    }
}

Test(middleware, without_named_proxies_headers_say_nothing)
{
    ghttp_server_use(s, ghttp_middleware_request_id);
    ghttp_server_bind(s, "/", tell_client);
    come_from("127.0.0.1");
    add_header("X-Forwarded-For", "192.0.2.1");
    add_header("X-Forwarded-Proto", "https");
    run();
    cr_expect(eq(str, body(), "127.0.0.1"));
    cr_expect(not(ghttp_request_is_https(&r)));
}

Test(middleware, named_proxies_and_no_other_tell_the_scheme)
{
    cr_assert(zero(int, ghttp_server_trust_proxies(s, "10.0.0.0/8")));
    ghttp_server_bind(s, "/", tell_client);
    come_from("10.1.1.1");
    r.proxies = s->chain.proxies;
    add_header("X-Forwarded-Proto", "https");
    run();
    cr_expect(ghttp_request_is_https(&r));
    come_from("11.1.1.1");
    r.proxies = s->chain.proxies;
    add_header("X-Forwarded-Proto", "https");
    run();
    cr_expect(not(ghttp_request_is_https(&r)));
}

/* The last one that fits, and what comes after it. */
Test(middleware, lists_of_proxies_end_somewhere)
{
    char list[257 * 16] = "";
    size_t length = 0;

    for (int i = 0; i < 255; i++)
        length += (size_t)snprintf(list + length, sizeof(list) - length, "10.0.0.%d,", i);
    snprintf(list + length, sizeof(list) - length, "10.0.0.300");
    cr_expect(eq(int, ghttp_server_trust_proxies(s, list), -EINVAL));
    cr_expect(ne(ptr, strstr(ghttp_server_error(s), "\"10.0.0.300\" is no address"), NULL));
    s->error[0] = '\0';
    snprintf(list + length, sizeof(list) - length, "10.0.1.1");
    cr_expect(zero(int, ghttp_server_trust_proxies(s, list)));
    snprintf(list + length, sizeof(list) - length, "10.0.1.1 10.0.1.2");
    cr_expect(eq(int, ghttp_server_trust_proxies(s, list), -EINVAL));
    cr_expect(ne(ptr, strstr(ghttp_server_error(s), "\"10.0.1.2\" is one network too many; 256 fit"), NULL));
    s->error[0] = '\0';
}

Test(middleware, lists_of_proxies_that_are_none)
{
    static const char *const lists[] = {NULL,        "",          " , ",         "10.0.0.0/33",
                                        "::/129",    "10.0.0.0/", "10.0.0.0/a",  "10.0.0/8",
                                        "localhost", "unix/8",    "10.0.0.0/-1", "10.0.0.0/0x8"};

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        s->error[0] = '\0';
        cr_expect(eq(int, ghttp_server_trust_proxies(s, lists[i]), -EINVAL), "%s", lists[i] ? lists[i] : "(NULL)");
        cr_expect(not(zero(ptr, strstr(ghttp_server_error(s), "ghttp_server_trust_proxies(): "))));
    }
    s->error[0] = '\0';
    cr_expect(zero(int, ghttp_server_trust_proxies(s, "0.0.0.0/0,::/0")));
}

/* Which of them is wrong, and why, also at the end of a list that is full. */
static void expect_last_of(int count, const char *last, const char *reason)
{
    char list[8192] = "";

    for (int i = 1; i < count; i++)
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "10.0.0.%d,", i % 256);
    snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s", last);
    s->error[0] = '\0';
    cr_expect(eq(int, ghttp_server_trust_proxies(s, list), reason ? -EINVAL : 0), "%d", count);
    if (reason)
        cr_expect(not(zero(ptr, strstr(ghttp_server_error(s), reason))), "%s", ghttp_server_error(s));
}

Test(middleware, lists_of_proxies_that_are_full)
{
    expect_last_of(256, "nowhere", "\"nowhere\" is no address and no network");
    expect_last_of(257, "10.1.1.1", "\"10.1.1.1\" is one network too many; 256 fit");
    expect_last_of(256, "10.1.1.1", NULL);
}

/* ---- other codings ---- */

/* The Content-Encoding of the answer to who accepts this. */
static const char *coding_for(const char *accept)
{
    begin_request();
    r.target = "/?size=100000&name=ETag&value=%22abc%22";
    if (accept)
        add_header("accept-encoding", accept);
    run();
    cr_expect(eq(str, header("Vary"), "Accept-Encoding"));
    cr_expect(eq(int, r.response.body.size < 100000, strcmp(header("Content-Encoding"), "(none)") != 0), "%s", accept);
    return header("Content-Encoding");
}

static void expect_coding(const char *accept, const char *coding)
{
    cr_expect(eq(str, (char *)coding_for(accept), (char *)coding), "%s", accept);
}

Test(middleware, compress_takes_what_the_client_likes_best)
{
    use(ghttp_middleware_compress, NULL, text);
    expect_coding(NULL, "(none)");
    expect_coding("identity", "(none)");
    expect_coding("gzip", "gzip");
    expect_coding("*;q=0, deflate", "(none)");
#ifdef GF_HAVE_BROTLI
    expect_coding("br", "br");
    expect_coding("gzip;q=0.8, br;q=0.9", "br");
    expect_coding("gzip;q=0.9, br;q=0.8", "gzip");
    expect_coding("gzip, br;q=0.999", "gzip");
    expect_coding("br ; Q = 0 , gzip; q=0.1", "br"); /* no weight that the standard knows */
    expect_coding("br;q=0, gzip;q=0.1", "gzip");
    cr_expect(eq(str, header("ETag"), "W/\"abc\""));
#endif
#ifdef GF_HAVE_ZSTD
    expect_coding("zstd", "zstd");
    expect_coding("gzip, deflate, br, zstd", "zstd");
    expect_coding("*", "zstd");
    expect_coding("zstd;q=0.5, *;q=0.6", strcmp(coding_for("*;q=0.6, zstd;q=0"), "br") ? "gzip" : "br");
#endif
}

#ifdef GF_HAVE_ZSTD
Test(middleware, zstd_gives_the_bytes_back)
{
    static char out[1 << 17];

    use(ghttp_middleware_compress, NULL, text);
    coding_for("zstd");
    cr_assert(eq(sz, ZSTD_decompress(out, sizeof(out), r.response.body.data, r.response.body.size), 100000));
    for (size_t i = 0; i < 100000; i++)
        cr_assert(eq(chr, out[i], (char)('a' + i % 7)));
}
#endif

#ifdef GF_HAVE_BROTLI
Test(middleware, brotli_gives_the_bytes_back)
{
    static uint8_t out[1 << 17];
    size_t size = sizeof(out);

    use(ghttp_middleware_compress, NULL, text);
    coding_for("br");
    cr_assert(eq(int, BrotliDecoderDecompress(r.response.body.size, (const uint8_t *)r.response.body.data, &size, out),
                 BROTLI_DECODER_RESULT_SUCCESS));
    cr_assert(eq(sz, size, 100000));
    for (size_t i = 0; i < size; i++)
        cr_assert(eq(int, out[i], 'a' + (int)(i % 7)));
}
#endif

Test(middleware, compress_leaves_alone_what_does_not_shrink)
{
    use(ghttp_middleware_compress, NULL, noise);
    for (int i = 0; i < 3; i++) {
        begin_request();
        add_header("Accept-Encoding", i == 0 ? "zstd" : i == 1 ? "br" : "gzip");
        run();
        cr_expect(eq(str, header("Content-Encoding"), "(none)"));
        cr_expect(eq(sz, r.response.body.size, 4096));
    }
}

/* ---- time limits ---- */

Test(middleware, a_time_limit_needs_a_second_thread)
{
    static const ghttp_timeout limit = {.ms = 60000};

    use(ghttp_middleware_timeout, &limit, hello);
    begin_request();
    run(); /* no engine has made any */
    cr_expect(eq(int, r.response.status, 503));
    cr_expect(eq(str, header("Retry-After"), "1"));
    cr_expect(zero(int, served));
    cr_assert(zero(int, gf_spare_start(4, 1)));
    begin_request();
    run();
    cr_expect(eq(int, r.response.status, 200));
    cr_expect(eq(str, body(), "hello"));
    cr_expect(eq(int, served, 1));
    cr_expect(eq(i64, ghttp_request_time_left(&r), LONG_MAX), "outside of the limit");
    cr_assert(gf_spare_stop(10000));
}

static void outstay(ghttp_request *request)
{
    while (ghttp_request_time_left(request) > 0)
        usleep(1000);
    hello(request);
}

Test(middleware, a_handler_that_reads_its_body_itself_is_answered_for_when_it_returns)
{
    static const ghttp_timeout limit = {.ms = 60000}, short_limit = {.ms = 20, .status = 504, .message = "late"};

    use(ghttp_middleware_timeout, &limit, hello);
    begin_request();
    r.streamed = true;
    run(); /* no second thread is needed */
    cr_expect(eq(int, r.response.status, 200));
    cr_expect(eq(int, served, 1));
    s = g_server("short");
    use(ghttp_middleware_timeout, &short_limit, outstay);
    begin_request();
    r.streamed = true;
    run();
    cr_expect(eq(int, r.response.status, 504));
    cr_expect(eq(str, body(), "late"));
    cr_expect(eq(int, served, 1));
}

static void outstay_with_headers(ghttp_request *request)
{
    ghttp_response_set_header(request, "Content-Encoding", "br");
    ghttp_response_set_header(request, "ETag", "\"x\"");
    ghttp_response_set_header(request, "X-Request-Id", "7");
    ghttp_response_redirect(request, "/elsewhere", 303);
    outstay(request);
}

static void outstay_and_fail(ghttp_request *request)
{
    outstay(request);
    ghttp_response_fail(request, "too late");
}

Test(middleware, nothing_of_an_answer_that_came_too_late_describes_the_limits)
{
    static const ghttp_timeout limit = {.ms = 20};

    use(ghttp_middleware_timeout, &limit, outstay_with_headers);
    ghttp_server_bind(s, "/fail", outstay_and_fail);
    begin_request();
    r.streamed = true;
    run();
    cr_expect(eq(int, r.response.status, 503));
    cr_expect(eq(str, body(), "Service Unavailable"));
    cr_expect(eq(str, header("Location"), "(none)"));
    cr_expect(eq(str, header("ETag"), "(none)"));
    cr_expect(eq(str, header("Content-Encoding"), "(none)"));
    cr_expect(eq(str, header("X-Request-Id"), "7"));
    begin_request();
    r.target = "/fail";
    r.streamed = true;
    run();
    cr_expect(eq(int, r.response.status, 500), "a failure is one, however late");
}

Test(middleware, a_time_limit_without_one_is_a_500)
{
    static const ghttp_timeout limits[] = {{.ms = 0}, {.ms = -1}, {.ms = 86400001}};

    for (size_t i = 0; i <= sizeof(limits) / sizeof(*limits); i++) {
        s = g_server(i == 0 ? "t0" : i == 1 ? "t1" : i == 2 ? "t2" : "t3");
        use(ghttp_middleware_timeout, i < 3 ? &limits[i] : NULL, hello);
        begin_request();
        run();
        cr_expect(eq(int, r.response.status, 500));
        cr_expect(zero(int, served));
    }
}
