/*
 * The examples do what their first comments say, in the manual's words.
 */
#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/own_network.h"
#include "tests/support/port.h"
#include "tests/support/process.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct process *example;

static void finish(void)
{
    process_free(example);
    example = NULL;
}

/* Starts it with these variables, and waits until it says that it listens so often. */
static void start(const char *program, const char *const *environment, int listeners)
{
    example = process_start(&(struct process_options){.program = program, .environment = environment});
    cr_assert(not(zero(ptr, example)));
    cr_assert(zero(int, process_wait_lines(example, "server started listening on [", listeners, 20000)));
}

static struct transport_target target_of(int port)
{
    return (struct transport_target){.port = port};
}

static void expect_body(const struct transport_target *target, const char *path, char *expected)
{
    char *body = NULL;

    cr_expect(eq(int, rig_fetch(target, path, &body), 200), "%s", path);
    cr_expect(eq(str, body, expected), "%s", path);
    free(body);
}

static void expect_line(const char *format, int number)
{
    char line[128], *digits = strchr(format, '#');

    snprintf(line, sizeof(line), "%.*s%d%s", (int)(digits - format), format, number, digits + 1);
    cr_expect(zero(int, process_wait_line(example, line, 10000)), "%s", line);
}

static void expect_end(void)
{
    int status = -1;

    cr_expect(zero(int, process_wait_end(example, 20000)));
    cr_expect(zero(int, process_wait_exit(example, 1000, &status)));
    cr_expect(zero(int, status));
}

/* Asks until the answer has this in it: its status, or 0. */
static int wait_for_part(const struct transport_target *target, const char *path, const char *part)
{
    int status = 0;
    bool found = false;

    for (int waited = 0; !found && waited < 10000; waited += 10) {
        char *body = NULL;

        status = rig_fetch(target, path, &body);
        found = body && strstr(body, part);
        free(body);
        usleep(10000);
    }
    return found ? status : 0;
}

Test(examples, graceful, .fini = finish, .timeout = 60)
{
    char variable[32];
    int port = free_port();
    struct transport_target target = target_of(port);
    struct client *sleeper;
    const struct answer *answer;
    pid_t first, second;
    char both[64];
    int error = 0;

    snprintf(variable, sizeof(variable), "GF_PORT=%d", port);
    start("graceful", (const char *[]){variable, NULL}, 1);
    first = process_pid(example);
    expect_line("http server started listening on [:#]", port);
    expect_body(&target, "/", "哈喽!\n");
    cr_expect(eq(long, rig_fetch_number(&target, "/pid"), first));
    cr_expect(eq(int, rig_fetch(&target, "/debug/admin", NULL), 200));
    sleeper = client_connect(&target, 20000);
    cr_assert(not(zero(ptr, sleeper)));
    cr_assert(zero(int, client_send_text(sleeper, "GET /sleep?seconds=1.5 HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    cr_expect(eq(int, wait_for_part(&target, "/debug/admin/status", "\"route\":\"/sleep\""), 200));
    cr_expect(eq(int, rig_fetch(&target, "/debug/admin/restart", NULL), 200));
    second = (pid_t)rig_fetch_number(&target, "/pid");
    cr_expect(gt(int, second, 0));
    cr_expect(ne(int, second, first));
    answer = client_receive(sleeper, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    snprintf(both, sizeof(both), "%d\n%d\n", (int)first, (int)first);
    cr_expect(eq(str, answer->body, both));
    client_close(sleeper);
    expect_line("#: server reloading", first);
    expect_line("#: http server restarted listening on", second);
    expect_line("http server restarted listening on [:#]", port);
    expect_line("#: all servers shutdown", first);
    cr_expect(zero(int, kill(second, SIGUSR1)));
    expect_line("#: server reloading", second);
    expect_line("#: all servers shutdown", second);
    cr_expect(eq(int, rig_fetch(&target, "/debug/admin/shutdown", NULL), 200));
    expect_end();
}

Test(examples, multi, .fini = finish, .timeout = 60)
{
    char variables[2][64], *output;
    int ports[4], shutdowns = 0;
    pid_t second;

    for (int i = 0; i < 4; i++)
        ports[i] = free_port();
    for (int i = 0; i < 2; i++)
        snprintf(variables[i], sizeof(variables[i]), "GF_ADDRESS_%d=:%d,:%d", i + 1, ports[2 * i], ports[2 * i + 1]);
    start("multi", (const char *[]){variables[0], variables[1], NULL}, 4);
    for (int i = 0; i < 4; i++) {
        struct transport_target target = target_of(ports[i]);

        expect_line("http server started listening on [:#]", ports[i]);
        expect_body(&target, "/", i < 2 ? "s1\n" : "s2\n");
        cr_expect(eq(long, rig_fetch_number(&target, "/pid"), process_pid(example)));
    }

    struct transport_target last = target_of(ports[3]);
    cr_expect(eq(int, rig_fetch(&last, "/debug/admin/restart", NULL), 200));
    second = (pid_t)rig_fetch_number(&last, "/pid");
    cr_expect(ne(int, second, process_pid(example)));
    expect_line("#: server reloading", process_pid(example));
    expect_line("#: all servers shutdown", process_pid(example));
    for (int i = 0; i < 4; i++) {
        struct transport_target target = target_of(ports[i]);

        expect_line("http server restarted listening on [:#]", ports[i]);
        expect_body(&target, "/", i < 2 ? "s1\n" : "s2\n");
        cr_expect(eq(long, rig_fetch_number(&target, "/pid"), second));
    }

    struct transport_target one = target_of(ports[0]);
    cr_expect(eq(int, rig_fetch(&one, "/debug/admin/shutdown", NULL), 200));
    expect_end();
    expect_line("#: server shutting down", second);
    output = process_output(example);
    for (const char *at = output; (at = strstr(at, "all servers shutdown")); at++)
        shutdowns++;
    cr_expect(eq(int, shutdowns, 2));
    free(output);
}

Test(examples, https, .fini = finish, .timeout = 60)
{
    char folder[] = "/tmp/gf-example-XXXXXX", variables[3][128], path[128];
    int port = free_port();
    struct transport_target target = {.port = port, .tls = true, .ca_path = path};
    long first, second;

    cr_assert(not(zero(ptr, mkdtemp(folder))));
    cr_assert(zero(int, certificate_make(folder, "server", "localhost")));
    snprintf(path, sizeof(path), "%s/server.crt", folder);
    snprintf(variables[0], sizeof(variables[0]), "GF_PORT=%d", port);
    snprintf(variables[1], sizeof(variables[1]), "GF_CERT=%s/server.crt", folder);
    snprintf(variables[2], sizeof(variables[2]), "GF_KEY=%s/server.key", folder);
    start("https", (const char *[]){variables[0], variables[1], variables[2], NULL}, 1);
    expect_line("https server started listening on [:#]", port);
    expect_body(&target, "/", "hello over TLS\n");
    first = rig_fetch_number(&target, "/pid");
    cr_assert(zero(int, certificate_make(folder, "server", "localhost")));
    cr_expect(lt(int, rig_fetch(&target, "/", NULL), 0), "the old certificate is taken for the new one");
    target.ca_path = NULL;
    cr_expect(eq(int, rig_fetch(&target, "/debug/admin/restart", NULL), 200));
    target.ca_path = path;
    expect_line("https server restarted listening on [:#]", port);
    expect_body(&target, "/", "hello over TLS\n");
    second = rig_fetch_number(&target, "/pid");
    cr_expect(gt(long, second, 0));
    cr_expect(ne(long, first, second));
    cr_expect(eq(int, rig_fetch(&target, "/debug/admin/shutdown", NULL), 200));
    expect_end();
    unlink(path);
    snprintf(path, sizeof(path), "%s/server.key", folder);
    unlink(path);
    rmdir(folder);
}

Test(examples, signals, .fini = finish, .timeout = 60)
{
    char variable[32], *line;
    int port = free_port();
    struct transport_target target = target_of(port);
    pid_t first, second;
    char expected[64];

    snprintf(variable, sizeof(variable), "GF_PORT=%d", port);
    start("signals", (const char *[]){variable, NULL}, 1);
    first = process_pid(example);
    expect_line("pid #, the first", first);
    snprintf(expected, sizeof(expected), "hello from %d\n", (int)first);
    expect_body(&target, "/", expected);
    cr_expect(zero(int, kill(first, SIGUSR2)));
    expect_line("# has answered 1 requests", first);
    cr_expect(zero(int, kill(first, SIGUSR1)));
    expect_line(", started by a restart of #", first);
    line = process_find_line(example, ", started by a restart of ");
    cr_assert(not(zero(ptr, line)));
    second = (pid_t)atol(line + strlen("pid "));
    free(line);
    cr_expect(zero(int, process_wait_line(example, "server restarted: process ", 10000)));
    snprintf(expected, sizeof(expected), "hello from %d\n", (int)second);
    expect_body(&target, "/", expected);
    cr_expect(zero(int, kill(second, SIGUSR2)));
    expect_line("# has answered 1 requests", second);
    cr_expect(zero(int, kill(second, SIGTERM)));
    expect_line("#: server shutting down", second);
    expect_end();
}

/* The first of all has the port that the README shows: in a network of the test's own as far as it may have one, else
 * only where nobody else has that port. */
Test(examples, hello, .fini = finish, .timeout = 60)
{
    struct transport_target target = target_of(8199);

    own_network();
    example = process_start(&(struct process_options){.program = "hello"});
    cr_assert(not(zero(ptr, example)));
    if (process_wait_line(example, "server started listening on [", 20000) < 0) {
        cr_assert(not(zero(ptr, process_find_line(example, "Address already in use"))));
        cr_skip_test("somebody has the port 8199");
    }
    expect_line("http server started listening on [:#]", 8199);
    expect_body(&target, "/", "hello\n");
    cr_expect(eq(int, rig_fetch(&target, "/absent", NULL), 404));
    cr_expect(zero(int, kill(process_pid(example), SIGTERM)));
    expect_end();
}

/* Starts an example on a free port, and connects to it. */
static struct client *start_and_connect(const char *program)
{
    char variable[32];
    int port = free_port();
    struct client *client;

    snprintf(variable, sizeof(variable), "GF_PORT=%d", port);
    start(program, (const char *[]){variable, NULL}, 1);
    client = client_connect_port(port);
    cr_assert(not(zero(ptr, client)));
    return client;
}

static const struct answer *ask(struct client *client, const char *request)
{
    int error = 0;
    const struct answer *a;

    cr_assert(zero(int, client_send_text(client, request)));
    a = client_receive(client, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", request, strerror(-error));
    return a;
}

static void expect_answer(const struct answer *a, int status, const char *body)
{
    cr_expect(eq(int, a->status, status), "%s", a->head);
    cr_expect(eq(str, a->body, (char *)body));
}

Test(examples, middleware, .fini = finish, .timeout = 60)
{
    struct client *client = start_and_connect("middleware");
    const struct answer *a = ask(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");

    expect_answer(a, 200, "哈喽!\n");
    cr_expect(eq(int, answer_header_count(a, "X-Request-Id"), 1));
    cr_expect(zero(int, process_wait_line(example, "GET /: 200, ", 10000)));
    expect_answer(ask(client, "GET /absent HTTP/1.1\r\nHost: a\r\n\r\n"), 404, "There is no /absent here.\n");
    a = ask(client, "GET /api/users/7 HTTP/1.1\r\nHost: a\r\nOrigin: https://b.example\r\n\r\n");
    expect_answer(a, 200, "user 7\n");
    cr_expect(eq(int, answer_header_count(a, "Access-Control-Allow-Origin"), 1));
    a = ask(client, "DELETE /api/admin/users/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_answer(a, 401, "Unauthorized");
    a = ask(client, "DELETE /api/admin/users/7 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer let-me-in\r\n\r\n");
    expect_answer(a, 200, "user 7 is gone\n");
    client_close(client);
    cr_expect(zero(int, kill(process_pid(example), SIGTERM)));
    expect_end();
}

/* Sends a form of these parts, as curl -F does. */
static const struct answer *send_form(struct client *client, const char *parts)
{
    char request[2048];

    snprintf(request, sizeof(request),
             "POST /people HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
             "Content-Length: %zu\r\n\r\n%s--b--\r\n",
             strlen(parts) + strlen("--b--\r\n"), parts);
    return ask(client, request);
}

Test(examples, forms, .fini = finish, .timeout = 60)
{
    static const char json[] = "{\"name\":\"Anna\",\"age\":30}";
    struct client *client = start_and_connect("forms");
    char path[512], request[512], picture[16] = "";
    const struct answer *a = send_form(client, "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAnna\r\n"
                                               "--b\r\nContent-Disposition: form-data; name=\"age\"\r\n\r\n30\r\n"
                                               "--b\r\nContent-Disposition: form-data; name=\"picture\"; "
                                               "filename=\"photo.png\"\r\nContent-Type: image/png\r\n\r\npixels\r\n");

    expect_answer(a, 200, "Anna, 30 years\n6 bytes in pictures/photo.png\n");
    snprintf(path, sizeof(path), "%s/pictures/photo.png", process_folder(example));
    FILE *file = fopen(path, "re");
    cr_assert(not(zero(ptr, file)), "%s", path);
    cr_expect(not(zero(ptr, fgets(picture, sizeof(picture), file))));
    fclose(file);
    cr_expect(eq(str, picture, "pixels"));
    a = send_form(client, "--b\r\nContent-Disposition: form-data; name=\"age\"\r\n\r\n7\r\n");
    cr_expect(eq(int, a->status, 400));
    cr_expect(not(zero(ptr, strstr(a->body, "{\"code\":51,\"message\":\"name is required; only for grown-ups\","))));
    snprintf(request, sizeof(request),
             "POST /people HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(json), json);
    expect_answer(ask(client, request), 200, "Anna, 30 years\n");
    a = ask(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_expect(not(zero(ptr, strstr(a->body, "<form method=post action=/people enctype=multipart/form-data>"))));
    client_close(client);
    cr_expect(zero(int, kill(process_pid(example), SIGTERM)));
    expect_end();
}

/* Two examples cannot have one port: the second one says so and ends. */
Test(examples, a_port_in_use_is_an_error, .fini = finish, .timeout = 60)
{
    static const char *const others[] = {"graceful", "signals"}; /* ghttp_server_run(); a start of the program's own */
    char variable[32];

    snprintf(variable, sizeof(variable), "GF_PORT=%d", free_port());
    start("graceful", (const char *[]){variable, NULL}, 1);
    for (int i = 0; i < 2; i++) {
        struct process *other = process_start(
            &(struct process_options){.program = others[i], .environment = (const char *[]){variable, NULL}});
        int status = 0;

        cr_assert(not(zero(ptr, other)));
        cr_expect(zero(int, process_wait_line(other, "Address already in use", 10000)));
        cr_expect(zero(int, process_wait_exit(other, 10000, &status)));
        cr_expect(zero(int, WTERMSIG(status)), "%s", others[i]);
        cr_expect(eq(int, WEXITSTATUS(status), 1), "%s", others[i]);
        process_free(other);
    }
}
