/*
 * Sessions in Redis: where it is said to be, what lies in it, several who change one session, and a Redis that is not
 * there, goes and comes back, refuses, or hangs.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <gf/ghttp/server/server.h>
#include <gf/ghttp/server/session_settings.h>
#include <gf/ghttp/service/redis_pool.h>
#include <gf/ghttp/service/session_stores.h>
#include <gf/glog/glog.h>

#include "tests/support/redis.h"

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER_ID "f123456789abcdef0123456789abcdef"

/* ---- settings ---- */

Test(session_settings, redis_addresses)
{
    static const struct {
        const char *text, *host;
        int port;
    } good[] = {
        {"127.0.0.1:6379", "127.0.0.1", 6379},
        {"cache.example:1", "cache.example", 1},
        {"[::1]:65535", "::1", 65535},
        {"unix:/run/redis.sock", "/run/redis.sock", 0},
    };
    static const char *const bad[] = {"",     ":6379",    "a",    "a:",    "a:0",           "a:65536", "a:6379x",
                                      "a: 1", "::1:6379", "[]:1", "unix:", "unix:relative", "a:-1"};
    struct gf_redis_address address;
    char long_one[300];
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        cr_expect(gf_redis_address_parse(good[i].text, &address) == 0, "%s", good[i].text);
        cr_expect(strcmp(address.host, good[i].host) == 0 && address.port == good[i].port, "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_expect(gf_redis_address_parse(bad[i], &address) == -EINVAL, "%s", bad[i]);
    memset(long_one, 'a', sizeof(long_one));
    memcpy(long_one, "unix:/", 6);
    for (size_t size = 120; size < sizeof(long_one); size += 179) {
        long_one[size] = 0;
        cr_expect(gf_redis_address_parse(long_one, &address) == -EINVAL, "%zu bytes", size);
        long_one[size] = 'a';
    }
}

Test(session_settings, checked_before_the_start)
{
    static ghttp_server *checked; /* there is no end of a server before the process's */
    char error[512] = "";
    checked = gf_server_new("sessions");
    cr_expect(gf_session_settings_check(&checked->settings, error, sizeof(error)) == 0);
    cr_assert(ghttp_server_set(checked, "sessionStorage", "Redis") == 0);
#ifdef GF_HAVE_REDIS
    cr_expect(gf_session_settings_check(&checked->settings, error, sizeof(error)) == 0, "%s", error);
    cr_assert(ghttp_server_set(checked, "sessionRedisUser", "ann") == 0);
    cr_expect(gf_session_settings_check(&checked->settings, error, sizeof(error)) == -EINVAL);
    cr_expect(strstr(error, "sessionRedisPass"), "%s", error);
    cr_assert(ghttp_server_set(checked, "sessionRedisUser", "") == 0);
    cr_assert(ghttp_server_set(checked, "sessionRedisAddress", "nowhere") == 0);
    cr_expect(gf_session_settings_check(&checked->settings, error, sizeof(error)) == -EINVAL);
    cr_expect(strstr(error, "\"nowhere\" is no address"), "%s", error);
#else
    cr_expect(gf_session_settings_check(&checked->settings, error, sizeof(error)) == -ENOTSUP);
    cr_expect(strstr(error, "was built without Redis"), "%s", error);
#endif
    cr_assert(ghttp_server_set(checked, "sessionStorage", "paper") == 0);
    cr_expect(gf_session_settings_check(&checked->settings, error, sizeof(error)) == -EINVAL);
    cr_expect(strstr(error, "none of file, memory, redis"), "%s", error);
}

#ifdef GF_HAVE_REDIS

static struct redis redis;
static ghttp_server *server;
static char logged[4096];
static int lines;

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    size_t length = strlen(logged);
    (void)level;
    (void)arg;
    lines++;
    snprintf(logged + length, sizeof(logged) - length, "%s", line);
}

static void begin_without(void)
{
    glog_set_writer(keep_line, NULL);
    cr_assert(redis_init(&redis) == 0);
    server = gf_server_new("sessions");
    cr_assert(ghttp_server_set(server, "sessionStorage", "redis") == 0);
    cr_assert(ghttp_server_set(server, "sessionRedisAddress", redis.address) == 0);
    cr_assert(ghttp_server_set(server, "sessionRedisTimeout", "20s") == 0);
}

static void begin(void)
{
    begin_without();
    cr_assert(redis_start(&redis) == 0);
}

static void end(void)
{
    gf_session_store_close(server->session_store);
    redis_finish(&redis);
}

TestSuite(session_redis, .init = begin, .fini = end, .timeout = 60);
TestSuite(session_redis_trouble, .init = begin_without, .fini = end, .timeout = 60);

static struct gf_session_store *store(void)
{
    struct gf_session_store *found;
    cr_assert(gf_session_stores_find(server, &found) == 0, "%s", logged);
    return found;
}

struct wanted {
    const char *text;
    int64_t left_ms;
};

static int give_text(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    const struct wanted *wanted = arg;
    (void)text;
    *ret_text = wanted->text ? strdup(wanted->text) : NULL;
    *ret_ends_ms = gf_session_store_now() + wanted->left_ms;
    return 0;
}

static int put(const char *id, const char *text, int64_t left_ms)
{
    return store()->kind->update(store(), NULL, id, give_text, &(struct wanted){text, left_ms});
}

/* The result; the text, if there is one, is right. */
static int look(const char *id, const char *expected)
{
    char *text;
    int64_t ends_ms;
    int result = store()->kind->read(store(), id, &text, &ends_ms);
    if (result < 0)
        return result;
    cr_expect(strcmp(text, expected) == 0, "%s", text);
    free(text);
    return 0;
}

static const char *answer_to(const char *command)
{
    static char answer[4096];
    cr_assert(redis_ask(&redis, command, answer, sizeof(answer)) == 0);
    return answer;
}

/* ---- what lies in it ---- */

Test(session_redis, keys_have_the_prefix_and_an_end)
{
    cr_assert(ghttp_server_set(server, "sessionRedisPrefix", "app1:") == 0);
    cr_assert(put(ID, "{}", 600000) == 0);
    cr_expect(strcmp(answer_to("KEYS *"), "*1\r\n$46\r\napp1:sessions:" ID "\r\n") == 0, "%s", answer_to("KEYS *"));
    long left = atol(answer_to("PTTL app1:sessions:" ID) + 1);
    cr_expect(left > 500000 && left <= 600000, "%ld", left);
    cr_expect(store()->kind->touch(store(), ID, gf_session_store_now() + 900000) == 0);
    cr_expect(atol(answer_to("PTTL app1:sessions:" ID) + 1) > 800000);
    cr_expect(store()->kind->touch(store(), OTHER_ID, gf_session_store_now() + 1000) == -ENOENT);
    cr_expect(store()->kind->update(store(), ID, OTHER_ID, give_text, &(struct wanted){"moved", 5000000}) == 0);
    cr_expect(strcmp(answer_to("KEYS *"), "*1\r\n$46\r\napp1:sessions:" OTHER_ID "\r\n") == 0);
    cr_expect(store()->kind->update(store(), OTHER_ID, NULL, give_text, &(struct wanted){NULL, 0}) == 0);
    cr_expect(strcmp(answer_to("KEYS *"), "*0\r\n") == 0);
    cr_expect(store()->kind->update(store(), ID, NULL, give_text, &(struct wanted){"x", 5000}) == -ENOENT);
}

Test(session_redis, redis_removes_what_has_ended)
{
    cr_assert(put(ID, "x", 50) == 0);
    for (int i = 0; i < 2000 && look(ID, "x") == 0; i++)
        usleep(10000);
    cr_expect(look(ID, "") == -ENOENT);
    cr_expect(strcmp(answer_to("KEYS *"), "*0\r\n") == 0);
}

Test(session_redis, databases_are_apart)
{
    cr_assert(ghttp_server_set(server, "sessionRedisDb", "3") == 0);
    cr_assert(put(ID, "x", 60000) == 0);
    cr_expect(strcmp(answer_to("DBSIZE"), ":0\r\n") == 0);
    cr_expect(strstr(answer_to("INFO keyspace"), "db3:keys=1"));
}

Test(session_redis, ids_and_texts_that_are_none_never_reach_it)
{
    char *text, *large = malloc(GF_SESSION_TEXT_MAX + 2);
    int64_t ends_ms;
    cr_expect(store()->kind->read(store(), "x\r\nFLUSHALL", &text, &ends_ms) == -ENOENT);
    cr_expect(store()->kind->touch(store(), "", 1) == -EINVAL);
    cr_expect(put("../x", "x", 1000) == -EINVAL);
    memset(large, 'x', GF_SESSION_TEXT_MAX + 1);
    large[GF_SESSION_TEXT_MAX + 1] = 0;
    cr_expect(put(ID, large, 60000) == -E2BIG);
    large[GF_SESSION_TEXT_MAX] = 0;
    cr_expect(put(ID, large, 60000) == 0 && look(ID, large) == 0);
    cr_expect(strncmp(answer_to("APPEND gfsession:sessions:" ID " y"), ":524289", 7) == 0);
    cr_expect(look(ID, large) == -EBADMSG, "somebody else has written it");
    free(large);
}

/* With the same Redis, database and prefix. */
Test(session_redis, servers_of_other_names_have_others)
{
    static ghttp_server *other;
    struct gf_session_store *others;
    char *text;
    int64_t ends_ms;
    other = gf_server_new("other");
    cr_assert(ghttp_server_set(other, "sessionStorage", "redis") == 0);
    cr_assert(ghttp_server_set(other, "sessionRedisAddress", redis.address) == 0);
    cr_assert(gf_session_stores_find(other, &others) == 0);
    cr_assert(put(ID, "ours", 60000) == 0);
    cr_expect(others->kind->read(others, ID, &text, &ends_ms) == -ENOENT);
    gf_session_store_close(others);
}

/* ---- several at once ---- */

enum { COUNTERS = 6, COUNTS = 50 };

static int count_one(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    (void)arg;
    if (asprintf(ret_text, "%ld", strtol(text, NULL, 10) + 1) < 0)
        return -ENOMEM;
    *ret_ends_ms = gf_session_store_now() + 60000;
    return 0;
}

static void *count(void *arg)
{
    for (int i = 0; i < COUNTS; i++)
        if (store()->kind->update(store(), ID, NULL, count_one, NULL) < 0)
            return arg;
    return NULL;
}

Test(session_redis, changes_at_once_are_all_kept_over_few_connections)
{
    pthread_t threads[COUNTERS];
    void *failed;
    char expected[16];
    cr_assert(ghttp_server_set(server, "sessionRedisMaxActive", "3") == 0);
    cr_assert(put(ID, "0", 60000) == 0);
    for (int i = 0; i < COUNTERS; i++)
        cr_assert(pthread_create(&threads[i], NULL, count, &redis) == 0);
    for (int i = 0; i < COUNTERS; i++)
        cr_expect(pthread_join(threads[i], &failed) == 0 && !failed, "%s", logged);
    snprintf(expected, sizeof(expected), "%d", COUNTERS * COUNTS);
    cr_expect(look(ID, expected) == 0);
    const char *clients = strstr(answer_to("INFO clients"), "connected_clients:");
    cr_expect(clients && atoi(clients + 18) <= 3 + 1, "%s", clients);
}

/* Somebody else's change between our reading and our writing. */
static int change_meanwhile(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    int *calls = arg;
    if (!(*calls)++)
        answer_to("SET gfsession:sessions:" ID " theirs");
    if (asprintf(ret_text, "%s+ours", text) < 0)
        return -ENOMEM;
    *ret_ends_ms = gf_session_store_now() + 60000;
    return 0;
}

Test(session_redis, what_others_change_meanwhile_is_not_overwritten)
{
    int calls = 0;
    cr_assert(put(ID, "before", 60000) == 0);
    cr_expect(store()->kind->update(store(), ID, NULL, change_meanwhile, &calls) == 0);
    cr_expect(calls == 2 && look(ID, "theirs+ours") == 0);
}

/* ---- trouble ---- */

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

Test(session_redis_trouble, that_is_not_there_is_said_once)
{
    int known = 0;
    int64_t began = monotonic_ms();
    while (monotonic_ms() - began < 1300) { /* it is tried again twice */
        cr_expect(look(ID, "") == -ECONNREFUSED);
        cr_expect(put(ID, "x", 60000) == -ECONNREFUSED);
        known += store()->kind->check(store()) == -ECONNREFUSED;
        usleep(10000);
    }
    cr_expect(known > 0, "a session that begins is told at once");
    cr_expect(lines == 1 && strstr(logged, redis.address) && strstr(logged, "No such file"), "%d: %s", lines, logged);
    cr_assert(redis_start(&redis) == 0);
    for (int i = 0; i < 2000 && put(ID, "x", 60000) < 0; i++)
        usleep(10000);
    cr_expect(look(ID, "x") == 0 && store()->kind->check(store()) == 0);
    cr_expect(lines == 2 && strstr(logged, "answers again"), "%d: %s", lines, logged);
}

Test(session_redis, that_comes_back_is_used_again)
{
    for (int round = 0; round < 3; round++) {
        cr_assert(put(ID, "x", 60000) == 0 && look(ID, "x") == 0, "%s", logged);
        redis_stop(&redis);
        cr_assert(redis_start(&redis) == 0);
    }
    cr_expect(look(ID, "") == -ENOENT, "it kept nothing, and the old connection is not even tried");
    cr_expect(lines == 0, "%s", logged);
    redis_stop(&redis);
    for (int i = 0; i < 10; i++)
        cr_expect(look(ID, "") < 0);
    cr_expect(lines == 1, "%s", logged);
}

static void begin_locked(void)
{
    begin_without();
    snprintf(redis.password, sizeof(redis.password), "open sesame");
    cr_assert(redis_start(&redis) == 0);
}

TestSuite(session_redis_login, .init = begin_locked, .fini = end, .timeout = 60);

Test(session_redis_login, password)
{
    cr_assert(ghttp_server_set(server, "sessionRedisPass", "open sesame") == 0);
    cr_expect(put(ID, "x", 60000) == 0 && look(ID, "x") == 0, "%s", logged);
    gf_session_store_close(server->session_store);
    server->session_store = NULL;
    cr_assert(ghttp_server_set(server, "sessionRedisUser", "default") == 0);
    cr_expect(look(ID, "x") == 0, "%s", logged);
    gf_session_store_close(server->session_store);
    server->session_store = NULL;
    cr_assert(ghttp_server_set(server, "sessionRedisPass", "open barley") == 0);
    for (int i = 0; i < 10; i++)
        cr_expect(look(ID, "") == -EACCES);
    cr_expect(lines == 1 && strstr(logged, "WRONGPASS") && !strstr(logged, "barley"), "%s", logged);
}

Test(session_redis, that_is_full_says_so_and_keeps_what_it_has)
{
    cr_assert(put(ID, "x", 60000) == 0);
    answer_to("CONFIG SET maxmemory 1");
    for (int i = 0; i < 10; i++) {
        cr_expect(put(OTHER_ID, "y", 60000) == -EIO);
        cr_expect(store()->kind->update(store(), ID, NULL, give_text, &(struct wanted){"z", 60000}) == -EIO);
        cr_expect(look(ID, "x") == 0);
    }
    cr_expect(lines == 1 && strstr(logged, "refuses a command: OOM"), "%d: %s", lines, logged);
    answer_to("CONFIG SET maxmemory 0");
    cr_expect(put(OTHER_ID, "y", 60000) == 0);
}

/* Takes connections, and says nothing. */
static int listen_in_silence(int flags)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis.socket);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 10) == 0);
    return fd;
}

Test(session_redis_trouble, that_hangs_is_waited_for_by_one_at_a_time)
{
    int fd = listen_in_silence(SOCK_NONBLOCK), tried = 0;
    int64_t began = monotonic_ms();
    cr_assert(ghttp_server_set(server, "sessionRedisTimeout", "100ms") == 0);
    cr_expect(look(ID, "") == -ETIMEDOUT);
    cr_expect(monotonic_ms() - began >= 99);
    for (int i = 0; i < 20; i++)
        cr_expect(look(ID, "") == -ETIMEDOUT);
    int64_t took = monotonic_ms() - began;
    for (int client; (client = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0; tried++)
        close(client);
    cr_expect(tried <= took / 500 + 1, "%d have tried in %d ms", tried, (int)took);
    cr_expect(lines == 1, "%s", logged);
    close(fd);
}

/* What is not Redis at all. It reads to the end: to close over the second command would reset the connection. */
static void *answer_nonsense(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    char request[1024];
    if (fd >= 0 && recv(fd, request, sizeof(request), 0) > 0)
        send(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, MSG_NOSIGNAL);
    while (fd >= 0 && recv(fd, request, sizeof(request), 0) > 0)
        continue;
    close(fd);
    return NULL;
}

Test(session_redis_trouble, that_is_something_else_is_an_error)
{
    int fd = listen_in_silence(0);
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, answer_nonsense, &fd) == 0);
    cr_expect(look(ID, "") == -EPROTO);
    pthread_join(thread, NULL);
    cr_expect(lines == 1, "%s", logged);
    close(fd);
}

/* As a Redis does that has no place for another client: it says so at once, and closes. */
static void *answer_and_close(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    if (fd >= 0)
        send(fd, "-ERR max number of clients reached\r\n", 36, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

Test(session_redis_trouble, that_closes_with_a_reason_is_heard)
{
    struct gf_redis_options options = {.user = "", .password = "", .timeout_ms = 20000, .max_links = 1};
    int fd = listen_in_silence(0);
    struct gf_redis_pool *pool;
    struct gf_redis_link *link;
    struct redisReply *reply = NULL;
    pthread_t thread;
    cr_assert(gf_redis_address_parse(redis.address, &options.address) == 0);
    cr_assert(gf_redis_pool_new(&options, &pool) == 0);
    cr_assert(pthread_create(&thread, NULL, answer_and_close, &fd) == 0);
    cr_assert(gf_redis_take(pool, &link) == 0);
    pthread_join(thread, NULL);
    cr_expect(gf_redis_send(link, &(struct gf_redis_word){"PING", 4}, 1) == 0, "the reason is still to be read");
    cr_expect(gf_redis_receive(link, &reply) == -EIO);
    gf_redis_give_back(link, -EIO);
    gf_redis_pool_free(pool);
    cr_expect(lines == 1 && strstr(logged, "max number of clients reached"), "%s", logged);
    close(fd);
}

#endif
