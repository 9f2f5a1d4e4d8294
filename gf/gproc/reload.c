/*
 * Takes GF_SERVER_RELOAD: nothing that this process spawns may find it, nor inherit what it names.
 *
 * Owns nothing; runs once, before main(). The variable may be anybody's, so nothing in it is believed: a number
 * with no open descriptor is passed over, and what a named descriptor is, the restart checks when it adopts it.
 */
#include <gf/gproc/reload.h>

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void set_close_on_exec(long fd)
{
    if (fd <= 2 || fd > INT_MAX)
        return;
    int flags = fcntl((int)fd, F_GETFD);
    if (flags >= 0)
        fcntl((int)fd, F_SETFD, flags | FD_CLOEXEC);
}

/* A positive whole number, or 0. */
static long positive_number(const cJSON *item)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1 && item->valuedouble <= INT_MAX))
        return 0;
    long number = (long)item->valuedouble;
    return (double)number == item->valuedouble ? number : 0;
}

/* ":8100#4,:8200#5": each number between '#' and the next comma or the end. */
static void protect_listeners(const char *list)
{
    for (const char *mark = strchr(list, '#'); mark != NULL; mark = strchr(mark + 1, '#')) {
        char *end;
        if (!isdigit((unsigned char)mark[1]))
            continue;
        errno = 0;
        long fd = strtol(mark + 1, &end, 10);
        if (errno == 0 && (*end == ',' || *end == '\0'))
            set_close_on_exec(fd);
    }
}

static void protect_servers(const cJSON *servers)
{
    const cJSON *server;
    const cJSON *list;

    cJSON_ArrayForEach(server, servers) cJSON_ArrayForEach(list, server) if (cJSON_IsString(list))
        protect_listeners(list->valuestring);
}

/*
 * The process before this one has raised its limit, and this one has inherited that. Here and not from outside, which
 * would come at any time, perhaps after this process has raised its own. Who may not raise the hard limit again keeps
 * it.
 */
static void limit_files(const cJSON *files)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)positive_number(cJSON_GetArrayItem(files, 0)),
                           .rlim_max = (rlim_t)positive_number(cJSON_GetArrayItem(files, 1))};
    struct rlimit now;

    if (!cJSON_IsArray(files) || limit.rlim_cur == 0 || limit.rlim_cur > limit.rlim_max ||
        setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &now) < 0)
        return;
    if (limit.rlim_cur < now.rlim_max)
        now.rlim_cur = limit.rlim_cur;
    setrlimit(RLIMIT_NOFILE, &now);
}

static pid_t read_text(const char *text, size_t size)
{
    cJSON *root = cJSON_ParseWithLengthOpts(text, size + 1, NULL, true);
    pid_t parent = 0;

    if (cJSON_IsObject(root)) {
        set_close_on_exec(positive_number(cJSON_GetObjectItemCaseSensitive(root, "control")));
        set_close_on_exec(positive_number(cJSON_GetObjectItemCaseSensitive(root, "stderr")));
        set_close_on_exec(positive_number(cJSON_GetObjectItemCaseSensitive(root, "keeper")));
        protect_servers(cJSON_GetObjectItemCaseSensitive(root, "servers"));
        limit_files(cJSON_GetObjectItemCaseSensitive(root, "files"));
        parent = (pid_t)positive_number(cJSON_GetObjectItemCaseSensitive(root, "parent"));
    }
    cJSON_Delete(root);
    return parent;
}

bool gf_reload_take(char **ret_text, pid_t *ret_parent)
{
    const char *value = getenv(GF_RELOAD_VARIABLE);

    *ret_text = NULL;
    *ret_parent = 0;
    if (value == NULL)
        return false;
    size_t size = strnlen(value, GF_RELOAD_TEXT_MAX + 1);
    if (size <= GF_RELOAD_TEXT_MAX) {
        *ret_parent = read_text(value, size);
        *ret_text = strdup(value);
    }
    unsetenv(GF_RELOAD_VARIABLE);
    return true;
}

char *gf_reload_take_keeper(void)
{
    const char *value = getenv(GF_KEEPER_VARIABLE);
    char *text = value != NULL ? strdup(value) : NULL;

    unsetenv(GF_KEEPER_VARIABLE);
    return text;
}

int gf_reload_take_state(void)
{
    const char *value = getenv(GF_STATE_VARIABLE);
    int pid = 0, fd = -1, length = 0;
    bool ours = value != NULL && sscanf(value, "%9d:%9d%n", &pid, &fd, &length) == 2 && value[length] == '\0' &&
                pid == getpid() && fd > 2;

    unsetenv(GF_STATE_VARIABLE);
    return ours && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
}
