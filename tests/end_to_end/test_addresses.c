/*
 * Addresses: where a server listens, and what it says, and leaves behind, when it cannot.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gf/gf.h>

#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/http_server.h"
#include "tests/support/port.h"

static char folder[] = "/tmp/gf-addresses-XXXXXX";

static void start(void)
{
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void stop(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(addresses, .init = start, .fini = stop, .timeout = 60);

/* A path in the test's folder; a few are valid at a time. */
static const char *in_folder(const char *name)
{
    static char paths[8][160];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

__attribute__((format(printf, 1, 2))) static const char *text_of(const char *format, ...)
{
    static char texts[8][256];
    static int next;
    char *text = texts[next++ % 8];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(texts[0]), format, arguments);
    va_end(arguments);
    return text;
}

/* What /show says over this connection; allocated. */
static char *show(const struct transport_target *target)
{
    struct client *c = client_connect(target, 10000);
    int error = 0;

    cr_assert(ne(ptr, c, NULL), "%s", strerror(errno));
    const struct answer *a = client_get(c, "/show", &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    cr_assert(eq(int, a->status, 200));
    char *body = strdup(a->body);
    client_close(c);
    return body;
}

static void expect_shown(const struct transport_target *target, const char *text)
{
    char *body = show(target);

    cr_assert(ne(ptr, strstr(body, text), NULL), "no \"%s\" in\n%s", text, body);
    free(body);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

/* ---- where it listens ----------------------------------------------------------------------------------------------
 */

Test(addresses, several_ports_of_one_server)
{
    const char *const arguments[] = {"--address", "127.0.0.1:0,127.0.0.1:0, 127.0.0.1:0", NULL};
    struct http_server *s = http_server_start(arguments);

    cr_assert(ne(ptr, s, NULL));
    cr_assert(eq(int, s->port_count, 3));
    for (int i = 0; i < 3; i++) {
        struct transport_target target = {.port = s->ports[i]};

        expect_shown(&target, "peer=127.0.0.1\n");
        char *line =
            process_find_line(s->process, text_of("http server started listening on [127.0.0.1:%d]", s->ports[i]));
        cr_assert(ne(ptr, line, NULL));
        free(line);
    }
    cr_assert(eq(int, http_server_stop(s), 0));
}

Test(addresses, a_port_alone_is_for_both_families)
{
    const char *const arguments[] = {"--port", "0", NULL};
    struct http_server *s = http_server_start(arguments);

    cr_assert(ne(ptr, s, NULL));
    struct transport_target four = {.port = s->port}, six = {.port = s->port, .host = "::1"};
    expect_shown(&four, "peer=127.0.0.1\n");
    if (has_ipv6())
        expect_shown(&six, "peer=::1\n");
    char *line = process_find_line(s->process, text_of("listening on [:%d]", s->port));
    cr_assert(ne(ptr, line, NULL));
    free(line);
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* Of both protocols, by the functions that take numbers: all of a list of them. */
Test(addresses, several_ports_of_a_server)
{
    cr_assert(eq(int, certificate_make(folder, "server", "localhost"), 0));
    char first[16], second[16];
    int wanted[2];
    const char *const arguments[] = {"--ports",
                                     "0",
                                     first,
                                     "--https-ports",
                                     "0",
                                     second,
                                     "--https",
                                     in_folder("server.crt"),
                                     in_folder("server.key"),
                                     NULL};

    for (int i = 0; i < 2; i++)
        wanted[i] = free_port();
    snprintf(first, sizeof(first), "%d", wanted[0]);
    snprintf(second, sizeof(second), "%d", wanted[1]);
    struct http_server *s = http_server_start(arguments);
    cr_assert(ne(ptr, s, NULL));
    cr_assert(eq(int, s->port_count, 4));
    cr_expect(eq(int, s->ports[1], wanted[0]));
    cr_expect(eq(int, s->ports[3], wanted[1]));
    for (int i = 0; i < 4; i++) {
        struct transport_target target = {.port = s->ports[i], .tls = i >= 2};

        expect_shown(&target, "peer=127.0.0.1\n");
        expect_shown(&target, i < 2 ? "https=0\n" : "https=1\n");
    }
    cr_assert(eq(int, http_server_stop(s), 0));
}

Test(addresses, ipv6_alone)
{
    const char *const arguments[] = {"--address", "[::1]:0", NULL};

    if (!has_ipv6())
        cr_skip_test("no IPv6 here");
    struct http_server *s = http_server_start(arguments);
    cr_assert(ne(ptr, s, NULL));
    struct transport_target six = {.port = s->port, .host = "::1"}, four = {.port = s->port};
    expect_shown(&six, "peer=::1\n");
    cr_assert(eq(ptr, client_connect(&four, 1000), NULL));
    cr_assert(eq(int, http_server_stop(s), 0));
}

Test(addresses, two_servers_of_one_process)
{
    int port = free_port();
    const char *const arguments[] = {"--second", text_of("127.0.0.1:%d", port), NULL};
    struct http_server *s = http_server_start(arguments);

    cr_assert(ne(ptr, s, NULL));
    cr_assert(http_server_serves(s));
    cr_assert(eq(int, client_fetch(port, "/", NULL), 200));
    cr_assert(eq(int, http_server_stop(s), 0));
    cr_assert(eq(int, client_fetch(port, "/", NULL), -ECONNREFUSED));
}

/* ---- Unix sockets --------------------------------------------------------------------------------------------------
 */

Test(addresses, a_unix_socket_comes_and_goes_with_the_server)
{
    const char *path = in_folder("a.sock");
    const char *const arguments[] = {"--address", text_of("127.0.0.1:0,unix:%s", path), NULL};
    struct transport_target target = {.unix_path = path};
    struct stat status;

    for (int round = 0; round < 2; round++) {
        struct http_server *s = http_server_start(arguments);

        cr_assert(ne(ptr, s, NULL));
        cr_assert(eq(int, s->port_count, 1));
        cr_assert(eq(int, lstat(path, &status), 0));
        cr_assert(ne(int, S_ISSOCK(status.st_mode), 0));
        expect_shown(&target, "peer=unix\n");
        cr_assert(http_server_serves(s));
        cr_assert(eq(int, http_server_stop(s), 0));
        cr_assert(eq(int, lstat(path, &status), -1));
        cr_assert(eq(int, errno, ENOENT));
    }
}

Test(addresses, a_stale_unix_socket_is_replaced)
{
    const char *path = in_folder("stale.sock");
    const char *const arguments[] = {"--address", text_of("127.0.0.1:0,unix:%s", path), NULL};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct transport_target target = {.unix_path = path};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    cr_assert(eq(int, bind(fd, (struct sockaddr *)&un, sizeof(un)), 0));
    cr_assert(eq(int, listen(fd, 1), 0));
    close(fd); /* as a killed process leaves it */
    struct http_server *s = http_server_start(arguments);
    cr_assert(ne(ptr, s, NULL));
    expect_shown(&target, "peer=unix\n");
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* ---- starts that fail ----------------------------------------------------------------------------------------------
 */

/* It must end with status 1, and say all of these, NULL at the end. */
static void expect_failure(const char *const *arguments, const char *const *texts)
{
    struct process_options options = {.program = "http_server", .arguments = arguments};
    struct process *p = process_start(&options);
    int status = 0;

    cr_assert(ne(ptr, p, NULL));
    cr_assert(eq(int, process_wait_exit(p, 20000, &status), 0), "it has started");
    cr_assert(eq(int, process_wait_end(p, 5000), 0));
    char *output = process_output(p);
    cr_assert(eq(int, WIFEXITED(status) ? WEXITSTATUS(status) : -1, 1), "status %x\n%s", (unsigned)status, output);
    for (; *texts; texts++)
        cr_assert(ne(ptr, strstr(output, *texts), NULL), "no \"%s\" in\n%s", *texts, output);
    free(output);
    process_free(p);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NAMED "server \"s1\" does not start: "

Test(addresses, that_are_in_use)
{
    struct http_server *s = http_server_start(NULL);

    cr_assert(ne(ptr, s, NULL));
    const char *address = text_of("127.0.0.1:%d", s->port);
    expect_failure(LIST("--name", "s1", "--address", address),
                   LIST(NAMED "ghttp_server_start(): cannot listen on", address, "Address already in use"));
    cr_assert(http_server_serves(s));
    cr_assert(eq(int, http_server_stop(s), 0));
}

Test(addresses, of_a_living_servers_unix_socket)
{
    const char *path = in_folder("living.sock");
    const char *address = text_of("unix:%s", path);
    const char *const arguments[] = {"--address", text_of("127.0.0.1:0,%s", address), NULL};
    struct http_server *s = http_server_start(arguments);
    struct transport_target target = {.unix_path = path};

    cr_assert(ne(ptr, s, NULL));
    expect_failure(LIST("--name", "s1", "--address", address),
                   LIST(NAMED "ghttp_server_start(): cannot listen on", path, "Address already in use"));
    expect_shown(&target, "peer=unix\n");
    cr_assert(eq(int, http_server_stop(s), 0));
}

Test(addresses, of_files_that_are_no_sockets)
{
    const char *path = in_folder("file");
    struct stat status;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    cr_assert(ge(int, fd, 0));
    cr_assert(eq(int, (int)write(fd, "precious", 8), 8));
    close(fd);
    expect_failure(LIST("--name", "s1", "--address", text_of("unix:%s", path)),
                   LIST(NAMED "ghttp_server_start(): cannot listen on", "File exists"));
    cr_assert(eq(int, lstat(path, &status), 0));
    cr_assert(eq(int, (int)status.st_size, 8));
    expect_failure(LIST("--name", "s1", "--address", text_of("unix:%s/missing/a.sock", folder)),
                   LIST(NAMED "ghttp_server_start(): cannot listen on", "No such file or directory"));
}

Test(addresses, that_are_none)
{
    static const char *const bad[] = {
        "nonsense",      "127.0.0.1",    "127.0.0.1:", ":65536", ":-1",           ":8100x",
        "1.2.3:80",      "[::1:80",      "::1:80",     "a.b:80", "unix:relative", "127.0.0.1:1,,",
        "127.0.0.1:1,x", "[1.2.3.4]:80", "[]:80",      "unix:",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        expect_failure(LIST("--name", "s1", "--address", bad[i]), LIST(NAMED "ghttp_server_set_address(): "));
    expect_failure(LIST("--name", "s1", "--address", "127.0.0.1:81,127.0.0.1:81"),
                   LIST(NAMED "ghttp_server_set_address(): ", "twice"));
    expect_failure(LIST("--name", "s1", "--port", "70000"), LIST(NAMED "ghttp_server_set_port(): 70000 is no port"));
    expect_failure(LIST("--name", "s1", "--address", "192.0.2.1:0"),
                   LIST(NAMED "ghttp_server_start(): cannot listen on \"192.0.2.1:0\": ", "Cannot assign"));
}

Test(addresses, of_a_unix_socket_whose_path_is_too_long)
{
    char address[256] = "unix:/tmp/";

    memset(address + strlen(address), 'x', 120);
    expect_failure(LIST("--name", "s1", "--address", address), LIST(NAMED "ghttp_server_set_address(): "));
}

Test(addresses, with_settings_that_are_none)
{
    expect_failure(LIST("--name", "s1", "--set", "clientMaxBodySise=1m"),
                   LIST(NAMED "ghttp_server_set(): ", "clientMaxBodySise", "did you mean \"clientMaxBodySize\""));
    expect_failure(LIST("--name", "s1", "--set", "readTimeout=soon"),
                   LIST(NAMED "ghttp_server_set(): ", "readTimeout", "soon"));
    expect_failure(LIST("--name", "s1", "--set", "maxConnections=0"),
                   LIST(NAMED "ghttp_server_set(): ", "out of range"));
    expect_failure(LIST("--name", "s1", "--set", "keepAlive=perhaps"), LIST(NAMED "ghttp_server_set(): ", "keepAlive"));
}

Test(addresses, with_patterns_that_are_none)
{
    static const char *const bad[] = {"no-slash", "BREW:/x", "GET:", "/a/*", "/a/:", "/", "/x@", ""};

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) /* twice: "/" is fine only once */
        expect_failure(LIST("--name", "s1", "--bind", bad[i], "--bind", bad[i]), LIST(NAMED "ghttp_server_bind(): "));
    expect_failure(LIST("--name", "s1", "--no-routes"), LIST(NAMED "ghttp_server_start(): no route is bound"));
}

Test(addresses, with_names_that_are_none)
{
    expect_failure(LIST("--name", "a\nb"), LIST("does not start: g_server(): "));
    expect_failure(LIST("--name", "0123456789012345678901234567890123456789012345678901234567890123456789"),
                   LIST("does not start: g_server(): "));
}

/* ---- certificates --------------------------------------------------------------------------------------------------
 */

Test(addresses, with_certificates_that_do_not_serve)
{
    cr_assert(eq(int, certificate_make(folder, "a", "a"), 0));
    cr_assert(eq(int, certificate_make(folder, "b", "b"), 0));
    int fd = open(in_folder("empty"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    const char *certificate = in_folder("a.crt"), *key = in_folder("a.key");

    expect_failure(LIST("--name", "s1", "--https", in_folder("missing"), key),
                   LIST(NAMED "ghttp_server_start(): cannot read the certificate", "No such file"));
    expect_failure(LIST("--name", "s1", "--https", certificate, in_folder("missing")),
                   LIST(NAMED "ghttp_server_start(): cannot read the key", "No such file"));
    expect_failure(LIST("--name", "s1", "--https", folder, key),
                   LIST(NAMED "ghttp_server_start(): cannot read the certificate"));
    expect_failure(LIST("--name", "s1", "--https", in_folder("empty"), key), LIST(NAMED "ghttp_server_start(): "));
    expect_failure(LIST("--name", "s1", "--https", certificate, in_folder("b.key")),
                   LIST(NAMED "ghttp_server_start(): the certificate", "do not serve"));
    expect_failure(LIST("--name", "s1", "--https", key, certificate), LIST(NAMED "ghttp_server_start(): "));
    expect_failure(LIST("--name", "s1", "--https", certificate, ""), LIST(NAMED "ghttp_server_enable_https(): "));
    expect_failure(LIST("--name", "s1", "--https-address", "127.0.0.1:0"),
                   LIST(NAMED "ghttp_server_start(): ", "no certificate"));
}

/* ---- what is left of a start that fails ----------------------------------------------------------------------------
 */

static void nothing(ghttp_request *r)
{
    ghttp_response_write(r, "");
}

static int count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

Test(addresses, of_a_start_that_fails_are_all_closed)
{
    int port = free_port(), busy = free_port();
    const char *path = in_folder("left.sock");
    struct stat status;
    ghttp_server *first = g_server("first"), *s = g_server("second"), *again = g_server("third");

    ghttp_server_bind(first, "/", nothing);
    ghttp_server_set_address(first, text_of("127.0.0.1:%d", busy));
    cr_assert(eq(int, ghttp_server_start(first), 0));
    int before = count_descriptors();
    ghttp_server_bind(s, "/", nothing);
    ghttp_server_set_address(s, text_of("127.0.0.1:%d,unix:%s,127.0.0.1:%d", port, path, busy));
    cr_assert(eq(int, ghttp_server_start(s), -EADDRINUSE));
    cr_assert(ne(ptr, strstr(ghttp_server_error(s), "Address already in use"), NULL));
    cr_assert(eq(int, ghttp_server_listened_ports(s, NULL, 0), 0));
    cr_assert(eq(int, count_descriptors(), before));
    cr_assert(eq(int, client_fetch(port, "/", NULL), -ECONNREFUSED));
    cr_assert(eq(int, lstat(path, &status), -1));
    cr_assert(eq(int, client_fetch(busy, "/", NULL), 200));
    ghttp_server_bind(again, "/", nothing); /* and the port is free for the next who asks */
    ghttp_server_set_address(again, text_of("127.0.0.1:%d", port));
    cr_assert(eq(int, ghttp_server_start(again), 0));
    cr_assert(eq(int, client_fetch(port, "/", NULL), 200));
}

/* ---- what a server says of itself ---- */

static void tell_address(const char *address, bool https, void *arg)
{
    char *text = arg;

    snprintf(text + strlen(text), 512 - strlen(text), "%s%s ", https ? "https " : "", address);
    cr_expect(eq(str, (char *)ghttp_server_error(g_server("told")), ""), "it may be asked meanwhile");
}

Test(addresses, are_told_with_their_real_ports)
{
    ghttp_server *s = g_server("told");
    const char *path = in_folder("told.sock");
    char told[512] = "", setting[512];
    int ports[2] = {0}, https_port = 0;

    cr_assert(eq(int, certificate_make(folder, "server", "localhost"), 0));
    ghttp_server_bind(s, "/", nothing);
    ghttp_server_set_address(s, text_of("127.0.0.1:0,unix:%s", path));
    ghttp_server_set_https_address(s, "127.0.0.1:0");
    ghttp_server_enable_https(s, in_folder("server.crt"), in_folder("server.key"));
    cr_expect(eq(int, ghttp_server_listened_addresses(s, tell_address, told), 0), "it does not serve yet");
    cr_assert(eq(int, ghttp_server_start(s), 0));
    cr_assert(eq(int, ghttp_server_listened_ports(s, ports, 2), 2));
    cr_assert(eq(int, ghttp_server_listened_https_ports(s, &https_port, 1), 1));
    cr_expect(eq(int, https_port, ports[1]));
    cr_expect(ne(int, https_port, ports[0]));
    cr_expect(eq(int, ghttp_server_listened_addresses(s, tell_address, told), 3));
    cr_expect(eq(str, told, (char *)text_of("127.0.0.1:%d unix:%s https 127.0.0.1:%d ", ports[0], path, https_port)));
    cr_expect(eq(int, ghttp_server_listened_addresses(s, NULL, NULL), 3));
    cr_expect(eq(int, ghttp_server_setting(s, "https-addr", setting, sizeof(setting)), 0));
    cr_expect(eq(str, setting, "127.0.0.1:0"));
    cr_expect(eq(int, ghttp_server_setting(s, "nonsense", setting, sizeof(setting)), -ENOENT));
    cr_expect(eq(int, ghttp_server_setting(s, NULL, setting, sizeof(setting)), -ENOENT));
}
