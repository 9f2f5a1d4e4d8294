/*
 * What a generation has taken: see generation.h.
 */
#include "tests/support/generation.h"

#include "tests/support/rig.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 10 };

static long count_entries(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    long count = 0;

    while (folder && (entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

static long count_of(pid_t pid, const char *what)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
    return count_entries(path);
}

static long resident_kib(pid_t pid)
{
    char path[64];
    long size, resident = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file && fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) >> 10);
}

static void read_environment(struct generation *g)
{
    char path[64];
    FILE *file;
    int c;

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)g->pid);
    file = fopen(path, "re");
    while (file && (c = getc(file)) != EOF) {
        g->environment_bytes++;
        g->variables += c == 0;
    }
    if (file)
        fclose(file);
}

static long smaller(long one, long other)
{
    return other == 0 || one < other ? one : other;
}

int generation_look(struct generation *g, int number, pid_t pid, const char *sockets_folder, int duration_ms)
{
    *g = (struct generation){.number = number, .pid = pid};
    read_environment(g);
    for (int waited = 0; waited <= duration_ms; waited += LOOK_EVERY_MS) {
        g->resident_kib = smaller(resident_kib(pid), g->resident_kib);
        g->descriptors = smaller(count_of(pid, "fd"), g->descriptors);
        g->threads = smaller(count_of(pid, "task"), g->threads);
        usleep(LOOK_EVERY_MS * 1000);
    }
    g->zombies = rig_count_zombies(pid);
    g->sockets = (int)count_entries(sockets_folder);
    return g->resident_kib ? 0 : -ESRCH;
}
