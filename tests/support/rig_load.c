#include "tests/support/rig_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATIENCE_MS = 30000,
    LINES = 40, /* of the longest answer */
};

static size_t make_request(uint64_t n, char *buffer, void *arg)
{
    const char *close = *(const bool *)arg ? "Connection: close\r\n" : "";

    return (size_t)snprintf(buffer, LOAD_REQUEST_MAX, "GET /echo?n=%llu HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                            (unsigned long long)n, close);
}

/* As echo() of restart_server writes it. */
static bool check_answer(uint64_t n, const struct answer *answer, char *why, size_t size, void *arg)
{
    char expected[LINES * 48];
    size_t length = 0;

    (void)arg;
    for (uint64_t i = 0; i <= n % LINES; i++)
        length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%llu:%llu\n", (unsigned long long)n,
                                   (unsigned long long)i);
    if (answer->status == 200 && answer->body_size == length && !memcmp(answer->body, expected, length))
        return true;
    snprintf(why, size, "status %d, body of %zu bytes: %.100s", answer->status, answer->body_size, answer->body);
    return false;
}

static struct load *start_one(const struct rig *rig, bool tls, bool fresh)
{
    static const bool yes = true, no = false;
    struct load_options options = {.target = tls ? rig->https : rig->http,
                                   .connections = fresh ? 2 : 6,
                                   .fresh = fresh,
                                   .timeout_ms = PATIENCE_MS,
                                   .pause_us = tls ? 3000 : 1000,
                                   .make = make_request,
                                   .check = check_answer,
                                   .arg = (void *)(fresh ? &yes : &no)};

    return load_start(&options);
}

int rig_load_start(struct rig_load *l, const struct rig *rig)
{
    *l = (struct rig_load){.loads = {NULL}};
    for (int i = 0; i < RIG_LOADS; i++) {
        l->loads[i] = start_one(rig, i & 1, i & 2);
        if (!l->loads[i])
            return -errno;
    }
    return 0;
}

int rig_load_wait(struct rig_load *l, uint64_t count)
{
    uint64_t until[RIG_LOADS];
    int result = 0;

    for (int i = 0; i < RIG_LOADS; i++)
        until[i] = load_requests(l->loads[i]) + count;
    for (int i = 0; i < RIG_LOADS && !result; i++)
        result = load_wait_requests(l->loads[i], until[i], PATIENCE_MS);
    return result;
}

uint64_t rig_load_failures(struct rig_load *l)
{
    uint64_t failures = 0;

    for (int i = 0; i < RIG_LOADS; i++)
        failures += load_failures(l->loads[i]);
    return failures;
}

uint64_t rig_load_end(struct rig_load *l)
{
    uint64_t failures = 0;

    for (int i = 0; i < RIG_LOADS; i++) {
        const struct load_result *result;

        load_stop(l->loads[i]);
        result = load_result(l->loads[i]);
        failures += result->failures;
        if (result->failures || getenv("GF_TEST_VERBOSE"))
            load_print(l->loads[i], stderr);
        load_free(l->loads[i]);
        l->loads[i] = NULL;
    }
    return failures;
}
