/*
 * Who may enter the admin page: each kind of peer, and each lie that a request can tell about itself.
 */
#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/route/router.h>
#include <gf/ghttp/server/server.h>
#include <gf/ghttp/service/admin_access.h>
#include <gf/ghttp/service/admin_login.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a request, as the engine would fill it ---------------------------------------------------- */

static struct gf_arena *arena;
static ghttp_server server = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct gf_route route = {.domain = "default"};
static ghttp_request request;
static char folder[] = "/tmp/gf-test-XXXXXX";

static void set_peer(const char *ip)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&request.peer;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&request.peer;

    memset(&request.peer, 0, sizeof(request.peer));
    if (!strcmp(ip, "unix"))
        request.peer.ss_family = AF_UNIX;
    else if (inet_pton(AF_INET, ip, &four->sin_addr) == 1)
        request.peer.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, ip, &six->sin6_addr) == 1)
        request.peer.ss_family = AF_INET6;
    else
        cr_fatal("no address: %s", ip);
}

static void begin(void)
{
    arena = gf_arena_new(1 << 20);
    gf_request_init(&request, arena, 0);
    request.server = &server;
    request.route = &route;
    request.host = "127.0.0.1";
    set_peer("127.0.0.1");
    cr_assert(eq(int, gf_settings_init(&server.settings), 0));
    cr_assert(not(zero(ptr, mkdtemp(folder))));
}

static void end(void)
{
    char command[64];

    gf_settings_finish(&server.settings);
    gf_request_finish(&request);
    gf_arena_free(arena);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(eq(int, system(command), 0));
}

TestSuite(admin_access, .init = begin, .fini = end, .timeout = 30);

static void set_header(const char *name, const char *value)
{
    gf_fields_remove(&request.headers, name);
    if (value)
        cr_assert(eq(int, gf_fields_add(&request.headers, arena, name, value), 0));
}

/* As both would come from the header. */
static void set_host(const char *host)
{
    set_header("Host", host);
    cr_assert(eq(int, gf_host_parse(arena, host, strlen(host), &request.host), 0), "%s", host);
}

static bool by_cookie;

static int check(void)
{
    struct gf_admin_entry entry;
    int status = gf_admin_check_access(&request, &entry);

    cr_expect(eq(int, status != 0, entry.why != NULL), "a refusal says why");
    by_cookie = entry.by_cookie;
    return status;
}

/* ---- without a token --------------------------------------------------------------------------- */

Test(admin_access, lets_in_peers_of_this_machine_only)
{
    static const char *const in[] = {"127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1", "unix"};
    static const char *const out[] = {"10.0.0.1", "128.0.0.1", "0.0.0.0",         "::2", "::", "::ffff:10.0.0.1",
                                      "fe80::1",  "127::1",    "2001:db8::7f00:1"};

    for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++) {
        set_peer(in[i]);
        cr_expect(eq(int, check(), 0), "%s", in[i]);
    }
    for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
        set_peer(out[i]);
        cr_expect(eq(int, check(), 403), "%s", out[i]);
    }
    request.peer.ss_family = AF_UNSPEC;
    cr_expect(eq(int, check(), 403));
}

Test(admin_access, takes_nothing_from_a_proxy_for_local)
{
    static const char *const names[] = {"Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto",
                                        "Via",       "X-Real-IP"};
    static const char *const peers[] = {"127.0.0.1", "unix"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        for (size_t n = 0; n < 2; n++) {
            set_peer(peers[n]);
            set_header(names[i], "127.0.0.1");
            cr_expect(eq(int, check(), 403), "%s from %s", names[i], peers[n]);
            set_header(names[i], NULL);
            cr_expect(eq(int, check(), 0));
        }
}

Test(admin_access, knows_its_own_names)
{
    static const char *const in[] = {"localhost",      "LOCALHOST:8199", "a.localhost", "127.0.0.1:80", "127.1.2.3",
                                     "192.168.1.5:81", "[::1]",          "[::1]:8199",  "[fe80::1]"};
    static const char *const out[] = {"evil.example",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil.example",
                                      "evillocalhost",
                                      ".localhost",
                                      "localhos",
                                      "127.0.0.1.",
                                      "0x7f.1"};

    for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++) {
        set_host(in[i]);
        cr_expect(eq(int, check(), 0), "%s", in[i]);
    }
    for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
        set_host(out[i]);
        cr_expect(eq(int, check(), 403), "%s", out[i]);
    }
    set_peer("unix"); /* no browser comes this way */
    cr_expect(eq(int, check(), 0));
}

Test(admin_access, takes_the_domain_that_the_program_named)
{
    struct gf_route named = {.domain = "example.org"};

    request.route = &named;
    set_host("Example.org:8199");
    cr_expect(eq(int, check(), 0));
    set_host("evil.example");
    cr_expect(eq(int, check(), 403));
    named.domain = "default";
    set_host("default");
    cr_expect(eq(int, check(), 403));
}

/* ---- other sites ------------------------------------------------------------------------------- */

Test(admin_access, refuses_what_another_site_causes)
{
    static const char *const out[] = {"cross-site", "same-site", "", "what"};

    for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
        set_header("Sec-Fetch-Site", out[i]);
        cr_expect(eq(int, check(), 403), "%s", out[i]);
    }
    set_header("Sec-Fetch-Site", "same-origin");
    cr_expect(eq(int, check(), 0));
    set_header("Sec-Fetch-Site", "none");
    cr_expect(eq(int, check(), 0));
}

Test(admin_access, compares_the_origin_with_the_host)
{
    static const struct {
        const char *origin, *host;
        bool secure;
        int status;
    } cases[] = {
        {"http://127.0.0.1:8199", "127.0.0.1:8199", false, 0},
        {"http://LocalHost:8199", "localhost:8199", false, 0},
        {"http://localhost", "localhost", false, 0},
        {"http://localhost", "localhost:80", false, 0},
        {"http://localhost:80", "localhost", false, 0},
        {"https://localhost", "localhost:443", true, 0},
        {"http://[::1]:8199", "[::1]:8199", false, 0},
        {"http://127.0.0.1:8200", "127.0.0.1:8199", false, 403},
        {"http://127.0.0.1", "127.0.0.1:8199", false, 403},
        {"http://127.0.0.1:8199", "localhost:8199", false, 403},
        {"http://localhost.evil", "localhost", false, 403},
        {"http://evil.example", "localhost", false, 403},
        {"https://localhost:80", "localhost", false, 403},
        {"null", "localhost", false, 403},
        {"", "localhost", false, 403},
        {"http://", "localhost", false, 403},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        request.secure = cases[i].secure;
        set_host(cases[i].host);
        set_header("Origin", cases[i].origin);
        cr_expect(eq(int, check(), cases[i].status), "%s, %s", cases[i].origin, cases[i].host);
    }
    set_header("Host", NULL);
    set_header("Origin", "http://");
    cr_expect(eq(int, check(), 403));
}

Test(admin_access, knows_a_browser_that_asks_ahead)
{
    cr_expect(not(gf_admin_is_prefetch(&request)));
    set_header("Purpose", "prefetch");
    cr_expect(gf_admin_is_prefetch(&request));
    set_header("Purpose", NULL);
    set_header("Sec-Purpose", "prefetch;prerender");
    cr_expect(gf_admin_is_prefetch(&request));
}

/* ---- with a token ------------------------------------------------------------------------------ */

Test(admin_access, asks_for_the_token_where_there_is_one)
{
    static const char *const in[] = {"Bearer s3cret", "bearer s3cret", "Bearer   s3cret"};
    static const char *const out[] = {NULL,
                                      "",
                                      "Bearer",
                                      "Bearer ",
                                      "Bearer s3cre",
                                      "Bearer s3cret2",
                                      "Bearer S3cret",
                                      "Basic s3cret",
                                      "s3cret",
                                      "Bearers3cret",
                                      "Bearer s3crets3cret"};
    static const char *const peers[] = {"127.0.0.1", "203.0.113.9", "unix"};
    char error[200];

    cr_assert(eq(int, gf_settings_set(&server.settings, "adminToken", "s3cret", error, sizeof(error)), 0));
    for (size_t n = 0; n < sizeof(peers) / sizeof(*peers); n++) {
        set_peer(peers[n]);
        for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++) {
            set_header("Authorization", in[i]);
            cr_expect(eq(int, check(), 0), "%s from %s", in[i], peers[n]);
        }
        for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
            set_header("Authorization", out[i]);
            cr_expect(eq(int, check(), 401), "%s from %s", out[i] ? out[i] : "nothing", peers[n]);
        }
    }
}

Test(admin_access, takes_the_token_through_a_proxy_but_not_from_another_site)
{
    char error[200];

    cr_assert(eq(int, gf_settings_set(&server.settings, "adminToken", "s3cret", error, sizeof(error)), 0));
    set_header("Authorization", "Bearer s3cret");
    set_header("X-Forwarded-For", "203.0.113.9");
    set_host("admin.example.org");
    cr_expect(eq(int, check(), 0));
    set_header("Sec-Fetch-Site", "cross-site");
    cr_expect(eq(int, check(), 403));
}

/* ---- the cookie -------------------------------------------------------------------------------- */

/* What a browser would send back after a login. */
static const char *log_in(const char *token)
{
    const char *set;

    cr_assert(eq(int, gf_admin_login_remember(&request, token), 0));
    set = gf_fields_find(&request.response.headers, "Set-Cookie");
    cr_assert(not(zero(ptr, (void *)set)));
    cr_expect(not(zero(ptr, strstr(set, "; HttpOnly"))), "%s", set);
    cr_expect(not(zero(ptr, strstr(set, "; SameSite=Strict"))), "%s", set);
    cr_expect(zero(ptr, strstr(set, "Path")), "%s", set);
    cr_expect(zero(ptr, strstr(set, token)), "%s", set);
    return gf_arena_strndup(arena, set, strcspn(set, ";"));
}

static int check_cookie(const char *cookie)
{
    set_header("Cookie", cookie);
    request.cookies_parsed = false;
    request.cookies.count = 0;
    return check();
}

Test(admin_access, takes_the_cookie_of_a_login)
{
    char error[200], changed[256];
    const char *cookie;

    cr_assert(eq(int, gf_settings_set(&server.settings, "adminToken", "s3cret", error, sizeof(error)), 0));
    set_peer("203.0.113.9");
    cookie = log_in("s3cret");
    cr_expect(eq(int, check(), 401));
    cr_expect(eq(int, check_cookie(cookie), 0));
    cr_expect(by_cookie);
    for (size_t i = strcspn(cookie, "=") + 1; cookie[i]; i++) {
        snprintf(changed, sizeof(changed), "%s", cookie);
        changed[i] = changed[i] == '1' ? '2' : '1';
        cr_expect(eq(int, check_cookie(changed), 401), "%s", changed);
    }
    snprintf(changed, sizeof(changed), "%.*s", (int)strcspn(cookie, "."), cookie);
    cr_expect(eq(int, check_cookie(changed), 401));
    set_header("Sec-Fetch-Site", "cross-site");
    cr_expect(eq(int, check_cookie(cookie), 403));
    set_header("Sec-Fetch-Site", NULL);
    cr_assert(eq(int, gf_settings_set(&server.settings, "adminToken", "s3crets", error, sizeof(error)), 0));
    cr_expect(eq(int, check_cookie(cookie), 401), "another token ends all logins");
}

Test(admin_access, keeps_the_cookie_of_a_login_over_tls_to_tls)
{
    cr_assert(eq(int, gf_admin_login_remember(&request, "s3cret"), 0));
    cr_expect(zero(ptr, strstr(gf_fields_find(&request.response.headers, "Set-Cookie"), "; Secure")));
    gf_response_reset(&request);
    request.secure = true;
    cr_assert(eq(int, gf_admin_login_remember(&request, "s3cret"), 0));
    cr_expect(not(zero(ptr, strstr(gf_fields_find(&request.response.headers, "Set-Cookie"), "; Secure"))));
}

Test(admin_access, counts_wrong_tokens_of_each_client)
{
    char error[200];
    const char *cookie;
    int wrong = 0;

    cr_assert(eq(int, gf_settings_set(&server.settings, "adminToken", "s3cret", error, sizeof(error)), 0));
    cr_assert(eq(int, gf_admin_login_set_up(), 0));
    set_peer("203.0.113.9");
    cookie = log_in("s3cret");
    for (int i = 0; i < 30; i++) { /* right ones cost nothing */
        set_header("Authorization", "Bearer s3cret");
        cr_expect(eq(int, check(), 0));
    }
    set_header("Authorization", "Bearer guess");
    for (int i = 0; i < 60 && check() == 401; i++)
        wrong++;
    cr_expect(ge(int, wrong, 10));
    cr_expect(lt(int, wrong, 60));
    set_header("Authorization", "Bearer s3cret");
    cr_expect(eq(int, check(), 429), "it is not looked at any more");
    set_header("Authorization", NULL);
    cr_expect(eq(int, check_cookie(cookie), 0), "who is in stays in");
    request.remote_ip = request.client_ip = NULL;
    set_peer("203.0.113.10");
    set_header("Authorization", "Bearer s3cret");
    cr_expect(eq(int, check(), 0));
}

/* ---- executables ------------------------------------------------------------------------------- */

static void make_file(const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    cr_assert(ge(int, fd, 0));
    close(fd);
}

static void make_tree(void)
{
    static const char *const folders[] = {"in", "in/deep", "inner", "out"};
    char path[128], target[128];

    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, folders[i]);
        cr_assert(eq(int, mkdir(path, 0755), 0));
    }
    make_file("in/new");
    make_file("in/deep/new");
    make_file("inner/new");
    make_file("out/new");
    snprintf(target, sizeof(target), "%s/out/new", folder);
    snprintf(path, sizeof(path), "%s/in/link", folder);
    cr_assert(eq(int, symlink(target, path), 0));
    snprintf(target, sizeof(target), "%s/in", folder);
    snprintf(path, sizeof(path), "%s/alias", folder);
    cr_assert(eq(int, symlink(target, path), 0));
}

static int check_file(const char *allowed, const char *file)
{
    char path[128], folders[256], executable[PATH_MAX] = "";
    int result;

    snprintf(path, sizeof(path), "%s/%s", folder, file);
    snprintf(folders, sizeof(folders), "/nowhere::%s/%s", folder, allowed);
    result = gf_admin_check_executable(folders, path, executable);
    if (!result)
        cr_expect(eq(int, access(executable, F_OK), 0));
    return result;
}

Test(admin_access, looks_where_an_executable_really_lies)
{
    make_tree();
    cr_expect(eq(int, check_file("in", "in/new"), 0));
    cr_expect(eq(int, check_file("in/", "in/deep/new"), 0));
    cr_expect(eq(int, check_file("alias", "in/new"), 0));
    cr_expect(eq(int, check_file("in", "alias/new"), 0));
    cr_expect(eq(int, check_file("in", "out/new"), -EPERM));
    cr_expect(eq(int, check_file("in", "inner/new"), -EPERM));
    cr_expect(eq(int, check_file("in", "in/../out/new"), -EPERM));
    cr_expect(eq(int, check_file("in", "in/link"), -EPERM));
    cr_expect(eq(int, check_file("in", "in"), -EPERM));
    cr_expect(eq(int, check_file("in", "in/gone"), -ENOENT));
    cr_expect(eq(int, check_file("gone", "in/new"), -EPERM));
}

Test(admin_access, takes_any_executable_where_no_folder_is_set)
{
    char executable[PATH_MAX], lengthy[PATH_MAX + 1];

    cr_expect(eq(int, gf_admin_check_executable("", "/some/where", executable), 0));
    cr_expect(eq(str, executable, "/some/where"));
    cr_expect(eq(int, gf_admin_check_executable("/", "/bin/sh", executable), 0));
    memset(lengthy, 'a', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = '\0';
    cr_expect(eq(int, gf_admin_check_executable("", lengthy, executable), -ENAMETOOLONG));
}

/* ---- where the page is ------------------------------------------------------------------------- */

Test(admin_access, has_one_page_at_one_place)
{
    ghttp_server *s = ghttp_server_get("twice");

    cr_expect(eq(int, ghttp_server_enable_admin(s, NULL), 0));
    cr_expect(eq(int, ghttp_server_enable_admin(s, "/other@example.org"), 0));
    cr_expect(eq(str, (char *)ghttp_server_error(s), ""));
    cr_expect(eq(int, ghttp_server_enable_admin(s, "/debug/admin"), -EEXIST));
    cr_expect(not(zero(ptr, strstr(ghttp_server_error(s), "ghttp_server_enable_admin()"))), "%s",
              ghttp_server_error(s));
}

Test(admin_access, refuses_a_place_that_is_none)
{
    static const char *const bad[] = {"", "admin", "GET:/admin", "/admin/*", "/admin@", "/a?b"};
    char name[16], lengthy[3000];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(name, sizeof(name), "bad%zu", i);
        cr_expect(eq(int, ghttp_server_enable_admin(ghttp_server_get(name), bad[i]), -EINVAL), "%s", bad[i]);
        cr_expect(ne(str, (char *)ghttp_server_error(ghttp_server_get(name)), ""));
    }
    memset(lengthy, 'a', sizeof(lengthy) - 1);
    lengthy[0] = '/';
    lengthy[sizeof(lengthy) - 1] = '\0';
    cr_expect(eq(int, ghttp_server_enable_admin(ghttp_server_get("lengthy"), lengthy), -EINVAL));
}
