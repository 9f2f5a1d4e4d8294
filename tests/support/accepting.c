#include "tests/support/accepting.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LISTENS = 0x0a, /* TCP_LISTEN of the kernel */
};

/* The socket that listens there has one inode, whichever processes have it; 0: none does. */
static unsigned long find_inode(int port)
{
    FILE *file = fopen("/proc/net/tcp", "re");
    unsigned long found = 0, inode;
    unsigned local, state;
    char line[512];

    while (file && !found && fgets(line, sizeof(line), file))
        if (sscanf(line, "%*d: %*8x:%4x %*8x:%*4x %2x %*x:%*x %*x:%*x %*x %*d %*d %lu", &local, &state, &inode) == 3 &&
            (int)local == port && state == LISTENS)
            found = inode;
    if (file)
        fclose(file);
    return found;
}

static bool is_socket(pid_t pid, int fd, unsigned long inode)
{
    char path[64], wanted[64], name[64] = "";

    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    return readlink(path, name, sizeof(name) - 1) > 0 && !strcmp(name, wanted);
}

/* The lines of an epoll set name the descriptors in it: "tfd:       12 events: ...". */
static bool waits_for(pid_t pid, const char *fd, unsigned long inode)
{
    char path[320], line[256];
    bool found = false;
    FILE *file;
    int target;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.200s", (int)pid, fd);
    file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, "tfd: %d", &target) == 1 && is_socket(pid, target, inode);
    if (file)
        fclose(file);
    return found;
}

bool accepting_process(pid_t pid, int port)
{
    unsigned long inode = find_inode(port);
    struct dirent *entry;
    bool found = false;
    char path[64];
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)pid);
    folder = inode ? opendir(path) : NULL;
    while (folder && !found && (entry = readdir(folder)))
        found = isdigit((unsigned char)entry->d_name[0]) && waits_for(pid, entry->d_name, inode);
    if (folder)
        closedir(folder);
    return found;
}

size_t accepting_find(pid_t group, int port, pid_t *ret_pids, size_t room)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    size_t count = 0;

    while (folder && (entry = readdir(folder))) {
        pid_t pid = (pid_t)atol(entry->d_name);

        if (pid <= 0 || getpgid(pid) != group || !accepting_process(pid, port))
            continue;
        if (count < room)
            ret_pids[count] = pid;
        count++;
    }
    if (folder)
        closedir(folder);
    return count;
}
