/*
 * libcurl, a client that is not ours, with many transfers at once over kept connections, in plain HTTP and over TLS:
 * forms, redirects, its cookie engine, ranges, chunked uploads. The server is restarted under it again and again, and
 * every transfer succeeds, with the answer that only it can have.
 */
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    RESTARTS = 8,
    TRANSFERS = 20, /* of each kind at the least */
    PATIENCE_S = 60,
    BODY_MAX = 256 << 10,
    FILE_SIZE = 200000,  /* of the file that ranges are asked of, and of what is uploaded */
    UPLOAD_SIZE = 50000, /* in a form */
};

enum kind { ECHO, FORM, REDIRECT, COOKIES, RANGE, CHUNKED, KINDS };

/* One of the transfers that go on at the same time; when it is done, another of its kind begins. */
struct transfer {
    CURL *easy;
    curl_mime *mime;
    enum kind kind;
    bool tls;
    long number; /* of the transfer among those of this kind */
    size_t sent; /* of the chunked upload */
    char expected[256];
    char body[BODY_MAX];
    size_t body_size;
    bool overflown;
    char error[CURL_ERROR_SIZE];
};

static struct rig rig;
static struct transfer *transfers[2 * KINDS];
static CURLM *multi;
static long ended, connects; /* transfers, and connections that they have made */
static unsigned char bytes[FILE_SIZE];

/* ---- what is asked and expected ---- */

static uint64_t checksum(const unsigned char *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3U;
    return hash;
}

static size_t receive(char *data, size_t one, size_t size, void *user)
{
    struct transfer *t = user;

    (void)one;
    if (size > sizeof(t->body) - 1 - t->body_size) {
        t->overflown = true;
        return 0;
    }
    memcpy(t->body + t->body_size, data, size);
    t->body_size += size;
    t->body[t->body_size] = '\0';
    return size;
}

/* In pieces of different sizes, which become chunks. */
static size_t upload(char *to, size_t one, size_t room, void *user)
{
    struct transfer *t = user;
    size_t size = 1000 + t->sent % 7919;

    (void)one;
    size = size < room ? size : room;
    size = size < FILE_SIZE - t->sent ? size : FILE_SIZE - t->sent;
    memcpy(to, bytes + t->sent, size);
    t->sent += size;
    return size;
}

static int rewind_upload(void *user, curl_off_t offset, int origin)
{
    struct transfer *t = user;

    if (origin != SEEK_SET || offset < 0 || offset > FILE_SIZE)
        return CURL_SEEKFUNC_FAIL;
    t->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void set_url(struct transfer *t, const char *path)
{
    char url[256];

    snprintf(url, sizeof(url), "%s://localhost:%d%s", t->tls ? "https" : "http", t->tls ? rig.https_port : rig.port,
             path);
    curl_easy_setopt(t->easy, CURLOPT_URL, url);
}

static void prepare_form(struct transfer *t)
{
    curl_mimepart *part;
    char number[32];

    curl_mime_free(t->mime);
    t->mime = curl_mime_init(t->easy);
    snprintf(number, sizeof(number), "%ld", t->number);
    part = curl_mime_addpart(t->mime);
    curl_mime_name(part, "n");
    curl_mime_data(part, number, CURL_ZERO_TERMINATED);
    part = curl_mime_addpart(t->mime);
    curl_mime_name(part, "file");
    curl_mime_filename(part, "data.bin");
    curl_mime_data(part, (const char *)bytes + t->number, UPLOAD_SIZE);
    curl_easy_setopt(t->easy, CURLOPT_MIMEPOST, t->mime);
    set_url(t, "/form");
    snprintf(t->expected, sizeof(t->expected), "form %ld data.bin %d %016jx", t->number, UPLOAD_SIZE,
             (uintmax_t)checksum(bytes + t->number, UPLOAD_SIZE));
}

static void prepare_range(struct transfer *t)
{
    char range[64];

    snprintf(range, sizeof(range), "%ld-%ld", t->number, t->number + UPLOAD_SIZE - 1);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
    set_url(t, "/large.bin");
}

static void prepare_chunked(struct transfer *t)
{
    t->sent = 0;
    curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L); /* of a size that it is not told: chunked */
    curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, upload);
    curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, rewind_upload);
    curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
    set_url(t, "/put");
    snprintf(t->expected, sizeof(t->expected), "put %d %016jx", FILE_SIZE, (uintmax_t)checksum(bytes, FILE_SIZE));
}

static void prepare(struct transfer *t)
{
    char path[64];

    t->body_size = 0;
    t->body[0] = '\0';
    t->error[0] = '\0';
    switch (t->kind) {
    case ECHO:
    case REDIRECT:
        snprintf(path, sizeof(path), "/%s?n=%ld", t->kind == ECHO ? "echo" : "hop", t->number);
        set_url(t, path);
        snprintf(t->expected, sizeof(t->expected), "echo %ld", t->number);
        break;
    case FORM:
        prepare_form(t);
        break;
    case COOKIES:
        set_url(t, "/visit");
        snprintf(t->expected, sizeof(t->expected), "visit %ld", t->number + 1);
        break;
    case RANGE:
        prepare_range(t);
        break;
    default:
        prepare_chunked(t);
    }
}

/* ---- the transfers ---- */

static struct transfer *add_transfer(enum kind kind, bool tls)
{
    static char certificate[512];
    struct transfer *t = calloc(1, sizeof(*t));

    cr_assert(ne(ptr, t, NULL));
    t->kind = kind;
    t->tls = tls;
    t->easy = curl_easy_init();
    cr_assert(ne(ptr, t->easy, NULL));
    snprintf(certificate, sizeof(certificate), "%s/server.crt", rig.folder);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(t->easy, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
    curl_easy_setopt(t->easy, CURLOPT_CAINFO, certificate);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, (long)PATIENCE_S);
    if (kind == REDIRECT)
        curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 1L);
    if (kind == COOKIES)
        curl_easy_setopt(t->easy, CURLOPT_COOKIEFILE, ""); /* its cookie engine, without a file */
    prepare(t);
    cr_assert(eq(int, curl_multi_add_handle(multi, t->easy), CURLM_OK));
    return t;
}

static void check_ended(const struct transfer *t, CURLcode result)
{
    long status = 0, redirects = 0, made = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_COUNT, &redirects);
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made);
    connects += made;
    ended++;
    cr_assert(result == CURLE_OK && !t->overflown, "%s, kind %d, transfer %ld: %s: %s", t->tls ? "https" : "http",
              t->kind, t->number, curl_easy_strerror(result), t->error);
    cr_assert(eq(long, status, t->kind == RANGE ? 206 : 200), "kind %d, transfer %ld: %s", t->kind, t->number, t->body);
    cr_assert(eq(long, redirects, t->kind == REDIRECT));
    if (t->kind == RANGE) {
        cr_assert(eq(sz, t->body_size, UPLOAD_SIZE));
        cr_assert(zero(int, memcmp(t->body, bytes + t->number, UPLOAD_SIZE)));
    } else {
        cr_assert(eq(str, (char *)t->body, (char *)t->expected));
    }
}

/* Checks those that have ended, and begins others in their place. */
static void take_ended(void)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left))) {
        struct transfer *t;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        check_ended(t, message->data.result);
        curl_multi_remove_handle(multi, t->easy);
        t->number++;
        prepare(t);
        cr_assert(eq(int, curl_multi_add_handle(multi, t->easy), CURLM_OK));
    }
}

static void turn(void)
{
    int running;

    cr_assert(eq(int, curl_multi_perform(multi, &running), CURLM_OK));
    take_ended();
    cr_assert(eq(int, curl_multi_poll(multi, NULL, 0, 100, NULL), CURLM_OK));
}

/* The least number of transfers that any has done. */
static long count_done(void)
{
    long least = transfers[0]->number;

    for (int i = 1; i < 2 * KINDS; i++)
        least = transfers[i]->number < least ? transfers[i]->number : least;
    return least;
}

/* ---- restarts ---- */

struct restarter {
    atomic_long done;  /* transfers, as the other thread says */
    atomic_int result; /* 0: under way; 1: all have succeeded; or a negative errno */
};

static void sleep_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* One restart after the other, each when every transfer has gone on since the one before. */
static void *restart(void *arg)
{
    struct restarter *restarter = arg;
    pid_t pid = 0;

    for (int i = 0; i < RESTARTS && pid >= 0; i++) {
        while (atomic_load(&restarter->done) < i + 1)
            sleep_briefly();
        pid = i % 2 ? rig_restart_by_page(&rig) : rig_restart_by_signal(&rig);
    }
    atomic_store(&restarter->result, pid < 0 ? pid : 1);
    return NULL;
}

static void transfer_under_restarts(void)
{
    struct restarter restarter = {.done = 0};
    pthread_t thread;
    long enough;

    cr_assert(zero(int, pthread_create(&thread, NULL, restart, &restarter)));
    while (atomic_load(&restarter.result) == 0) {
        turn();
        atomic_store(&restarter.done, count_done());
    }
    pthread_join(thread, NULL);
    cr_assert(eq(int, atomic_load(&restarter.result), 1));
    enough = count_done() + 2 > TRANSFERS ? count_done() + 2 : TRANSFERS;
    while (count_done() < enough)
        turn();
}

/* ---- the test ---- */

static void begin(void)
{
    char path[512];
    FILE *file;

    rig.program = NULL;
    cr_assert(zero(int, rig_init(&rig)));
    rig.program = "curl_server";
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) * 7);
    snprintf(path, sizeof(path), "%s/www", rig.folder);
    cr_assert(zero(int, mkdir(path, 0700)));
    snprintf(path, sizeof(path), "%s/www/large.bin", rig.folder);
    file = fopen(path, "we");
    cr_assert(ne(ptr, file, NULL));
    cr_assert(eq(sz, fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes)));
    cr_assert(zero(int, fclose(file)));
    cr_assert(zero(int, rig_settings(&rig, NULL)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, (int)curl_global_init(CURL_GLOBAL_DEFAULT)));
    multi = curl_multi_init();
    cr_assert(ne(ptr, multi, NULL));
}

static void end(void)
{
    for (int i = 0; i < 2 * KINDS; i++) {
        struct transfer *t = transfers[i];

        curl_multi_remove_handle(multi, t->easy);
        curl_easy_cleanup(t->easy);
        curl_mime_free(t->mime);
        free(t);
    }
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    rig_finish(&rig);
}

Test(curl, transfers_succeed_while_the_server_restarts, .init = begin, .fini = end, .timeout = 120)
{
    for (int i = 0; i < KINDS; i++) {
        transfers[2 * i] = add_transfer((enum kind)i, false);
        transfers[2 * i + 1] = add_transfer((enum kind)i, true);
    }
    transfer_under_restarts();
    cr_expect(2 * connects < ended, "%ld connections for %ld transfers", connects, ended); /* they are kept */
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 20000)));
}
