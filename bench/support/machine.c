/*
 * The machine: see machine.h.
 */
#include "bench/support/machine.h"

#include <dirent.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The value of a "name : value" line of /proc/cpuinfo. */
static void read_processor(char *name, size_t size)
{
    char line[1024];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(name, size, "unknown processor");
    while (file && fgets(line, sizeof(line), file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", strlen("model name")) || !colon)
            continue;
        snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file)
        fclose(file);
}

void machine_print(FILE *file)
{
    char processor[256], date[64];
    struct utsname kernel;
    time_t now = time(NULL);
    struct tm utc;
    double load = 0;

    read_processor(processor, sizeof(processor));
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
    uname(&kernel);
    getloadavg(&load, 1);
    fprintf(file, "%s; %s, %ld cores; %s %s\n", date, processor, sysconf(_SC_NPROCESSORS_ONLN), kernel.sysname,
            kernel.release);
    fprintf(file, "libmicrohttpd %s, GnuTLS %s, compiler %s; load of the last minute before the run: %.2f\n",
            MHD_get_version(), gnutls_check_version(NULL), __VERSION__, load);
}

int64_t machine_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static uint64_t read_first_number(const char *path)
{
    char text[128] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    return strtoull(text, NULL, 10);
}

uint64_t machine_cpu_ns(pid_t pid)
{
    char path[512];
    uint64_t sum = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, entry->d_name);
        sum += read_first_number(path);
    }
    if (folder)
        closedir(folder);
    return sum;
}

long machine_resident_mib(pid_t pid)
{
    char path[64];
    long size, resident = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) >> 10) >> 10;
}
