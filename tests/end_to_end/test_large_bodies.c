/*
 * Bodies that are larger than memory should hold: they come through whole, cost no memory, leave nothing behind, and
 * where they cannot be kept the client is told so.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/process.h"
#include "tests/support/raw.h"

enum {
    PATIENCE_MS = 20000,
    LARGE_MB = 96,
    MEMORY_MB = 24, /* what the process may take beside what it has at its start */
};

static char folder[] = "/tmp/gf-large-XXXXXX";
static struct process *server;
static int ports[2]; /* HTTP, HTTPS */
static char certificate[64];

static void start(void)
{
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
}

static int run(const char *command)
{
    char whole[1024];

    snprintf(whole, sizeof(whole), "cd %s && %s", folder, command);
    return system(whole);
}

/* Its temporary files go into this folder of ours. */
static void serve(const char *temporary)
{
    char tmpdir[256], crt[128], key[128], *line;
    const char *environment[] = {tmpdir,
                                 crt,
                                 key,
                                 "GF_SERVER_CLIENT_MAX_BODY_SIZE=1g",
                                 "GF_SERVER_HTTPS_ADDR=127.0.0.1:0",
                                 "GF_SERVER_FORM_PARSING_MEMORY=64k",
                                 NULL};
    struct process_options options = {.program = "form_server", .environment = environment, .folder = folder};

    cr_assert(eq(int, certificate_make(folder, "a", "localhost"), 0));
    snprintf(certificate, sizeof(certificate), "%s/a.crt", folder);
    snprintf(tmpdir, sizeof(tmpdir), "TMPDIR=%s/%s", folder, temporary);
    snprintf(crt, sizeof(crt), "GF_SERVER_HTTPS_CERT_PATH=%s/a.crt", folder);
    snprintf(key, sizeof(key), "GF_SERVER_HTTPS_KEY_PATH=%s/a.key", folder);
    cr_assert(eq(int, run("mkdir saved spool"), 0));
    server = process_start(&options);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, process_wait_line(server, "ports ", PATIENCE_MS), 0));
    line = process_find_line(server, "ports ");
    cr_assert(eq(int, sscanf(line, "ports %d %d", &ports[0], &ports[1]), 2));
    free(line);
}

static void stop(void)
{
    process_free(server);
    cr_expect(eq(int, run("rm -r ../\"${PWD##*/}\""), 0));
}

TestSuite(large_bodies, .init = start, .fini = stop, .timeout = 120);

static bool is_sanitized(void)
{
    char *line = process_find_line(server, "sanitized");

    free(line);
    return line != NULL;
}

/* From now on the process gets so much more memory of its own and not a byte beyond. A sanitizer's says nothing. */
static void limit_memory(void)
{
    char path[64], line[256];
    unsigned long kb = 0;
    struct rlimit limit;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)process_pid(server));
    FILE *file = fopen(path, "re");
    cr_assert(ne(ptr, file, NULL));
    while (fgets(line, sizeof(line), file) && sscanf(line, "VmData: %lu kB", &kb) != 1)
        continue;
    fclose(file);
    cr_assert(gt(ulong, kb, 0));
    limit.rlim_cur = limit.rlim_max = (kb << 10) + ((rlim_t)MEMORY_MB << 20);
    if (!is_sanitized())
        cr_assert(eq(int, prlimit(process_pid(server), RLIMIT_DATA, &limit, NULL), 0));
}

Test(large_bodies, of_any_kind_cost_no_memory_and_leave_nothing)
{
    char command[512];

    serve("spool");
    limit_memory();
    snprintf(command, sizeof(command), "head -c %d /dev/urandom > large.bin", LARGE_MB << 20);
    cr_assert(eq(int, run(command), 0));
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof(command),
                 "curl -q -sS -k -m 60 -F name=x -F f=@large.bin %s://127.0.0.1:%d/upload > answer && grep -q ' %d 0 "
                 "saved/large' "
                 "answer && cmp large.bin saved/large.bin && rm saved/large.bin",
                 i ? "https" : "http", ports[i], LARGE_MB << 20);
        cr_expect(eq(int, run(command), 0), "%s", command);
        snprintf(command, sizeof(command),
                 "curl -q -sS -k -m 60 -H Transfer-Encoding:chunked -H Content-Type:a/b -X POST -T large.bin "
                 "%s://127.0.0.1:%d/echo | tail -n +2 | cmp - large.bin",
                 i ? "https" : "http", ports[i]);
        cr_expect(eq(int, run(command), 0), "%s", command);
    }
    cr_expect(eq(int, run("rmdir spool"), 0), "it is empty");
    cr_expect(eq(int, process_stop(server), 0));
}

static const char begin_of_body[] = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";

/* Whatever part of the body it has when it is killed. */
Test(large_bodies, leave_nothing_when_the_process_is_killed)
{
    char piece[200000] = "", path[64];
    struct raw raw;

    serve("spool");
    cr_assert(eq(int, raw_connect(&raw, ports[0]), 0));
    cr_assert(eq(int, raw_send_text(&raw, begin_of_body), 0));
    cr_assert(eq(int, raw_send(&raw, piece, sizeof(piece)), 0));
    snprintf(path, sizeof(path), "ls -l /proc/%d/fd | grep -q 'spool/.*(deleted)'", (int)process_pid(server));
    for (int i = 0; run(path); i++) {
        cr_assert(lt(int, i, 2000), "the body is in no file");
        usleep(10000);
    }
    cr_assert(eq(int, process_signal(server, SIGKILL), 0));
    cr_assert(eq(int, process_wait_end(server, PATIENCE_MS), 0));
    raw_close(&raw);
    cr_expect(eq(int, run("rmdir spool"), 0), "it is empty");
}

static void expect_507(struct client *c, const char *how)
{
    char *body = calloc(1, 1000000);
    int error = 0, sent;

    cr_assert(ne(ptr, c, NULL));
    cr_assert(eq(int, client_send_text(c, begin_of_body), 0));
    sent = client_send(c, body, 1000000);
    free(body);
    const struct answer *a = client_receive(c, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s, sent: %s", how, strerror(-error), strerror(-sent));
    cr_expect(eq(int, a->status, 507), "%s", how);
    client_close(c);
}

/* Not a lost connection but an answer, and a line that says what is to be done. */
Test(large_bodies, without_a_place_for_them_get_507)
{
    struct transport_target plain, tls;

    serve("nowhere");
    plain = (struct transport_target){.port = ports[0]};
    tls = (struct transport_target){.port = ports[1], .tls = true, .ca_path = certificate};
    for (int i = 1; i <= 3; i++) {
        expect_507(client_connect(&plain, 10000), "HTTP");
        cr_expect(eq(int, process_wait_lines(server, "have TMPDIR name another folder", 2 * i - 1, PATIENCE_MS), 0));
        expect_507(client_connect(&tls, 10000), "HTTPS");
        cr_expect(eq(int, process_wait_lines(server, "have TMPDIR name another folder", 2 * i, PATIENCE_MS), 0));
        cr_expect(eq(int, client_fetch(ports[0], "/words", NULL), 200));
    }
    cr_expect(eq(int, process_stop(server), 0));
}
