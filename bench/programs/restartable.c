/*
 * A graceful server whose process can be made as big as wanted, to see whether a restart costs more then.
 *
 *   restartable <port>    http on 127.0.0.1
 *
 *   /pid                  who answers
 *   /grow?mib=1024        takes and touches so much memory, in pages of 4 KiB, which are the ones that a copy of the
 *                         page tables has to visit; answers when all of it is resident
 *   /fork                 for comparison: forks a child that ends at once; the microseconds that the call took
 *   /debug/admin          the page that restarts
 *
 * A generation grows only when it is asked to: a new process starts small, as any program does.
 */
#include <gf/gf.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static void grow(ghttp_request *r)
{
    size_t size = (size_t)ghttp_request_get_int(r, "mib", 0) << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        ghttp_response_set_status(r, 503);
        ghttp_response_writeln(r, strerror(errno));
        return;
    }
    madvise(memory, size, MADV_NOHUGEPAGE);
    memset(memory, 1, size);
    ghttp_response_writefln(r, "%zu", size);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void fork_once(ghttp_request *r)
{
    int64_t began = now_us();
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    ghttp_response_writefln(r, "%lld", child < 0 ? -1LL : (long long)(now_us() - began));
    if (child > 0)
        waitpid(child, NULL, 0);
}

int main(int count, char **arguments)
{
    ghttp_server *s = g_server(NULL);
    char address[64];

    if (count != 2) {
        fprintf(stderr, "usage: %s <port>\n", arguments[0]);
        return 2;
    }
    snprintf(address, sizeof(address), "127.0.0.1:%s", arguments[1]);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_bind(s, "/grow", grow);
    ghttp_server_bind(s, "/fork", fork_once);
    ghttp_server_set_graceful(s, true);
    ghttp_server_set(s, "gracefulProbation", "0"); /* the next restart waits until the old process has gone */
    ghttp_server_enable_admin(s, NULL);
    ghttp_server_set_address(s, address);
    return ghttp_server_run(s);
}
