/*
 * A server each generation of which behaves as a test wants it to: what it listens on, how long it takes to start and
 * how its start fails stand in the file "settings" of its working folder, one name=value a line, the last of a name
 * counts. A test rewrites the file between two generations.
 *
 *   address_1, https_1, name_1   of the first server (http addresses, https addresses, name)
 *   address_2, name_2            of the second one, if there is an address
 *   certificate, key             PEM files, for https_1
 *   graceful                     default true; any other setting of both servers by set_<key>
 *   delay_ms, between_delay_ms, late_delay_ms   slept before the servers start, between them, and after
 *   exit_status                  of main(), where g_wait() gives 0
 *   fault                        see fail_early() and fail_late(): how this generation does not become ready
 */
#include <gf/gf.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- settings -------------------------------------------------------------------------------------------------- */

static char settings[16384];

static void read_settings(void)
{
    FILE *file = fopen("settings", "re");

    if (!file)
        return;
    settings[fread(settings, 1, sizeof(settings) - 1, file)] = 0;
    fclose(file);
}

/* The last value of this name, in a buffer of the thread; the fallback where there is none or it is empty. */
static const char *setting(const char *name, const char *fallback)
{
    static _Thread_local char values[64][1024];
    static _Thread_local size_t used;
    size_t length = strlen(name);
    const char *found = NULL;

    for (const char *line = settings; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (!strncmp(line, name, length) && line[length] == '=')
            found = line + length + 1;
    if (!found || *found == '\n' || !*found)
        return fallback;
    snprintf(values[used % 64], sizeof(values[0]), "%.*s", (int)strcspn(found, "\n"), found);
    return values[used++ % 64];
}

static void sleep_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (ms > 0 && nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

/* ---- routes ---------------------------------------------------------------------------------------------------- */

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, setting("hello", "hello"));
}

static void name(ghttp_request *r)
{
    ghttp_response_writeln(r, ghttp_server_name(ghttp_request_server(r)));
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

/* An answer that only this request can have: lines of its number, of different length for different numbers. */
static void echo(ghttp_request *r)
{
    const char *n = ghttp_request_get(r, "n");

    for (long i = 0; n && i <= ghttp_request_get_int(r, "n", 0) % 40; i++)
        ghttp_response_writefln(r, "%s:%ld", n, i);
}

static void slow(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
    printf("sleeping in %d\n", gproc_pid());
    fflush(stdout);
    sleep_ms(ghttp_request_get_int(r, "ms", 1000));
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static void restart(ghttp_request *r)
{
    const char *path = ghttp_request_get(r, "path");

    if (ghttp_request_get_bool(r, "server", false))
        ghttp_response_writefln(r, "%d", ghttp_server_restart(ghttp_request_server(r), path));
    else
        ghttp_response_writefln(r, "%d", ghttp_restart_all(path));
}

static void shut_down(ghttp_request *r)
{
    const char *server = ghttp_request_get(r, "server");

    ghttp_response_writefln(r, "%d", server ? ghttp_server_shutdown(g_server(server)) : ghttp_shutdown_all());
}

/* As a program of its own would start something: with posix_spawn() and no attributes, or by the library. */
static void spawn(ghttp_request *r)
{
    char *arguments[] = {"sleep", "5", NULL};
    pid_t child = 0;

    if (ghttp_request_get_bool(r, "gproc", false)) {
        gproc_process *process = gproc_process_new("sleep", arguments, NULL);

        if (process && !gproc_process_start(process))
            child = gproc_process_pid(process);
        gproc_process_free(process);
    } else if (posix_spawnp(&child, "sleep", NULL, NULL, arguments, environ)) {
        child = 0;
    }
    ghttp_response_writefln(r, "%d", (int)child);
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

static void counts(ghttp_request *r)
{
    int fds = count_entries("/proc/self/fd") - 1; /* without the one that reads the folder */

    ghttp_response_writefln(r, "fds=%d threads=%d", fds, count_entries("/proc/self/task"));
}

static void facts(ghttp_request *r)
{
    char folder[4096];

    ghttp_response_writefln(r, "pid=%d ppid=%d child=%d variable=%s folder=%s", gproc_pid(), gproc_ppid(),
                            gproc_is_child(), getenv("GF_SERVER_RELOAD") ? "set" : "unset",
                            getcwd(folder, sizeof(folder)));
}

/* Writes a text to standard error, "times" lines of it; by a child of its own where it is to come "later_ms" later. */
static void say_aloud(ghttp_request *r)
{
    const char *text = ghttp_request_get(r, "text"), *later = ghttp_request_get(r, "later_ms");
    char script[256];
    char *arguments[] = {"sh", "-c", script, NULL};
    pid_t child = 0;

    text = text ? text : "";
    for (long i = ghttp_request_get_int(r, "times", 1); i > 0 && !later; i--)
        fprintf(stderr, "%s\n", text);
    if (later) {
        snprintf(script, sizeof(script), "sleep %ld.%03ld; echo %.100s >&2", atol(later) / 1000, atol(later) % 1000,
                 text);
        posix_spawnp(&child, "sh", NULL, NULL, arguments, environ);
    }
    ghttp_response_writefln(r, "%d", (int)child);
}

/* As an assertion that fails. */
static void crash(ghttp_request *r)
{
    fprintf(stderr, "%s\n", ghttp_request_get(r, "text"));
    abort();
}

/* How the program is, by its settings. */
static void health(ghttp_request *r)
{
    sleep_ms(atol(setting("health_ms", "0")));
    ghttp_response_set_status(r, atoi(setting("health", "200")));
}

static void get_variable(ghttp_request *r)
{
    const char *asked = ghttp_request_get(r, "name"), *value = asked ? getenv(asked) : NULL;

    ghttp_response_writeln(r, value ? value : "unset");
}

/* No end in order: nobody is told. */
static void end_at_once(ghttp_request *r)
{
    _exit((int)ghttp_request_get_int(r, "status", 0));
}

/* ---- faults ---------------------------------------------------------------------------------------------------- */

/* The one packet socket that was inherited is the channel. */
static int find_channel(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        int type = 0;
        socklen_t size = sizeof(type);

        if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET)
            return fd;
    }
    return -1;
}

static void say(const char *text)
{
    if (send(find_channel(), text, strlen(text), MSG_NOSIGNAL) < 0)
        perror("restart_server: send");
}

static void hang(void)
{
    puts("hanging");
    fflush(stdout);
    for (;;)
        pause();
}

static void talk(void)
{
    static const char line[] = "still opening the database, still opening the database, still opening the database\n";

    for (;;)
        fputs(line, stderr);
}

/* In whatever state the program is: before its servers start, or (late_) after that and before g_wait(). */
static void fail_as(const char *fault)
{
    char word[128];

    if (!strcmp(fault, "exit0")) {
        _exit(0);
    } else if (!strcmp(fault, "exit1")) {
        fprintf(stderr, "cannot open the database: no such table\n");
        exit(1);
    } else if (!strcmp(fault, "abort")) {
        abort();
    } else if (!strcmp(fault, "kill")) {
        kill(getpid(), SIGKILL);
    } else if (!strcmp(fault, "hang")) {
        hang();
    } else if (!strcmp(fault, "talk")) {
        talk();
    } else if (!strcmp(fault, "close_channel")) {
        close(find_channel());
        hang();
    } else if (!strcmp(fault, "garbage")) {
        say("\x01\xff{{{ no message");
        hang();
    } else if (!strcmp(fault, "version")) {
        snprintf(word, sizeof(word), "{\"type\":\"ready\",\"pid\":%d,\"version\":7}", (int)getpid());
        say(word);
        hang();
    } else if (!strcmp(fault, "lie")) {
        say("{\"type\":\"ready\",\"pid\":1,\"version\":1}");
        hang();
    }
}

static void fail_early(void)
{
    fail_as(setting("fault", ""));
}

static void fail_late(void)
{
    const char *fault = setting("fault", "");

    if (!strncmp(fault, "late_", 5))
        fail_as(fault + 5);
}

/* ---- servers --------------------------------------------------------------------------------------------------- */

static void set_all(ghttp_server *s)
{
    static const char *const keys[] = {"gracefulReadyTimeout",
                                       "gracefulShutdownTimeout",
                                       "gracefulProbation",
                                       "gracefulHealthPath",
                                       "idleTimeout",
                                       "readTimeout",
                                       "maxConnections",
                                       "workers",
                                       "pidFile",
                                       "stablePid",
                                       "systemdFdStore",
                                       "logPath",
                                       "accessLogEnabled"};

    ghttp_server_set(s, "graceful", setting("graceful", "true"));
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char named[64];

        snprintf(named, sizeof(named), "set_%s", keys[i]);
        if (setting(named, NULL))
            ghttp_server_set(s, keys[i], setting(named, NULL));
    }
}

static void bind_all(ghttp_server *s)
{
    static const struct {
        const char *pattern;
        ghttp_handler *handler;
    } routes[] = {{"/", hello},           {"/name", name},          {"/pid", pid},       {"/echo", echo},
                  {"/sleep", slow},       {"/spawn", spawn},        {"/counts", counts}, {"/facts", facts},
                  {"/restart", restart},  {"/shutdown", shut_down}, {"/health", health}, {"/variable", get_variable},
                  {"/exit", end_at_once}, {"/say", say_aloud},      {"/crash", crash}};

    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
        ghttp_server_bind(s, routes[i].pattern, routes[i].handler);
    ghttp_server_enable_admin(s, NULL);
}

static int start_first(void)
{
    ghttp_server *s = g_server(setting("name_1", "s1"));

    set_all(s);
    bind_all(s);
    ghttp_server_set_address(s, setting("address_1", ""));
    if (setting("https_1", NULL)) {
        ghttp_server_set_https_address(s, setting("https_1", NULL));
        ghttp_server_enable_https(s, setting("certificate", NULL), setting("key", NULL));
    }
    return ghttp_server_start(s);
}

static int start_second(void)
{
    ghttp_server *s = g_server(setting("name_2", "s2"));

    if (!setting("address_2", NULL))
        return 0;
    set_all(s);
    bind_all(s);
    ghttp_server_set_address(s, setting("address_2", NULL));
    return ghttp_server_start(s);
}

int main(void)
{
    bool goes_on;
    int status;

    read_settings();
    goes_on = !strcmp(setting("fault", ""), "goes_on"); /* as a program that looks at no result */
    fail_early();
    sleep_ms(atol(setting("delay_ms", "0")));
    if (start_first() < 0 && !goes_on)
        return 1;
    sleep_ms(atol(setting("between_delay_ms", "0")));
    if (start_second() < 0 && !goes_on)
        return 1;
    sleep_ms(atol(setting("late_delay_ms", "0")));
    fail_late();
    status = g_wait();
    return status ? status : atoi(setting("exit_status", "0"));
}
