/*
 * Questions for the health of a new process: what counts as well, and that nobody waits for an answer.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gf/ghttp/restart/health.h>

static struct gf_health health = GF_HEALTH_NONE;
static char why[256];
static int listener, port;

static void begin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(zero(int, bind(listener, (struct sockaddr *)&address, size)));
    cr_assert(zero(int, listen(listener, 4)));
    cr_assert(zero(int, getsockname(listener, (struct sockaddr *)&address, &size)));
    port = ntohs(address.sin_port);
}

static void finish(void)
{
    gf_health_end(&health);
    close(listener);
}

static int ask(void)
{
    return gf_health_begin(&health, listener, port, "/health", 1000, why, sizeof(why));
}

/* Goes on whenever there is something to go on with, at this time, until there is an outcome. */
static int go_on(int64_t now)
{
    int result = -EINPROGRESS;

    while (result == -EINPROGRESS) {
        struct pollfd ready = {.fd = health.fd, .events = health.events};

        cr_assert(eq(int, poll(&ready, 1, 5000), 1));
        result = gf_health_go_on(&health, now, why, sizeof(why));
    }
    return result;
}

/* Takes the question and gives this answer; "": none, and closes. */
static void answer(const char *text)
{
    int fd = accept(listener, NULL, NULL);
    char request[256] = "";
    struct pollfd ready = {.fd = health.fd, .events = POLLOUT};

    cr_assert(ge(int, fd, 0));
    cr_assert(eq(int, poll(&ready, 1, 5000), 1));
    cr_assert(eq(int, gf_health_go_on(&health, 1000, why, sizeof(why)), -EINPROGRESS));
    cr_expect(gt(long, recv(fd, request, sizeof(request) - 1, 0), 0));
    cr_expect(zero(int, strncmp(request, "GET /health HTTP/1.1\r\n", 22)), "%s", request);
    if (*text)
        cr_expect(eq(long, send(fd, text, strlen(text), 0), (long)strlen(text)));
    close(fd);
}

static void expect_verdict(const char *text, int result, const char *sentence)
{
    cr_assert(eq(int, ask(), -EINPROGRESS));
    answer(text);
    cr_expect(eq(int, go_on(1000), result), "%s", text);
    cr_expect(not(zero(ptr, strstr(why, sentence))), "%s", why);
    cr_expect(eq(int, health.fd, -1));
}

Test(health, good_answers, .init = begin, .fini = finish, .timeout = 20)
{
    expect_verdict("HTTP/1.1 200 OK\r\n\r\n", 0, "");
    expect_verdict("HTTP/1.1 204 No Content\r\n\r\n", 0, "");
}

Test(health, bad_answers, .init = begin, .fini = finish, .timeout = 20)
{
    expect_verdict("HTTP/1.1 500 Internal Server Error\r\n\r\n", -EBADMSG, "/health on port");
    expect_verdict("HTTP/1.1 503 Service Unavailable\r\n\r\n", -EBADMSG, "answers 503");
    expect_verdict("HTTP/1.1 302 Found\r\n\r\n", -EBADMSG, "answers 302");
    expect_verdict("SSH-2.0-OpenSSH_9.2\r\n", -EBADMSG, "does not answer: Bad message");
    expect_verdict("", -EBADMSG, "does not answer: ");
}

/* Nobody accepts: each step returns at once, and the time is the caller's. */
Test(health, no_answer, .init = begin, .fini = finish, .timeout = 20)
{
    struct pollfd ready;

    cr_assert(eq(int, ask(), -EINPROGRESS));
    ready = (struct pollfd){.fd = health.fd, .events = POLLOUT};
    cr_assert(eq(int, poll(&ready, 1, 5000), 1));
    for (int64_t now = 1000; now < 2000; now += 100)
        cr_assert(eq(int, gf_health_go_on(&health, now, why, sizeof(why)), -EINPROGRESS));
    cr_expect(eq(int, gf_health_go_on(&health, 2000, why, sizeof(why)), -ETIMEDOUT));
    cr_expect(not(zero(ptr, strstr(why, "does not answer: Connection timed out"))), "%s", why);
    cr_expect(eq(int, health.fd, -1));
}

Test(health, nobody_listens, .init = begin, .fini = finish, .timeout = 20)
{
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), result;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    cr_assert(zero(int, bind(other, (struct sockaddr *)&address, sizeof(address)))); /* and does not listen */
    result = gf_health_begin(&health, other, 1, "/health", 1000, why, sizeof(why));
    if (result == -EINPROGRESS)
        result = go_on(1000);
    cr_expect(eq(int, result, -ECONNREFUSED));
    cr_expect(not(zero(ptr, strstr(why, "does not answer: Connection refused"))), "%s", why);
    close(other);
}

Test(health, a_path_that_does_not_fit, .init = begin, .fini = finish, .timeout = 20)
{
    char path[2000];

    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = 0;
    cr_expect(eq(int, gf_health_begin(&health, listener, port, path, 1000, why, sizeof(why)), -ENAMETOOLONG));
    cr_expect(eq(int, health.fd, -1));
}
