#include "generations.h"

#include <errno.h>
#include <sys/pidfd.h>
#include <unistd.h>

static struct gf_generation generations[GF_GENERATIONS_MAX]; /* pid 0: free */

struct gf_generation *gf_generations_find(pid_t pid)
{
    for (size_t i = 0; pid > 0 && i < GF_GENERATIONS_MAX; i++)
        if (generations[i].pid == pid)
            return &generations[i];
    return NULL;
}

/* A free place, else that of one that has ended. */
static struct gf_generation *find_place(void)
{
    struct gf_generation *place = NULL;

    for (size_t i = 0; i < GF_GENERATIONS_MAX; i++) {
        if (!generations[i].pid)
            return &generations[i];
        if (generations[i].ended)
            place = &generations[i];
    }
    if (place && place->pidfd >= 0)
        close(place->pidfd);
    return place;
}

struct gf_generation *gf_generations_add(pid_t pid, pid_t watcher)
{
    struct gf_generation *generation = gf_generations_find(pid);
    int pidfd;

    if (generation && !generation->ended) { /* a process that has come back, perhaps */
        generation->watcher = watcher;
        return generation;
    }
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return NULL;
    if (generation && generation->pidfd >= 0) /* the number has been given to another process */
        close(generation->pidfd);
    if (!generation)
        generation = find_place();
    if (!generation) {
        close(pidfd);
        return NULL;
    }
    *generation = (struct gf_generation){.pid = pid, .pidfd = pidfd, .watcher = watcher};
    return generation;
}

bool gf_generations_reaped(pid_t pid, int status)
{
    struct gf_generation *generation = gf_generations_find(pid);

    if (!generation || generation->reaped)
        return false;
    generation->ended = generation->reaped = true;
    generation->status = status;
    return true;
}

size_t gf_generations_poll(struct pollfd *fds)
{
    size_t count = 0;

    for (size_t i = 0; i < GF_GENERATIONS_MAX; i++)
        if (generations[i].pid && !generations[i].ended)
            fds[count++] = (struct pollfd){.fd = generations[i].pidfd, .events = POLLIN};
    return count;
}

void gf_generations_look(void)
{
    for (size_t i = 0; i < GF_GENERATIONS_MAX; i++) {
        struct pollfd end = {.fd = generations[i].pidfd, .events = POLLIN};

        if (generations[i].pid && !generations[i].ended && poll(&end, 1, 0) > 0)
            generations[i].ended = true;
    }
}

bool gf_generations_any(void)
{
    struct pollfd fds[GF_GENERATIONS_MAX];

    return gf_generations_poll(fds) > 0;
}
