/*
 * TLS sessions over restarts: what a client kept from the first generation resumes in each later one, whoever made the
 * ticket, and the key shows up nowhere.
 */
#include "tests/support/client.h"
#include "tests/support/port.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GENERATIONS = 4,
};

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

struct session {
    void *data;
    size_t size;
};

/* Asks over a connection of its own, with this session where there is one; gives the new session where wanted. Whether
 * the old one was resumed. */
static bool ask(const char *priorities, const struct session *session, struct session *fresh)
{
    struct transport_target target = rig.https;
    const struct answer *answer;
    struct client *c;
    bool resumed;
    int error = 0;

    target.priorities = priorities;
    if (session) {
        target.session = session->data;
        target.session_size = session->size;
    }
    c = client_connect(&target, 30000);
    cr_assert(not(zero(ptr, c)));
    answer = client_get(c, "/pid", &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_assert(eq(int, atoi(answer->body), rig.pid));
    resumed = transport_resumed(client_transport(c));
    if (fresh)
        cr_assert(zero(int, transport_session(client_transport(c), &fresh->data, &fresh->size)));
    client_close(c);
    return resumed;
}

static void resume_in_each_generation(const char *priorities)
{
    struct session sessions[GENERATIONS];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_expect(not(ask(priorities, NULL, &sessions[0])));
    cr_expect(ask(priorities, &sessions[0], NULL), "not even without a restart");
    for (int i = 1; i < GENERATIONS; i++) {
        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
        for (int k = 0; k < i; k++)
            cr_expect(ask(priorities, &sessions[k], NULL), "a session of generation %d in generation %d", k + 1, i + 1);
        cr_expect(not(ask(priorities, NULL, &sessions[i])));
        cr_expect(ask(priorities, &sessions[i], NULL));
    }
    for (int i = 0; i < GENERATIONS; i++)
        free(sessions[i].data);
    cr_expect(zero(int, process_stop(rig.process)));
}

Test(tls_resumption, tls_1_3, .fini = finish, .timeout = 60)
{
    resume_in_each_generation("NORMAL:-VERS-ALL:+VERS-TLS1.3");
}

Test(tls_resumption, tls_1_2, .fini = finish, .timeout = 60)
{
    resume_in_each_generation("NORMAL:-VERS-ALL:+VERS-TLS1.2");
}

/* Its clients know the server by its address, not by the name that the program has for it. */
Test(tls_resumption, under_another_name, .fini = finish, .timeout = 60)
{
    struct session session;
    char *body = NULL;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_expect(not(ask(NULL, NULL, &session)));
    cr_assert(zero(int, rig_settings(&rig, "name_1=renamed")));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(ask(NULL, &session, NULL));
    cr_assert(eq(int, rig_page(&rig, "/status", &body), 200));
    cr_expect(not(zero(ptr, strstr(body, "\"tls\":\"kept\""))), "%s", body);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0)); /* and from there under that name */
    cr_expect(ask(NULL, &session, NULL));
    free(body);
    free(session.data);
}

/* At an address that it did not have before, a server has no clients of before. */
Test(tls_resumption, at_another_address, .fini = finish, .timeout = 60)
{
    char settings[128], *body = NULL;
    int port = free_port();

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    snprintf(settings, sizeof(settings), "name_1=renamed\nhttps_1=127.0.0.1:%d", port);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(eq(int, rig_page(&rig, "/status", &body), 200));
    cr_expect(not(zero(ptr, strstr(body, "\"tls\":\"new\""))), "%s", body);
    free(body);
}

/* ---- secrecy ----------------------------------------------------------------------------------------------------- */

static size_t read_whole(const char *path, char *data, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t count = 0;

    if (!file)
        return 0;
    count = fread(data, 1, size, file);
    fclose(file);
    return count;
}

/* Runs of letters and digits as long as a key in hexadecimal or base64 would be; paths and names have none here. */
static bool has_encoded_secret(const char *text, size_t size)
{
    size_t run = 0;

    for (size_t i = 0; i < size; i++) {
        bool of_code = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
                       (text[i] >= '0' && text[i] <= '9') || text[i] == '+' || text[i] == '=';

        run = of_code ? run + 1 : 0;
        if (run >= 64)
            return true;
    }
    return false;
}

/* What the new process was started with, as the kernel recorded it: the variable names listeners, and no key. */
Test(tls_resumption, the_key_is_in_no_environment_and_in_no_log, .fini = finish, .timeout = 60)
{
    static char environment[1 << 20];
    char path[64], *log, *variable;
    size_t size;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)rig.pid);
    size = read_whole(path, environment, sizeof(environment));
    cr_assert(gt(sz, size, 0));
    variable = memmem(environment, size, "GF_SERVER_RELOAD=", strlen("GF_SERVER_RELOAD="));
    if (variable) {
        cr_expect(zero(ptr, strstr(variable, "ticket")), "%s", variable);
        cr_expect(zero(ptr, strstr(variable, "key")), "%s", variable);
        cr_expect(not(has_encoded_secret(variable, strlen(variable))), "%s", variable);
    }
    log = process_output(rig.process);
    cr_assert(not(zero(ptr, log)));
    cr_expect(zero(ptr, strstr(log, "ticket")));
    cr_expect(not(has_encoded_secret(log, strlen(log))), "%s", log);
    free(log);
}
