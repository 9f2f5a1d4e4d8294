/*
 * Faults on order at each step of a restart, in the old process and in the new one, under a light load: what a client
 * loses is what the dead process held itself, somebody serves all the while, and the next restart works.
 *
 * The cases of a table run side by side, since each of them mostly waits.
 */
#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SIDE_BY_SIDE = 8,
    CASES_MAX = 64,
    KEPT = 2, /* connections of the load that keeps them */
    OUTCOME_MS = 25000,
    SAME_ANSWERS = 10,
    END_MS = 20000,
};

enum outcome {
    FAILS,      /* the old process serves on, and says so */
    SUCCEEDS,   /* as if there were no fault */
    COMES_BACK, /* the new process serves and dies; the old one serves again */
    GOES_ON,    /* the old process dies; the new one serves alone */
    REMAINS,    /* the old process hangs, what it has is served on; the new one serves the rest */
};

struct scene {
    const char *fault; /* generation:step:fault */
    enum outcome outcome;
    const char *words;     /* in the log */
    const char *probation; /* NULL: a short one */
};

struct stage {
    const struct scene *scene;
    struct rig rig;
    struct load *kept, *fresh;
    uint64_t lost[2]; /* requests of the two that had failed when it was over */
    char why[1024];   /* what went wrong; empty: nothing */
};

/* ---- saying what went wrong, from any thread --------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool blame(struct stage *s, const char *format, ...)
{
    size_t length = strlen(s->why);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(s->why + length, sizeof(s->why) - length, format, arguments);
    va_end(arguments);
    length = strlen(s->why);
    snprintf(s->why + length, sizeof(s->why) - length, "; ");
    return false;
}

/* ---- the stage --------------------------------------------------------------------------------------------------- */

/* "4711\n", of whoever answers: a failure names the one who did so last on its connection. */
static bool is_pid(uint64_t n, const struct answer *answer, char *why, size_t size, void *arg)
{
    (void)n, (void)arg;
    if (answer->status == 200 && atol(answer->body) > 0)
        return true;
    snprintf(why, size, "status %d, \"%.60s\"", answer->status, answer->body ? answer->body : "");
    return false;
}

static struct load *start_load(const struct rig *rig, bool fresh)
{
    struct load_options options = {.target = rig->http,
                                   .connections = fresh ? 1 : KEPT,
                                   .fresh = fresh,
                                   .path = "/pid",
                                   .pause_us = 2000,
                                   .timeout_ms = 20000,
                                   .check = is_pid};

    return load_start(&options);
}

static bool set_up(struct stage *s)
{
    char fault[128], once[400], settings[256];
    const char *environment[] = {fault, once, NULL};

    if (rig_init(&s->rig) < 0)
        return blame(s, "no rig");
    snprintf(fault, sizeof(fault), "GF_FAULT=%s", s->scene->fault);
    snprintf(once, sizeof(once), "GF_FAULT_ONCE=%s/once", s->rig.folder);
    snprintf(settings, sizeof(settings), "set_gracefulReadyTimeout=2s\nset_gracefulProbation=%s",
             s->scene->probation ? s->scene->probation : "500ms");
    s->rig.program = "fault_server";
    s->rig.environment = environment;
    if (rig_settings(&s->rig, settings) < 0 || rig_start(&s->rig) < 0)
        return blame(s, "the server does not start");
    s->kept = start_load(&s->rig, false);
    s->fresh = start_load(&s->rig, true);
    if (!s->kept || !s->fresh || load_wait_requests(s->kept, 20, END_MS) < 0 ||
        load_wait_requests(s->fresh, 20, END_MS) < 0)
        return blame(s, "no load");
    return true;
}

static void tear_down(struct stage *s)
{
    load_free(s->kept);
    load_free(s->fresh);
    rig_finish(&s->rig);
}

/* ---- what is to be seen ------------------------------------------------------------------------------------------ */

/*
 * New connections are served by somebody else than the first generation, or by it. Both accept for the moment between
 * the new one's "ready" and the end of the old one's accepting, so one answer proves nothing yet.
 */
static bool wait_for_pid(struct stage *s, bool first)
{
    pid_t pid = 0;
    int same = 0;

    for (int waited = 0; waited < OUTCOME_MS && same < SAME_ANSWERS; waited += same ? 0 : 10) {
        pid_t next = rig_ask_pid(&s->rig);

        same = next > 0 && (next == s->rig.first) == first ? (next == pid ? same + 1 : 1) : 0;
        pid = next;
        usleep(same ? 0 : 10000);
    }
    if (same < SAME_ANSWERS)
        return blame(s, "%d serves", (int)pid);
    s->rig.pid = pid;
    return true;
}

static bool wait_for_line(struct stage *s, const char *text)
{
    return !text || !process_wait_line(s->rig.process, text, OUTCOME_MS) || blame(s, "nobody says \"%s\"", text);
}

static bool see_outcome(struct stage *s)
{
    static const char *const lines[] = {[FAILS] = "server restart failed: ",
                                        [SUCCEEDS] = "server restarted: process ",
                                        [COMES_BACK] = "rolled back: process ",
                                        [GOES_ON] = NULL,
                                        [REMAINS] = NULL};
    enum outcome outcome = s->scene->outcome;

    if (!wait_for_line(s, lines[outcome]) || !wait_for_line(s, s->scene->words))
        return false;
    if (outcome == GOES_ON && process_wait_pid_gone(s->rig.first, OUTCOME_MS) < 0)
        return blame(s, "the old process does not die");
    return wait_for_pid(s, outcome == FAILS || outcome == COMES_BACK);
}

/* Want that is the fault may last for a while. */
static bool see_plenty(struct stage *s)
{
    return !strstr(s->scene->fault, "-briefly") || wait_for_line(s, "fault: there is enough again");
}

/* All new connections meet the same process, and the load goes on. */
static bool see_service(struct stage *s)
{
    for (int i = 0; i < 20; i++) {
        pid_t pid = rig_ask_pid(&s->rig);

        if (pid != s->rig.pid)
            return blame(s, "connection %d is answered by %d, not by %d", i, (int)pid, (int)s->rig.pid);
    }
    if (load_wait_requests(s->kept, load_requests(s->kept) + 20, END_MS) < 0)
        return blame(s, "kept connections stand still");
    if (load_wait_requests(s->fresh, load_requests(s->fresh) + 20, END_MS) < 0)
        return blame(s, "fresh connections stand still");
    return true;
}

static bool restart_again(struct stage *s)
{
    pid_t pid, old = s->rig.pid;

    for (int waited = 0; waited < 2000 && s->scene->outcome == SUCCEEDS; waited += 10)
        usleep(rig_count_processes(&s->rig) > 1 ? 10000 : 0); /* the old one goes first: three would be another test */
    pid = rig_restart_by_signal(&s->rig);
    if (pid <= 0 || pid == old)
        return blame(s, "the next restart fails: %d", (int)pid);
    return see_service(s);
}

/* Where want is the fault, as long as it lasts: of descriptors, new connections are told so; of memory, a process that
 * serves may have to end any. */
static bool is_for_want(const struct stage *s, const char *failure)
{
    if (strstr(s->scene->fault, ":nofiles"))
        return strstr(failure, "(first, 1 of its connection") && strstr(failure, "status 503");
    return strstr(s->scene->fault, ":nomemory-briefly") && s->scene->outcome == SUCCEEDS;
}

/* Of a process that has died, a connection that it answered last was its own; one that had not been answered on may
 * have been; and one that had just moved to it, from the process that came back. */
static bool was_held_by_dead(const struct stage *s, const char *failure)
{
    const char *last = strstr(failure, LOAD_ANSWERED_LAST);
    long pid = last ? atol(last + strlen(LOAD_ANSWERED_LAST)) : 0;

    if (s->scene->outcome == COMES_BACK)
        return true;
    return s->scene->outcome == GOES_ON && (!pid || pid == s->rig.first);
}

/* Each connection of the dead process may have cost one request, which nobody answered; none was answered wrongly, and
 * none failed afterwards. */
static void judge(struct stage *s, struct load *load, const char *which, uint64_t lost, uint64_t allowed)
{
    const struct load_result *result;
    uint64_t refused = 0;

    load_stop(load);
    result = load_result(load);
    for (uint64_t i = 0; i < result->failures && i < LOAD_FAILURES_KEPT; i++) {
        const char *failure = result->failure[i];

        if (is_for_want(s, failure))
            refused++;
        else if (strstr(failure, "wrong answer"))
            blame(s, "%s", failure);
        else if (!was_held_by_dead(s, failure))
            blame(s, "on a %s connection that the dead process did not hold: %s", which, failure);
    }
    if (!refused && result->failures > allowed)
        blame(s, "%llu requests on %s connections failed: %s", (unsigned long long)result->failures, which,
              result->failure[0]);
    if (result->failures > lost)
        blame(s, "%llu requests on %s connections failed after it was over", (unsigned long long)result->failures,
              which);
}

static void see_end(struct stage *s)
{
    bool somebody_dies = s->scene->outcome == COMES_BACK || s->scene->outcome == GOES_ON;

    judge(s, s->kept, "kept", s->lost[0], somebody_dies ? KEPT : 0);
    judge(s, s->fresh, "fresh", s->lost[1], somebody_dies ? 1 : 0);
    if (rig_count_zombies(s->rig.pid))
        blame(s, "a zombie is left");
    if (s->scene->outcome == REMAINS || s->scene->probation)
        return;
    if (rig_wait_processes(&s->rig, 1, END_MS) < 0)
        blame(s, "%d processes are left", rig_count_processes(&s->rig));
}

static void play(struct stage *s)
{
    if (!set_up(s))
        goto end;
    kill(s->rig.first, SIGUSR1);
    if (see_outcome(s) && see_plenty(s) && see_service(s)) {
        s->lost[0] = load_failures(s->kept); /* it is over */
        s->lost[1] = load_failures(s->fresh);
        if (restart_again(s))
            see_end(s);
    }
    if (s->why[0]) {
        char *output = process_output(s->rig.process);
        size_t length = output ? strlen(output) : 0;

        fprintf(stderr, "---- %s: %s\n%s----\n", s->scene->fault, s->why,
                output ? output + (length > 3000 ? length - 3000 : 0) : "");
        free(output);
    }
end:
    tear_down(s);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

struct table {
    const struct scene *scenes;
    int count;
    atomic_int next;
    struct stage stages[CASES_MAX];
};

static void *play_some(void *arg)
{
    struct table *table = arg;

    for (int i = atomic_fetch_add(&table->next, 1); i < table->count; i = atomic_fetch_add(&table->next, 1)) {
        table->stages[i].scene = &table->scenes[i];
        if (rig_is_sanitized() && strstr(table->scenes[i].fault, ":no"))
            continue;
        play(&table->stages[i]);
    }
    return NULL;
}

static void play_all(const struct scene *scenes, int count)
{
    static struct table table;
    pthread_t threads[SIDE_BY_SIDE];

    table.scenes = scenes;
    table.count = count;
    for (int i = 0; i < SIDE_BY_SIDE; i++)
        cr_assert(zero(int, pthread_create(&threads[i], NULL, play_some, &table)));
    for (int i = 0; i < SIDE_BY_SIDE; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < count; i++)
        cr_expect(not(table.stages[i].why[0]), "%s: %s", scenes[i].fault, table.stages[i].why);
}

#define COUNT(array) ((int)(sizeof(array) / sizeof(*(array))))

/* Before it is ready: nothing has changed in the old process, and no request may fail at all. */
Test(faults, of_the_new_process_before_it_is_ready, .timeout = 240)
{
    static const struct scene scenes[] = {
        {"0:before-greeting:hang", FAILS, "not ready within gracefulReadyTimeout", NULL},
        {"2:before-listeners:hang", FAILS, "not ready within gracefulReadyTimeout", NULL},
        {"2:before-ready:hang", FAILS, "not ready within gracefulReadyTimeout", NULL},
        {"0:before-greeting:exit", FAILS, "ended with exit status 3", NULL},
        {"0:before-greeting:abort", FAILS, "ended by signal 6", NULL},
        {"0:before-greeting:kill", FAILS, "ended by signal 9", NULL},
        {"0:before-greeting:garbage", FAILS, "something that is no message", NULL},
        {"0:before-greeting:close", FAILS, "closed the channel before it was ready", NULL},
        {"0:before-greeting:nofiles", FAILS, NULL, NULL},
        {"2:before-listeners:exit", FAILS, "ended with exit status 3", NULL},
        {"2:before-listeners:abort", FAILS, "ended by signal 6", NULL},
        {"2:before-listeners:kill", FAILS, "ended by signal 9", NULL},
        {"2:before-listeners:nofiles", FAILS, NULL, NULL},
        {"2:before-listeners:nomemory", FAILS, NULL, NULL},
        {"2:before-ready:exit", FAILS, "ended with exit status 3", NULL},
        {"2:before-ready:abort", FAILS, "ended by signal 6", NULL},
        {"2:before-ready:kill", FAILS, "ended by signal 9", NULL},
        {"2:before-ready:garbage", FAILS, "something that is no message", NULL},
        {"2:before-ready:close", FAILS, "closed the channel before it was ready", NULL},
        {"0:before-greeting:nomemory", FAILS, NULL, NULL},
    };

    play_all(scenes, COUNT(scenes));
}

/* It serves already when it dies: what it has is lost, all else comes back. */
Test(faults, of_the_new_process_when_it_serves, .timeout = 240)
{
    static const struct scene scenes[] = {
        {"2:after-ready:hang", COMES_BACK, "did not answer any more", "8s"},
        {"2:on-connection:hang", COMES_BACK, "did not answer any more", "8s"},
        {"2:after-ready:exit", COMES_BACK, "ended with exit status 3", "3s"},
        {"2:after-ready:abort", COMES_BACK, "ended by signal 6", NULL},
        {"2:after-ready:kill", COMES_BACK, "ended by signal 9", NULL},
        {"2:after-ready:garbage", SUCCEEDS, NULL, NULL},
        {"2:after-ready:close", COMES_BACK, "ended by signal 9", "3s"},
        {"2:on-connection:exit", COMES_BACK, "ended with exit status 3", "3s"},
        {"2:on-connection:abort", COMES_BACK, "ended by signal 6", NULL},
        {"2:on-connection:kill", COMES_BACK, "ended by signal 9", NULL},
        {"2:on-connection:garbage", SUCCEEDS, NULL, NULL},
        {"2:on-connection:close", COMES_BACK, "ended by signal 9", "3s"},
        {"2:before-ready:nofiles-briefly", SUCCEEDS, NULL, NULL},
        {"2:after-ready:nofiles-briefly", SUCCEEDS, NULL, NULL},
        {"2:on-connection:nofiles-briefly", SUCCEEDS, NULL, NULL},
        {"2:before-ready:nomemory-briefly", SUCCEEDS, NULL, NULL},
        {"2:after-ready:nomemory-briefly", SUCCEEDS, NULL, NULL},
        {"2:on-connection:nomemory-briefly", SUCCEEDS, NULL, NULL},
    };

    play_all(scenes, COUNT(scenes));
}

/* Its connections end with it, and the service goes on. */
Test(faults, of_the_old_process, .timeout = 240)
{
    static const struct scene scenes[] = {
        {"1:after-spawn:hang", REMAINS, "this process accepts no more", NULL},
        {"1:before-hand-over:hang", REMAINS, "this process accepts no more", NULL},
        {"1:after-spawn:exit", GOES_ON, NULL, NULL},
        {"1:after-spawn:abort", GOES_ON, NULL, NULL},
        {"1:after-spawn:kill", GOES_ON, NULL, NULL},
        {"1:after-spawn:garbage", SUCCEEDS, NULL, NULL},
        {"1:after-spawn:close", FAILS, "closed the channel before it was ready", NULL},
        {"1:before-hand-over:exit", GOES_ON, NULL, NULL},
        {"1:before-hand-over:abort", GOES_ON, NULL, NULL},
        {"1:before-hand-over:kill", GOES_ON, NULL, NULL},
        {"1:before-hand-over:garbage", SUCCEEDS, NULL, NULL},
        {"1:before-hand-over:close", COMES_BACK, "ended by signal 9", "3s"},
        {"1:after-cease:exit", GOES_ON, NULL, NULL},
        {"1:after-cease:abort", GOES_ON, NULL, NULL},
        {"1:after-cease:kill", GOES_ON, NULL, NULL},
        {"1:after-cease:hang", REMAINS, NULL, NULL},
        {"1:after-cease:garbage", SUCCEEDS, NULL, NULL},
        {"1:after-cease:close", COMES_BACK, "ended by signal 9", "3s"},
        {"1:after-cease:nofiles", SUCCEEDS, NULL, NULL},
        {"1:after-hand-over:exit", GOES_ON, NULL, NULL},
        {"1:after-hand-over:abort", GOES_ON, NULL, NULL},
        {"1:after-hand-over:kill", GOES_ON, NULL, NULL},
        {"1:after-hand-over:hang", REMAINS, NULL, NULL},
        {"1:after-hand-over:garbage", SUCCEEDS, NULL, NULL},
        {"1:after-hand-over:close", COMES_BACK, "ended by signal 9", "3s"},
        {"1:after-hand-over:nofiles", SUCCEEDS, NULL, NULL},
        {"1:before-spawn:nofiles-briefly", FAILS, "Too many open files", NULL},
        {"1:before-spawn:nomemory-briefly", FAILS, "Cannot allocate memory", NULL},
        {"1:after-spawn:nofiles", SUCCEEDS, NULL, NULL},
        {"1:before-hand-over:nofiles", SUCCEEDS, NULL, NULL},
        {"1:after-cease:nomemory", SUCCEEDS, NULL, NULL},
        {"1:after-hand-over:nomemory", SUCCEEDS, NULL, NULL},
        {"1:after-spawn:nomemory", SUCCEEDS, NULL, NULL},
        {"1:before-hand-over:nomemory", SUCCEEDS, NULL, NULL},
    };

    play_all(scenes, COUNT(scenes));
}

/* When it trusts the new one there is no way back: its death costs what it still has. */
Test(faults, of_the_old_process_at_the_end_of_the_watch, .timeout = 240)
{
    static const struct scene scenes[] = {
        {"1:end-watch:exit", GOES_ON, NULL, NULL},     {"1:end-watch:abort", GOES_ON, NULL, NULL},
        {"1:end-watch:kill", GOES_ON, NULL, NULL},     {"1:end-watch:hang", REMAINS, NULL, NULL},
        {"1:end-watch:garbage", SUCCEEDS, NULL, NULL}, {"1:end-watch:close", SUCCEEDS, NULL, NULL},
        {"1:end-watch:nofiles", SUCCEEDS, NULL, NULL}, {"1:end-watch:nomemory", SUCCEEDS, NULL, NULL},
        {"1:drain:exit", GOES_ON, NULL, NULL},         {"1:drain:abort", GOES_ON, NULL, NULL},
        {"1:drain:kill", GOES_ON, NULL, NULL},         {"1:drain:hang", REMAINS, NULL, NULL},
        {"1:drain:garbage", SUCCEEDS, NULL, NULL},     {"1:drain:close", SUCCEEDS, NULL, NULL},
        {"1:drain:nofiles", SUCCEEDS, NULL, NULL},     {"1:drain:nomemory", SUCCEEDS, NULL, NULL},
    };

    play_all(scenes, COUNT(scenes));
}

/* ---- want of descriptors and memory ------------------------------------------------------------------------------ */

enum {
    CLIENTS = 100,
    MANY = 600, /* more than the channel holds */
};

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

static void start_with(const char *fault, struct client **clients, int count)
{
    static char variable[128], once[400];
    static const char *const environment[] = {variable, once, NULL};

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(variable, sizeof(variable), "GF_FAULT=%s", fault);
    snprintf(once, sizeof(once), "GF_FAULT_ONCE=%s/once", rig.folder);
    rig.program = "fault_server";
    rig.environment = environment;
    cr_assert(zero(int, rig_settings(&rig, "set_gracefulReadyTimeout=2s\nset_gracefulProbation=5s")));
    cr_assert(zero(int, rig_start(&rig)));
    for (int i = 0; i < count; i++) {
        int error = 0;

        clients[i] = client_connect(&rig.http, 20000);
        cr_assert(not(zero(ptr, clients[i])));
        cr_assert(not(zero(ptr, (void *)client_get(clients[i], "/pid", &error))), "%d", error);
    }
    process_mark(rig.process);
}

static void begin_with(const char *fault, struct client **clients, int count)
{
    start_with(fault, clients, count);
    cr_assert(zero(int, kill(rig.first, SIGUSR1)));
}

static void begin(const char *fault, struct client *clients[CLIENTS])
{
    begin_with(fault, clients, CLIENTS);
}

/* elsewhere: that many may have moved before. */
static void expect_old_answers(struct client *clients[CLIENTS], int elsewhere)
{
    int moved = 0;

    for (int i = 0; i < CLIENTS; i++) {
        int error = 0;
        const struct answer *answer = client_get(clients[i], "/pid", &error);

        cr_assert(not(zero(ptr, (void *)answer)), "client %d: %d", i, error);
        moved += atoi(answer->body) != rig.first;
        client_close(clients[i]);
    }
    cr_expect(le(int, moved, elsewhere));
}

/* It does not let go of connections for which the new one has no descriptor. */
static void expect_returned(const char *fault)
{
    struct client *clients[CLIENTS];

    begin(fault, clients);
    cr_assert(zero(int, process_wait_line(rig.process, "has no room for a connection", 5000)));
    expect_old_answers(clients, CLIENTS - 1); /* as many as found a descriptor that was free again */
}

Test(faults, the_new_process_has_no_descriptors_at_its_ready, .fini = finish, .timeout = 60)
{
    if (rig_is_sanitized())
        cr_skip("a sanitizer needs descriptors");
    expect_returned("2:after-ready:nofiles");
}

Test(faults, the_new_process_has_no_descriptors_for_a_connection, .fini = finish, .timeout = 60)
{
    if (rig_is_sanitized())
        cr_skip("a sanitizer needs descriptors");
    expect_returned("2:on-connection:nofiles");
}

/* The restart fails and says why; who is connected is served on. */
static void expect_failure(const char *fault, const char *words)
{
    struct client *clients[CLIENTS];

    begin(fault, clients);
    cr_expect(zero(int, process_wait_line(rig.process, "server restart failed: ", 10000)));
    cr_expect(zero(int, process_wait_line(rig.process, words, 1000)));
    expect_old_answers(clients, 0);
    cr_expect(eq(int, rig_count_processes(&rig), 1));
    cr_expect(zero(int, rig_count_zombies(rig.first)));
}

Test(faults, the_old_process_has_no_descriptors, .fini = finish, .timeout = 60)
{
    if (rig_is_sanitized())
        cr_skip("a sanitizer needs descriptors");
    expect_failure("1:before-spawn:nofiles", "Too many open files");
}

/* No descriptor that would tell of the new one's end: it is waited for all the same. */
Test(faults, the_old_process_has_no_descriptor_of_the_new_one, .fini = finish, .timeout = 60)
{
    struct client *clients[CLIENTS];

    if (rig_is_sanitized())
        cr_skip("a sanitizer needs descriptors");
    start_with("1:before-pidfd:nofiles", clients, CLIENTS);
    cr_assert(zero(int, rig_settings(&rig, "fault=hang")));
    cr_assert(zero(int, kill(rig.first, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(rig.process, "it was not ready within gracefulReadyTimeout", 10000)));
    cr_expect(zero(int, process_wait_line(rig.process, "was ended by signal 9", 1000)));
    cr_expect(zero(int, rig_count_zombies(rig.first)));
    expect_old_answers(clients, 0);
}

Test(faults, the_old_process_has_no_memory, .fini = finish, .timeout = 60)
{
    if (rig_is_sanitized())
        cr_skip("a sanitizer needs memory");
    expect_failure("1:before-spawn:nomemory", "Cannot allocate memory");
}

Test(faults, the_new_process_has_no_memory, .fini = finish, .timeout = 60)
{
    if (rig_is_sanitized())
        cr_skip("a sanitizer needs memory");
    expect_failure("2:before-listeners:nomemory", "server restart failed: ");
}

/* Nobody gets an answer to the restart then; the service does not depend on the thread that would give it. */
Test(faults, the_old_process_hangs_before_it_starts_the_new_one, .fini = finish, .timeout = 60)
{
    struct client *clients[CLIENTS];

    begin("1:before-spawn:hang", clients);
    expect_old_answers(clients, 0);
    for (int i = 0; i < 20; i++)
        cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    kill(rig.first, SIGKILL); /* it hears no other signal */
}

/* The old one is about to let go, and hangs: until it has, or another thread in its place, only it may let clients in,
 * for it could still turn the new one down, and kill it with all that it has. */
Test(faults, the_new_process_lets_nobody_in_before_it_may, .fini = finish, .timeout = 60)
{
    struct client *clients[CLIENTS];
    pid_t pid;

    begin("1:before-hand-over:hang", clients);
    cr_assert(zero(int, process_wait_line(rig.process, "http server restarted listening", 10000)));
    do
        pid = rig_ask_pid(&rig);
    while (pid == rig.first);
    cr_expect(gt(int, pid, 0));
    cr_expect(zero(int, process_wait_line(rig.process, "this process accepts no more", 500)));
    for (int i = 0; i < CLIENTS; i++)
        client_close(clients[i]);
    kill(rig.first, SIGKILL); /* it hears no other signal */
}

/* ---- a death in the middle of the moves -------------------------------------------------------------------------- */

/* None had been read from; some had moved, for some it was being tried, some had stayed: all move the next time. */
Test(faults, all_connections_move_after_a_death_in_the_middle, .fini = finish, .timeout = 60)
{
    struct client *clients[CLIENTS];
    int moved = 0;

    begin("2:on-connection:kill", clients);
    cr_assert(zero(int, process_wait_line(rig.process, "rolled back: process ", 10000)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    usleep(500000);
    for (int i = 0; i < CLIENTS; i++) {
        int error = 0;
        const struct answer *answer = client_get(clients[i], "/pid", &error);

        cr_assert(not(zero(ptr, (void *)answer)), "client %d: %d", i, error);
        moved += atoi(answer->body) == rig.pid;
        client_close(clients[i]);
    }
    cr_expect(eq(int, moved, CLIENTS));
}

/* The channel is full of connections, so that no question fits in: that it does not empty is silence too. */
Test(faults, the_new_process_is_stopped_with_the_channel_full, .fini = finish, .timeout = 60)
{
    static struct client *clients[MANY];

    begin_with("2:after-ready:stop", clients, MANY);
    cr_assert(zero(int, process_wait_line(rig.process, "rolled back: process ", 15000)));
    cr_expect(zero(int, process_wait_line(rig.process, "did not answer any more", 1000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    for (int i = 0; i < MANY; i++) {
        int error = 0;
        const struct answer *answer = client_get(clients[i], "/pid", &error);

        cr_assert(not(zero(ptr, (void *)answer)), "client %d: %d", i, error);
        cr_expect(eq(int, atoi(answer->body), rig.first), "client %d", i);
        client_close(clients[i]);
    }
}

/* Nobody restarts then, but all are served. */
Test(faults, the_thread_of_restarts_hangs_before_it_has_begun, .fini = finish, .timeout = 60)
{
    struct client *clients[CLIENTS];

    begin("1:before-spawn:hang", clients);
    cr_expect(zero(int, process_wait_line(rig.process, "server reloading", 10000)));
    expect_old_answers(clients, 0);
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    cr_expect(eq(int, rig_page(&rig, "/restart", NULL), 409));
}

/* There is no other process yet. */
Test(faults, the_old_process_dies_before_it_has_begun, .fini = finish, .timeout = 60)
{
    struct client *clients[CLIENTS];

    begin("1:before-spawn:kill", clients);
    cr_expect(zero(int, process_wait_end(rig.process, 10000)));
    for (int i = 0; i < CLIENTS; i++)
        client_close(clients[i]);
}
