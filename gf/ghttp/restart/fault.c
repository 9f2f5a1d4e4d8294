#include "fault.h"

#ifdef GF_FAULTS

#include <fcntl.h>
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

/* Nothing can be opened before something else is closed; poll() refuses more descriptors than the limit allows to be
 * open, so that limit is not simply zero. */
static void take_files(void)
{
    struct rlimit few = {.rlim_cur = 256, .rlim_max = 256};

    setrlimit(RLIMIT_NOFILE, &few);
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        continue;
}

/* What is mapped stays; no thread and no large block can be had any more. */
static void take_memory(void)
{
    struct rlimit none = {.rlim_cur = 1, .rlim_max = 1};

    setrlimit(RLIMIT_AS, &none);
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
    else if (!strcmp(fault, "hang"))
        for (;;)
            pause();
}

static int is_first(void)
{
    const char *path = getenv("GF_FAULT_ONCE");
    int fd;

    if (!path)
        return 1;
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

void gf_fault_point(unsigned generation, const char *step, int channel)
{
    const char *order = getenv("GF_FAULT");
    char here[128];

    snprintf(here, sizeof(here), "%u:%s:", generation, step);
    if (order && !strncmp(order, here, strlen(here)) && is_first())
        commit(order + strlen(here), channel);
}

int gf_fault_version(int version)
{
    const char *claimed = getenv("GF_FAULT_VERSION");

    return claimed ? atoi(claimed) : version;
}

#endif
