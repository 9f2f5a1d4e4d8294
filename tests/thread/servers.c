/*
 * Concurrency: many threads ask for servers by name, and look at them, while these start and end. Exits 0 when each
 * name had one server; made for ThreadSanitizer.
 */
#include <gf/gf.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gf/ghttp/server/server.h"

enum { THREADS = 8, NAMES = 200 };

static ghttp_server *first[THREADS], *unnamed[THREADS], *empty[THREADS];
static atomic_bool done;
static atomic_int looks;

/* All of these at the same time: each thread may be the one that makes the server. */
static void *get_all(void *arg)
{
    int thread = *(const int *)arg;

    for (int i = 0; i < NAMES; i++) {
        char name[32];
        ghttp_server *s;

        snprintf(name, sizeof(name), "s%d", i);
        s = g_server(name);
        if (strcmp(ghttp_server_name(s), name) != 0 || ghttp_server_error(s)[0]) {
            fprintf(stderr, "g_server(\"%s\") gave \"%s\": %s\n", name, ghttp_server_name(s), ghttp_server_error(s));
            exit(1);
        }
        if (i == 0)
            first[thread] = s;
    }
    unnamed[thread] = g_server(thread % 2 ? NULL : "default");
    empty[thread] = g_server("");
    return NULL;
}

static void run_all(void *(*fn)(void *arg), pthread_t *threads, int *numbers)
{
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, fn, &numbers[i]))
            exit(1);
    }
}

static void join_all(const pthread_t *threads)
{
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* One server of one name, which is that of no name too. */
static int compare_all(void)
{
    int wrong = 0;

    for (int i = 0; i < THREADS; i++)
        wrong += first[i] != g_server("s0") || unnamed[i] != g_server("default") || empty[i] != unnamed[0];
    return wrong;
}

/* As the page does. */
static void look_at(const struct gf_listener *listener, void *arg)
{
    (void)arg;
    atomic_fetch_add(&looks, gf_listener_waiting(listener) >= 0);
}

static void *look(void *arg)
{
    (void)arg;
    while (!atomic_load(&done)) {
        int ports[4];

        for (int i = 0; i < 3; i++) {
            ghttp_server *s = i < 2 ? g_server(i ? "s1" : "s0") : g_server(NULL);

            ghttp_server_error(s);
            ghttp_server_listened_ports(s, ports, 4);
            gf_server_each_listener(s, look_at, NULL);
        }
    }
    return NULL;
}

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, "hello");
}

static int start(ghttp_server *s, const char *address)
{
    ghttp_server_bind(s, "/", hello);
    ghttp_server_set_address(s, address);
    return ghttp_server_start(s);
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], status, wrong;

    run_all(get_all, threads, numbers);
    join_all(threads);
    wrong = compare_all();
    run_all(look, threads, numbers);
    if (start(g_server("s0"), "127.0.0.1:0") < 0 || start(g_server("s1"), "127.0.0.1:0,127.0.0.1:0") < 0)
        return 1;
    wrong += start(g_server(NULL), "no address") == 0 || !ghttp_server_error(g_server(NULL))[0];
    while (atomic_load(&looks) < 1000)
        sched_yield();
    ghttp_server_shutdown(g_server("s1"));
    while (ghttp_server_is_serving(g_server("s1")))
        sched_yield();
    ghttp_shutdown_all();
    status = g_wait();
    atomic_store(&done, true);
    join_all(threads);
    if (wrong || status)
        fprintf(stderr, "%d servers are not the one of their name; exit status %d\n", wrong, status);
    return wrong || status;
}
