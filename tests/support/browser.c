/*
 * The browser's process and the protocol: see browser.h.
 *
 * Messages are JSON texts with a 0 behind each: commands on its descriptor 3, answers and events on its 4. A command is
 * answered by its number; what comes before the answer are events, and handled at once.
 */
#include "tests/support/browser.h"

#include "tests/support/guard.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 30000,
    END_MS = 5000,
    MESSAGE_MAX = 64 << 20, /* a large page's picture in base64 */
    PAGES_MAX = 8,
    DOWNLOADS_MAX = 16,
};

struct download {
    char guid[64];
    char name[256];
    bool complete;
};

struct browser {
    pid_t pid;
    char profile[64];
    int to, from; /* the pipes */
    int number;   /* of the last command */
    char *text;   /* what has come and is not handled */
    size_t size, room;
    cJSON *answer; /* the one that is waited for */
    bool ended;
    struct {
        char session[64];
        struct browser_page *page;
    } pages[PAGES_MAX];
    struct download downloads[DOWNLOADS_MAX];
    int download_count;
};

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));

    return text ? text : "";
}

/* ---- events ---------------------------------------------------------------------------------------------------- */

static void begin_download(struct browser *b, const cJSON *parameters)
{
    struct download *download = &b->downloads[b->download_count];

    if (b->download_count == DOWNLOADS_MAX) {
        fprintf(stderr, "browser: more than %d downloads\n", DOWNLOADS_MAX);
        return;
    }
    b->download_count++;
    snprintf(download->guid, sizeof(download->guid), "%s", text_of(parameters, "guid"));
    snprintf(download->name, sizeof(download->name), "%s", text_of(parameters, "suggestedFilename"));
}

static void go_on_with_download(struct browser *b, const cJSON *parameters)
{
    const char *guid = text_of(parameters, "guid"), *state = text_of(parameters, "state");

    for (int i = 0; i < b->download_count; i++)
        if (!strcmp(b->downloads[i].guid, guid))
            b->downloads[i].complete |= !strcmp(state, "completed");
}

static void handle_event(struct browser *b, const cJSON *message)
{
    const char *method = text_of(message, "method"), *session = text_of(message, "sessionId");
    const cJSON *parameters = cJSON_GetObjectItem(message, "params");

    if (!strcmp(method, "Browser.downloadWillBegin"))
        begin_download(b, parameters);
    else if (!strcmp(method, "Browser.downloadProgress"))
        go_on_with_download(b, parameters);
    for (int i = 0; *session && i < PAGES_MAX; i++)
        if (b->pages[i].page && !strcmp(b->pages[i].session, session))
            browser_page_event(b->pages[i].page, method, parameters);
}

/* Each complete message; an answer to the last command is kept. */
static void handle_messages(struct browser *b)
{
    char *at = b->text, *end;

    while ((end = memchr(at, 0, b->size - (size_t)(at - b->text)))) {
        cJSON *message = cJSON_Parse(at);
        const cJSON *id = cJSON_GetObjectItem(message, "id");

        at = end + 1;
        if (cJSON_IsNumber(id) && id->valueint == b->number && !b->answer) {
            b->answer = message;
            continue;
        }
        if (!id)
            handle_event(b, message);
        cJSON_Delete(message);
    }
    b->size -= (size_t)(at - b->text);
    memmove(b->text, at, b->size);
}

static int make_room(struct browser *b)
{
    size_t room = b->room ? b->room * 2 : 1 << 16;
    char *text;

    if (b->size + 1 < b->room)
        return 0;
    text = room <= MESSAGE_MAX ? realloc(b->text, room) : NULL;
    if (!text)
        return -ENOMEM;
    b->text = text;
    b->room = room;
    return 0;
}

int browser_pump(struct browser *b, int timeout_ms)
{
    struct pollfd from = {.fd = b->from, .events = POLLIN};
    ssize_t size;
    int ready = poll(&from, 1, timeout_ms);

    if (ready < 0 && errno != EINTR)
        return -errno;
    if (ready <= 0)
        return -ETIMEDOUT;
    if (make_room(b) < 0)
        return -ENOMEM;
    size = read(b->from, b->text + b->size, b->room - b->size - 1);
    if (size <= 0) {
        b->ended = true;
        return -EPIPE;
    }
    b->size += (size_t)size;
    handle_messages(b);
    return 0;
}

/* ---- commands -------------------------------------------------------------------------------------------------- */

static int send_all(struct browser *b, const char *text)
{
    size_t size = strlen(text) + 1; /* the 0 ends the message */

    while (size > 0) {
        ssize_t sent = write(b->to, text, size);

        if (sent < 0 && errno != EINTR)
            return -errno;
        if (sent > 0) {
            text += sent;
            size -= (size_t)sent;
        }
    }
    return 0;
}

static int send_command(struct browser *b, struct browser_page *page, const char *method, cJSON *parameters)
{
    cJSON *message = cJSON_CreateObject();
    char *text;
    int error = -ENOMEM;

    cJSON_AddNumberToObject(message, "id", ++b->number);
    cJSON_AddStringToObject(message, "method", method);
    if (page)
        cJSON_AddStringToObject(message, "sessionId", browser_page_session(page));
    if (parameters)
        cJSON_AddItemToObject(message, "params", parameters);
    text = cJSON_PrintUnformatted(message);
    if (text)
        error = send_all(b, text);
    cJSON_free(text);
    cJSON_Delete(message);
    return error;
}

static int wait_answer(struct browser *b, int timeout_ms)
{
    long until = now_ms() + timeout_ms, left;
    int error = 0;

    while (!b->answer && (!error || error == -ETIMEDOUT)) {
        left = until - now_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        error = browser_pump(b, (int)left);
    }
    return b->answer ? 0 : error;
}

static cJSON *call(struct browser *b, struct browser_page *page, const char *method, cJSON *parameters, bool quiet,
                   int timeout_ms)
{
    cJSON *result = NULL;
    int error = send_command(b, page, method, parameters);

    if (!error)
        error = wait_answer(b, timeout_ms);
    if (b->answer)
        result = cJSON_DetachItemFromObject(b->answer, "result");
    if (!result && !quiet) {
        char *said = b->answer ? cJSON_PrintUnformatted(cJSON_GetObjectItem(b->answer, "error")) : NULL;

        fprintf(stderr, "browser: %s: %s\n", method, said ? said : strerror(-error));
        cJSON_free(said);
    }
    cJSON_Delete(b->answer);
    b->answer = NULL;
    return result;
}

cJSON *browser_call(struct browser *b, struct browser_page *page, const char *method, cJSON *parameters, bool quiet)
{
    return call(b, page, method, parameters, quiet, BROWSER_ANSWER_MS);
}

int browser_register(struct browser *b, const char *session, struct browser_page *page)
{
    for (int i = 0; i < PAGES_MAX; i++)
        if (page ? !b->pages[i].page : !strcmp(b->pages[i].session, session)) {
            snprintf(b->pages[i].session, sizeof(b->pages[i].session), "%s", page ? session : "");
            b->pages[i].page = page;
            return 0;
        }
    return -ENOSPC;
}

char *browser_wait_download(struct browser *b, const char *name, int timeout_ms)
{
    long until = now_ms() + timeout_ms, left;
    char *path;

    for (;;) {
        for (int i = b->download_count - 1; i >= 0; i--)
            if (b->downloads[i].complete && !strcmp(b->downloads[i].name, name))
                return asprintf(&path, "%s/downloads/%s", b->profile, b->downloads[i].guid) > 0 ? path : NULL;
        left = until - now_ms();
        if (left <= 0 || browser_pump(b, (int)left) == -EPIPE)
            break;
    }
    for (int i = 0; i < b->download_count; i++)
        fprintf(stderr, "browser: download \"%s\"%s\n", b->downloads[i].name,
                b->downloads[i].complete ? "" : ", not complete");
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

/* fd 3 and 4 are the browser's ends; both ends of here are above, so that neither is closed by the other's move. */
static int spawn(struct browser *b, int its_input, int its_output)
{
    char profile[128], home[128], log[128];
    char *arguments[] = {"chromium",
                         "--headless",
                         "--remote-debugging-pipe",
                         profile,
                         "--no-sandbox",            /* which needs another user than root */
                         "--disable-dev-shm-usage", /* /dev/shm is small in containers */
                         "--disable-gpu",
                         "--no-first-run",
                         "--no-default-browser-check",
                         "--disable-background-networking",
                         "--disable-component-update",
                         "--disable-sync",
                         "--disable-extensions",
                         "--disable-breakpad",
                         "--mute-audio",
                         "--lang=en-US",
                         "--force-color-profile=srgb",
                         "--no-proxy-server",
                         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                         "about:blank",
                         NULL};
    char *environment[] = {home, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    int error;

    snprintf(profile, sizeof(profile), "--user-data-dir=%s/profile", b->profile);
    snprintf(home, sizeof(home), "HOME=%s", b->profile);
    snprintf(log, sizeof(log), "%s/log", b->profile);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawn_file_actions_adddup2(&files, its_input, 3);
    posix_spawn_file_actions_adddup2(&files, its_output, 4);
    posix_spawn_file_actions_addclosefrom_np(&files, 5);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&how, 0);
    error = posix_spawnp(&b->pid, "chromium", &files, &how, arguments, environment);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return -error;
}

static int above(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);

    close(fd);
    return moved;
}

static int start_process(struct browser *b)
{
    int input[2], output[2], error;

    if (pipe2(input, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(output, O_CLOEXEC) < 0) {
        error = -errno;
        close(input[0]);
        close(input[1]);
        return error;
    }
    for (int i = 0; i < 2; i++) {
        input[i] = above(input[i]);
        output[i] = above(output[i]);
    }
    b->to = input[1];
    b->from = output[0];
    error = spawn(b, input[0], output[1]);
    close(input[0]);
    close(output[1]);
    if (!error)
        guard_add(b->pid);
    else
        b->pid = 0;
    return error;
}

static int prepare(struct browser *b)
{
    char downloads[128];
    cJSON *parameters = cJSON_CreateObject(), *result;

    snprintf(downloads, sizeof(downloads), "%s/downloads", b->profile);
    cJSON_AddStringToObject(parameters, "behavior", "allowAndName");
    cJSON_AddStringToObject(parameters, "downloadPath", downloads);
    cJSON_AddTrueToObject(parameters, "eventsEnabled");
    result = call(b, NULL, "Browser.setDownloadBehavior", parameters, false, START_MS);
    cJSON_Delete(result);
    return result ? 0 : -EPROTO;
}

static void show_log(const struct browser *b)
{
    char path[128], line[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/log", b->profile);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        fputs(line, stderr);
    if (file)
        fclose(file);
}

struct browser *browser_start(void)
{
    struct browser *b = calloc(1, sizeof(*b));
    int error;

    if (!b)
        return NULL;
    b->to = b->from = -1;
    signal(SIGPIPE, SIG_IGN); /* a browser that has gone is an error of write() */
    snprintf(b->profile, sizeof(b->profile), "/tmp/gf-browser-XXXXXX");
    error = mkdtemp(b->profile) ? 0 : -errno;
    if (!error)
        error = start_process(b);
    if (!error)
        error = prepare(b);
    if (!error)
        return b;
    fprintf(stderr, "browser: chromium does not start: %s\n", strerror(-error));
    show_log(b);
    browser_free(b);
    errno = -error;
    return NULL;
}

/* Until the process has ended by itself, or the time is over. */
static bool wait_end(const struct browser *b, int timeout_ms)
{
    long until = now_ms() + timeout_ms;

    while (waitpid(b->pid, NULL, WNOHANG) == 0) {
        if (now_ms() > until)
            return false;
        usleep(10000);
    }
    return true;
}

static void end_process(struct browser *b)
{
    cJSON_Delete(call(b, NULL, "Browser.close", NULL, true, END_MS));
    if (!wait_end(b, END_MS)) {
        kill(-b->pid, SIGKILL);
        waitpid(b->pid, NULL, 0);
    }
    kill(-b->pid, SIGKILL); /* what it has left of its children */
    guard_remove(b->pid);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path), 0;
}

void browser_free(struct browser *b)
{
    if (!b)
        return;
    if (b->pid > 0)
        end_process(b);
    if (b->to >= 0)
        close(b->to);
    if (b->from >= 0)
        close(b->from);
    /* Twice: a child that was being killed may have made another file. */
    for (int i = 0; i < 2 && access(b->profile, F_OK) == 0; i++)
        nftw(b->profile, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(b->text);
    free(b);
}
