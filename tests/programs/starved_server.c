/*
 * A program that goes on trying where there are no descriptors: it starts one server after the other, for each with one
 * descriptor more to be had, until one serves; then it waits for the end. For each server that does not start it prints
 *
 *   failed: descriptors=12 threads=3 "<the server's error>"
 *
 * with what the process has open and runs afterwards, and at last "serves".
 */
#include <gf/gf.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LIMIT = 96,
    THREADS = 4,   /* that stay: main(), signals, the state machine, and standard error's, which begins where no
                    * descriptor   is left to open that anew */
    END_MS = 2000, /* within this a thread that has come to its end is gone */
};

static int taken[LIMIT];

static int take_all(void)
{
    int count = 0;

    while (count < LIMIT && (taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    return count;
}

static void give_back(int count)
{
    while (count-- > 0)
        close(taken[count]);
}

static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count - 2; /* "." and ".." */
}

/* The kernel takes a moment to clear an ended one away. */
static int count_threads(void)
{
    int count = count_entries("/proc/self/task");

    for (int waited = 0; count > THREADS && waited < END_MS; waited++) {
        usleep(1000);
        count = count_entries("/proc/self/task");
    }
    return count;
}

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, "hello");
}

static int start(int number, int room)
{
    char name[32];
    ghttp_server *s;
    int count, result;

    snprintf(name, sizeof(name), "s%d", number);
    s = g_server(name);
    ghttp_server_bind(s, "/", hello);
    ghttp_server_set(s, "workers", "4");
    ghttp_server_set_address(s, "127.0.0.1:0");
    count = take_all();
    for (int i = 0; i < room && count; i++)
        close(taken[--count]);
    result = ghttp_server_start(s);
    give_back(count);
    if (result < 0)
        printf("failed: descriptors=%d threads=%d \"%s\"\n", count_entries("/proc/self/fd") - 1, count_threads(),
               ghttp_server_error(s));
    return result;
}

int main(void)
{
    struct rlimit limit = {.rlim_cur = LIMIT, .rlim_max = LIMIT};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 2;
    for (int room = 0; start(room, room) < 0; room++)
        continue;
    printf("serves\n");
    return g_wait();
}
