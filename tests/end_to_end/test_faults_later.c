/*
 * Faults on order where more than two processes live, or one is on its way back: three generations, of which the first
 * has a request in flight all the while, the way back itself, and the keeper. Somebody serves afterwards, and the next
 * restart works.
 */
#include "tests/support/accepting.h"
#include "tests/support/client.h"
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
    SCENES_MAX = 32,
    SOON_MS = 20000,
    RESTARTS_MAX = 3,
};

struct scene {
    const char *fault;
    int restarts;         /* with a long request in each process that is replaced */
    bool last_fails;      /* the last of these: its process has the fault */
    const char *words;    /* in the log, when it is over */
    const char *settings; /* NULL: none */
};

struct stage {
    const struct scene *scene;
    struct rig rig;
    struct client *sleepers[RESTARTS_MAX];
    char why[512]; /* what went wrong; empty: nothing */
};

__attribute__((format(printf, 2, 3))) static bool blame(struct stage *s, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(s->why, sizeof(s->why), format, arguments);
    va_end(arguments);
    return false;
}

/* ---- the stage --------------------------------------------------------------------------------------------------- */

static bool set_up(struct stage *s)
{
    char fault[160], once[400];
    const char *environment[] = {fault, once, NULL};

    if (rig_init(&s->rig) < 0)
        return blame(s, "no rig");
    snprintf(fault, sizeof(fault), "GF_FAULT=%s", s->scene->fault);
    snprintf(once, sizeof(once), "GF_FAULT_ONCE=%s/once", s->rig.folder);
    s->rig.program = "fault_server";
    s->rig.environment = environment;
    if (rig_settings(&s->rig, s->scene->settings) < 0 || rig_start(&s->rig) < 0)
        return blame(s, "the server does not start");
    return true;
}

/* A request that outlasts all of it keeps the process that serves alive once it is replaced. */
static bool begin_sleep(struct stage *s, int i)
{
    char line[64];

    snprintf(line, sizeof(line), "sleeping in %d", (int)s->rig.pid);
    s->sleepers[i] = client_connect(&s->rig.http, 3 * SOON_MS);
    return s->sleepers[i] &&
           !client_send_text(s->sleepers[i], "GET /sleep?ms=30000 HTTP/1.1\r\nHost: localhost\r\n\r\n") &&
           !process_wait_line(s->rig.process, line, SOON_MS);
}

static void tear_down(struct stage *s)
{
    for (int i = 0; i < RESTARTS_MAX; i++)
        client_close(s->sleepers[i]);
    if (s->rig.first)
        kill(-s->rig.first, SIGKILL); /* some hang, and handlers sleep on */
    rig_finish(&s->rig);
}

/* ---- what is to be seen ------------------------------------------------------------------------------------------ */

/* One process answers, and it alone accepts. */
static bool see_service(struct stage *s)
{
    pid_t pids[2] = {0};
    size_t count = 0;
    pid_t pid = 0;

    for (int waited = 0; waited < SOON_MS && (count != 1 || pids[0] != pid); waited += 20) {
        pid = rig_ask_pid(&s->rig);
        count = accepting_find(s->rig.first, s->rig.port, pids, 2);
        usleep(20000);
    }
    if (count != 1 || pids[0] != pid)
        return blame(s, "%zu processes accept, %d answers", count, (int)pid);
    s->rig.pid = pid;
    return true;
}

static bool restart(struct stage *s, bool last)
{
    pid_t old = s->rig.pid, pid = rig_restart_by_api(&s->rig);

    if (last && s->scene->last_fails)
        return true;
    return pid > 0 && pid != old ? true : blame(s, "a restart fails: %d", (int)pid);
}

/* A step that is only taken when nothing is left to do comes in its own time. */
static bool see_fault(struct stage *s)
{
    const char *order = strrchr(s->scene->fault, ',') ? strrchr(s->scene->fault, ',') + 1 : s->scene->fault;
    char path[400];

    snprintf(path, sizeof(path), "%s/once-%.1s-%.*s", s->rig.folder, order, (int)strcspn(order + 2, ":"), order + 2);
    for (int waited = 0; access(path, F_OK); waited += 10) {
        if (waited >= SOON_MS)
            return blame(s, "nobody comes to this step");
        usleep(10000);
    }
    return true;
}

static void play(struct stage *s)
{
    bool good = set_up(s);

    for (int i = 0; i < s->scene->restarts && good; i++) {
        /* the second process has nothing to do but to step aside, where that is the step */
        bool sleeps = i == 0 || (!strstr(s->scene->fault, "step-aside") && !strstr(s->scene->fault, "follow"));

        good = (!sleeps || begin_sleep(s, i)) && restart(s, i == s->scene->restarts - 1);
    }
    if (good && see_fault(s) && s->scene->words && process_wait_line(s->rig.process, s->scene->words, SOON_MS) < 0)
        good = blame(s, "nobody says \"%s\"", s->scene->words);
    if (good && !s->why[0] && see_service(s) && restart(s, false))
        see_service(s);
    tear_down(s);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

struct table {
    const struct scene *scenes;
    int count;
    atomic_int next;
    struct stage stages[SCENES_MAX];
};

static void *play_some(void *arg)
{
    struct table *table = arg;

    for (int i = atomic_fetch_add(&table->next, 1); i < table->count; i = atomic_fetch_add(&table->next, 1)) {
        table->stages[i].scene = &table->scenes[i];
        if (!rig_is_sanitized() || !strstr(table->scenes[i].fault, ":no")) /* a sanitizer needs both */
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

Test(faults_later, of_a_process_that_steps_aside, .timeout = 240)
{
    static const struct scene scenes[] = {
        {"2:step-aside:exit", 2, false, NULL, NULL},    {"2:step-aside:abort", 2, false, NULL, NULL},
        {"2:step-aside:kill", 2, false, NULL, NULL},    {"2:step-aside:hang", 2, false, NULL, NULL},
        {"2:step-aside:garbage", 2, false, NULL, NULL}, {"2:step-aside:close", 2, false, NULL, NULL},
        {"1:follow:exit", 2, false, NULL, NULL},        {"1:follow:abort", 2, false, NULL, NULL},
        {"1:follow:kill", 2, false, NULL, NULL},        {"1:follow:hang", 2, false, NULL, NULL},
        {"1:follow:garbage", 2, false, NULL, NULL},     {"1:follow:close", 2, false, NULL, NULL},
    };

    play_all(scenes, COUNT(scenes));
}

/* Too many live: the oldest is told to come to its end, by the one that is to be replaced. */
Test(faults_later, where_there_is_to_be_room, .timeout = 240)
{
    static const struct scene scenes[] = {
        {"1:leave:exit", 3, false, NULL, NULL},
        {"1:leave:kill", 3, false, NULL, NULL},
        {"1:leave:hang", 3, false, "did not come to its end and was killed", NULL},
        {"1:leave:garbage", 3, false, NULL, NULL},
        {"1:leave:close", 3, false, NULL, NULL},
        {"3:room:exit", 3, true, "rolled back: process ", "set_gracefulProbation=20s"},
        {"3:room:kill", 3, true, "rolled back: process ", "set_gracefulProbation=20s"},
        {"3:room:hang", 3, true, "did not answer any more", "set_gracefulProbation=20s"},
        {"3:room:garbage", 3, false, NULL, NULL},
        {"3:room:close", 3, false, NULL, NULL},
    };

    play_all(scenes, COUNT(scenes));
}

/* The old process has a fault of its own when it comes back for a new one that has died. */
Test(faults_later, on_the_way_back, .timeout = 240)
{
    static const struct scene scenes[] = {
        {"2:after-ready:kill,1:come-back:nofiles-briefly", 1, true, "fault: there is enough again",
         "set_gracefulProbation=20s"},
        {"2:after-ready:kill,1:come-back:nomemory-briefly", 1, true, "fault: there is enough again",
         "set_gracefulProbation=20s"},
        {"2:after-ready:kill,1:come-back:garbage", 1, true, "rolled back: process ", "set_gracefulProbation=20s"},
        {"2:after-ready:kill,1:come-back:close", 1, true, "rolled back: process ", "set_gracefulProbation=20s"},
    };

    play_all(scenes, COUNT(scenes));
}

/* ---- the keeper -------------------------------------------------------------------------------------------------- */

static struct stage kept;

static void finish(void)
{
    tear_down(&kept);
}

/* The process that serves crashes, the first one is to start it anew, and has a fault. */
static void crash(const char *fault)
{
    static struct scene scene = {.settings = "set_stablePid=true\nset_gracefulProbation=100ms"};

    scene.fault = fault;
    kept.scene = &scene;
    cr_assert(set_up(&kept), "%s", kept.why);
    cr_assert(gt(int, rig_restart_by_signal(&kept.rig), 0));
    cr_assert(zero(int, process_wait_line(kept.rig.process, "this one, the first, stays as its parent", SOON_MS)));
    cr_assert(zero(int, kill(kept.rig.pid, SIGKILL)));
}

static void expect_another_start(const char *fault, const char *words)
{
    crash(fault);
    cr_expect(zero(int, process_wait_line(kept.rig.process, words, SOON_MS)));
    cr_expect(see_service(&kept), "%s", kept.why);
    cr_expect(ne(int, kept.rig.pid, kept.rig.first));
}

Test(faults_later, the_keeper_has_no_descriptors_for_a_while, .fini = finish, .timeout = 60)
{
    if (rig_is_sanitized())
        cr_skip("a sanitizer needs descriptors");
    expect_another_start("2:keeper-start:nofiles-briefly", "starting anew failed: cannot start");
}

Test(faults_later, the_keeper_has_no_memory_for_a_while, .fini = finish, .timeout = 60)
{
    if (rig_is_sanitized())
        cr_skip("a sanitizer needs memory");
    expect_another_start("2:keeper-start:nomemory-briefly", "starting anew failed: ");
}

/* Nobody is left then, and the supervisor sees it. */
Test(faults_later, the_keeper_dies, .fini = finish, .timeout = 60)
{
    crash("2:keeper-start:kill");
    cr_expect(zero(int, process_wait_end(kept.rig.process, SOON_MS)));
}

/* Nor when both processes of a restart die. */
Test(faults_later, the_old_process_dies_on_its_way_back, .fini = finish, .timeout = 60)
{
    static const struct scene scene = {.fault = "2:after-ready:kill,1:come-back:kill",
                                       .settings = "set_gracefulProbation=20s"};

    kept.scene = &scene;
    cr_assert(set_up(&kept), "%s", kept.why);
    kill(kept.rig.first, SIGUSR1);
    cr_expect(zero(int, process_wait_end(kept.rig.process, SOON_MS)));
}
