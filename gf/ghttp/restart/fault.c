#include "fault.h"

#ifdef GF_FAULTS

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void say_garbage(int channel)
{
    static const char garbage[] = "\xff{\"type\":[[[\0\n";

    send(channel, garbage, sizeof(garbage), MSG_NOSIGNAL | MSG_DONTWAIT);
}

#define BRIEFLY_S 1
/* poll() refuses more descriptors than the limit allows to be open, so that limit is not simply zero. */
#define FEW_FILES 256

static struct rlimit files, memory; /* as they were */
static int taken[FEW_FILES];
static int taken_count;

/* Nothing can be opened before something else is closed. */
static void take_files(void)
{
    struct rlimit few = {.rlim_cur = FEW_FILES, .rlim_max = FEW_FILES};

    getrlimit(RLIMIT_NOFILE, &files);
    few.rlim_max = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    while (taken_count < FEW_FILES && (taken[taken_count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        taken_count++;
}

/* What is mapped stays; no thread and no large block can be had any more. */
static void take_memory(void)
{
    struct rlimit none = {.rlim_cur = 1};

    getrlimit(RLIMIT_AS, &memory);
    none.rlim_max = memory.rlim_max;
    setrlimit(RLIMIT_AS, &none);
}

static void say_enough(void)
{
    static const char line[] = "fault: there is enough again\n";

    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        _exit(4);
}

static void *give_files_back(void *arg)
{
    sleep(BRIEFLY_S);
    setrlimit(RLIMIT_NOFILE, &files);
    while (taken_count)
        close(taken[--taken_count]);
    say_enough();
    return arg;
}

static void *give_memory_back(void *arg)
{
    sleep(BRIEFLY_S);
    setrlimit(RLIMIT_AS, &memory);
    say_enough();
    return arg;
}

/* The thread first: there is no other afterwards. */
static void take_briefly(void (*take)(void), void *(*give_back)(void *))
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!pthread_create(&thread, NULL, give_back, NULL)) {
        pthread_detach(thread);
        take();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void commit(const char *fault, int channel)
{
    if (!strcmp(fault, "exit"))
        _exit(3);
    else if (!strcmp(fault, "abort"))
        raise(SIGABRT);
    else if (!strcmp(fault, "kill"))
        raise(SIGKILL);
    else if (!strcmp(fault, "stop"))
        raise(SIGSTOP);
    else if (!strcmp(fault, "garbage"))
        say_garbage(channel);
    else if (!strcmp(fault, "close"))
        shutdown(channel, SHUT_RDWR);
    else if (!strcmp(fault, "nofiles"))
        take_files();
    else if (!strcmp(fault, "nomemory"))
        take_memory();
    else if (!strcmp(fault, "nofiles-briefly"))
        take_briefly(take_files, give_files_back);
    else if (!strcmp(fault, "nomemory-briefly"))
        take_briefly(take_memory, give_memory_back);
    else if (!strcmp(fault, "hang"))
        for (;;)
            pause();
}

/* Whether no process has come here before. */
static int is_first(unsigned generation, const char *step)
{
    const char *path = getenv("GF_FAULT_ONCE");
    char file[PATH_MAX];
    int fd;

    if (!path)
        return 1;
    snprintf(file, sizeof(file), "%s-%u-%s", path, generation, step);
    fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void gf_fault_point(unsigned generation, const char *step, int channel)
{
    const char *order = getenv("GF_FAULT");
    char here[128], fault[32];

    snprintf(here, sizeof(here), "%u:%s:", generation, step);
    for (; order; order = strchr(order, ',') ? strchr(order, ',') + 1 : NULL) {
        size_t length = strcspn(order, ",");

        if (strncmp(order, here, strlen(here)) != 0 || !is_first(generation, step))
            continue;
        snprintf(fault, sizeof(fault), "%.*s", (int)(length - strlen(here)), order + strlen(here));
        commit(fault, channel);
    }
}

int gf_fault_version(int version)
{
    const char *claimed = getenv("GF_FAULT_VERSION");

    return claimed ? atoi(claimed) : version;
}

#endif
