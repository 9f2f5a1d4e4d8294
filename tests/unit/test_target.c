/* The target's forms and parts, percent-decoding, hosts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>

static struct ghttp_request r;
static struct gf_arena *arena;

static void begin(void)
{
    arena = gf_arena_new(1 << 20);
    gf_request_init(&r, arena, 1 << 20);
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(target, .init = begin, .fini = end);

Test(target, is_split_and_decoded)
{
    static const struct {
        const char *method, *target, *path, *raw_path, *query, *host;
    } cases[] = {
        {"GET", "/", "/", "/", "", "first"},
        {"GET", "/a/b?x=1&y=%41", "/a/b", "/a/b", "x=1&y=%41", "first"},
        {"GET", "/a%20b+c%2Fd", "/a b+c/d", "/a%20b+c%2Fd", "", "first"},
        {"GET", "/%e5%93%88?", "/哈", "/%e5%93%88", "", "first"},
        {"GET", "/哈喽", "/哈喽", "/哈喽", "", "first"},
        {"GET", "//a//b/", "//a//b/", "//a//b/", "", "first"},
        {"GET", "/a?b?c", "/a", "/a", "b?c", "first"},
        {"GET", "/?http://x", "/", "/", "http://x", "first"},
        {"GET", "/?broken=%zz", "/", "/", "broken=%zz", "first"},
        {"GET", "http://Example.ORG:8080/x?y", "/x", "/x", "y", "example.org"},
        {"GET", "HTTPS://h", "/", "/", "", "h"},
        {"GET", "http://h?q", "/", "/", "q", "h"},
        {"GET", "http://[::1]:80/x", "/x", "/x", "", "[::1]"},
        {"OPTIONS", "*", "*", "*", "", "first"},
        {"OPTIONS", "/x", "/x", "/x", "", "first"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        r.method = cases[i].method;
        r.target = cases[i].target;
        r.host = "first";
        cr_assert(gf_request_parse_target(&r) == 0, "%s", r.target);
        cr_expect(strcmp(r.path, cases[i].path) == 0, "%s: path %s", r.target, r.path);
        cr_expect(strcmp(r.raw_path, cases[i].raw_path) == 0, "%s: raw path %s", r.target, r.raw_path);
        cr_expect(strcmp(r.query, cases[i].query) == 0, "%s: query %s", r.target, r.query);
        cr_expect(strcmp(r.host, cases[i].host) == 0, "%s: host %s", r.target, r.host);
        cr_expect(ghttp_request_target(&r) == cases[i].target && ghttp_request_path(&r) == r.path);
    }
}

Test(target, is_refused_when_malformed)
{
    static const struct {
        const char *method, *target;
    } cases[] = {
        {"GET", ""},
        {"GET", "a"},
        {"GET", "*"},
        {"OPTIONS", "*x"},
        {"CONNECT", "example.org:443"},
        {"GET", "ftp://h/x"},
        {"GET", "http:///x"},
        {"GET", "http://"},
        {"GET", "http://user@h/x"},
        {"GET", "http://h:80x/"},
        {"GET", "http://[::1/x"},
        {"GET", "http://[::1]x/"},
        {"GET", "http://[]/"},
        {"GET", "http://[@]/"},
        {"GET", "/a b"},
        {"GET", "/a\tb"},
        {"GET", "/a\r\nb"},
        {"GET", "/a?\n"},
        {"GET", "/a\x7f"},
        {"GET", "/a#b"},
        {"GET", "/a?b#c"},
        {"GET", "/%"},
        {"GET", "/%4"},
        {"GET", "/%4g"},
        {"GET", "/%00"},
        {"GET", "/a%"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        r.method = cases[i].method;
        r.target = cases[i].target;
        r.path = r.raw_path = r.query = r.host = "as before";
        cr_expect(gf_request_parse_target(&r) == -EINVAL, "%s", r.target);
        cr_expect(strcmp(r.path, "as before") == 0 && strcmp(r.host, "as before") == 0, "%s", r.target);
    }
}

Test(target, without_memory_says_so)
{
    struct gf_arena *small = gf_arena_new(16);
    gf_arena_alloc(small, 16);
    r.arena = small;
    r.target = "/a%20b";
    cr_expect(gf_request_parse_target(&r) == -ENOMEM);
    r.target = "/a?b";
    cr_expect(gf_request_parse_target(&r) == -ENOMEM);
    r.target = "http://h/";
    cr_expect(gf_request_parse_target(&r) == -ENOMEM);
    r.target = "/a";
    cr_expect(gf_request_parse_target(&r) == 0);
    r.arena = arena;
    gf_arena_free(small);
}

Test(target, percent_decoding)
{
    cr_expect(strcmp(gf_percent_decode(arena, "a+b%2B%2f", 9, true), "a b+/") == 0);
    cr_expect(strcmp(gf_percent_decode(arena, "a+b%2B", 6, false), "a+b+") == 0);
    cr_expect(strcmp(gf_percent_decode(arena, "%41%42", 3, false), "A") == 0, "the size bounds it");
    cr_expect(strcmp(gf_percent_decode(arena, "", 0, false), "") == 0);
    static const char *const bad[] = {"%", "%1", "%00", "%g0", "a%-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        errno = 0;
        cr_expect(gf_percent_decode(arena, bad[i], strlen(bad[i]), true) == NULL && errno == EINVAL, "%s", bad[i]);
    }
    errno = 0;
    cr_expect(gf_percent_decode(arena, "a\0b", 3, true) == NULL && errno == EINVAL, "a plain NUL");
    cr_expect(gf_percent_decode(arena, "%41", 2, true) == NULL && errno == EINVAL, "cut by its size");
}

Test(target, remote_addresses)
{
    cr_expect(ghttp_request_remote_ip(&r) == NULL);
    r.peer.ss_family = AF_UNIX;
    cr_expect(strcmp(ghttp_request_remote_ip(&r), "unix") == 0);
    r.remote_ip = NULL;
    r.peer.ss_family = AF_INET6;
    unsigned char *address = (unsigned char *)&r.peer + 8;
    address[15] = 1;
    cr_expect(strcmp(ghttp_request_remote_ip(&r), "::1") == 0);
    r.remote_ip = NULL;
    memcpy(address + 10, "\xff\xff\x7f\0\0\x01", 6);
    cr_expect(strcmp(ghttp_request_remote_ip(&r), "127.0.0.1") == 0, "IPv4 over a socket for both");
    r.remote_ip = NULL;
    memset(&r.peer, 0, sizeof(r.peer));
    r.peer.ss_family = AF_INET;
    memcpy((unsigned char *)&r.peer + 4, "\x0a\0\0\x02", 4);
    cr_expect(strcmp(ghttp_request_remote_ip(&r), "10.0.0.2") == 0);
}
