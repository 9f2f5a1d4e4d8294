/*
 * The example rest_api under test: see rest_api.h.
 */
#include "tests/support/rest_api.h"

#include "tests/support/client.h"
#include "tests/support/port.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    START_MS = 20000,   /* a sanitizer's build on a busy machine */
    RESTART_MS = 40000, /* more than gracefulReadyTimeout, so that its failure is seen as what it is */
    ANSWER_MS = 45000,
};

/* ---- the program ----------------------------------------------------------------------------------------------- */

int rest_api_init(struct rest_api *api)
{
    *api = (struct rest_api){.folder = "/tmp/gf-rest-XXXXXX"};
    if (!mkdtemp(api->folder)) {
        api->folder[0] = 0;
        return -errno;
    }
    api->port = free_port();
    return api->port < 0 ? api->port : 0;
}

int rest_api_configure(struct rest_api *api, const char *app)
{
    char path[128], fresh[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/config.yaml", api->folder);
    snprintf(fresh, sizeof(fresh), "%s/config.new", api->folder);
    file = fopen(fresh, "we");
    if (!file)
        return -errno;
    fprintf(file,
            "server:\n  address: 127.0.0.1:%d\n  graceful: true\n  gracefulHealthPath: /health\n"
            "  gracefulProbation: 3s\n  clientMaxBodySize: 64k\n  sessionPath: sessions\n"
            "  sessionIdName: tasks-session\napp:\n%s",
            api->port, app ? app : "  loginsPerSecond: 1000\n  loginsAtOnce: 1000\n");
    return fclose(file) || rename(fresh, path) ? -errno : 0;
}

int rest_api_start(struct rest_api *api)
{
    char variable[128];
    const char *environment[] = {variable, NULL};
    char *program = process_program("rest_api/rest_api");
    struct process_options options = {.program = program, .folder = api->folder, .environment = environment};

    if (!program)
        return -errno;
    snprintf(variable, sizeof(variable), "GF_GCFG_FILE=%s/config.yaml", api->folder);
    api->process = process_start(&options);
    free(program);
    if (!api->process)
        return -errno;
    api->pid = process_pid(api->process);
    return process_wait_line(api->process, "http server started listening on", START_MS);
}

pid_t rest_api_restart(struct rest_api *api)
{
    char *line, *at;

    process_mark(api->process);
    if (kill(api->pid, SIGUSR1) < 0)
        return -errno;
    if (process_wait_line(api->process, "server restarted: process ", RESTART_MS) < 0)
        return -ETIMEDOUT;
    line = process_find_line(api->process, "server restarted: process ");
    at = line ? strstr(line, "process ") : NULL;
    api->pid = at ? (pid_t)atol(at + strlen("process ")) : -EPROTO;
    free(line);
    return api->pid;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

void rest_api_finish(struct rest_api *api)
{
    process_free(api->process);
    if (api->folder[0])
        nftw(api->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *api = (struct rest_api){.port = 0};
}

/* ---- users ----------------------------------------------------------------------------------------------------- */

void rest_user_init(struct rest_user *u, int port)
{
    *u = (struct rest_user){.port = port};
}

void rest_user_hang_up(struct rest_user *u)
{
    client_close(u->connection);
    u->connection = NULL;
}

static void forget_answer(struct rest_user *u)
{
    cJSON_Delete(u->json);
    free(u->head);
    u->json = NULL;
    u->head = NULL;
}

void rest_user_finish(struct rest_user *u)
{
    rest_user_hang_up(u);
    forget_answer(u);
}

static void keep_answer(struct rest_user *u, const struct answer *answer)
{
    char *set = answer_header(answer, "Set-Cookie");

    if (set && strstr(set, "Max-Age=0;"))
        u->cookie[0] = 0;
    else if (set)
        snprintf(u->cookie, sizeof(u->cookie), "%.*s", (int)strcspn(set, ";"), set);
    free(set);
    u->head = strdup(answer->head);
    u->json = answer->body_size ? cJSON_Parse(answer->body) : NULL;
}

static int send_request(struct rest_user *u, const char *method, const char *path, const char *body)
{
    const char *base = path[0] == '/' && path[1] == '/' ? "" : "/api/v1";
    char *request = NULL, length[96] = "";
    int size, error;

    if (body)
        snprintf(length, sizeof(length), "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    size = asprintf(&request, "%s %s%s HTTP/1.1\r\nHost: localhost\r\n%s%s%s%s%s\r\n%s", method, base,
                    *base ? path : path + 1, u->cookie[0] ? "Cookie: " : "", u->cookie, u->cookie[0] ? "\r\n" : "",
                    u->headers ? u->headers : "", length, body ? body : "");
    if (size < 0)
        return -ENOMEM;
    error = client_send(u->connection, request, (size_t)size);
    free(request);
    return error;
}

int rest_user_ask(struct rest_user *u, const char *method, const char *path, const char *body)
{
    const struct answer *answer = NULL;
    struct transport_target target = {.port = u->port};
    int error;

    forget_answer(u);
    if (!u->connection)
        u->connection = client_connect(&target, ANSWER_MS);
    if (!u->connection)
        return -errno;
    error = send_request(u, method, path, body);
    if (!error || error == -EPIPE || error == -ECONNRESET) /* it may have been answered before its end */
        answer = strcmp(method, "HEAD") == 0 ? client_receive_head(u->connection, &error)
                                             : client_receive(u->connection, &error);
    if (answer) {
        keep_answer(u, answer);
        error = answer->status;
    }
    if (!answer || !answer->keep_alive)
        rest_user_hang_up(u);
    return error;
}

int rest_user_join(struct rest_user *u, const char *name)
{
    char body[128];

    snprintf(body, sizeof(body), "{\"name\":\"%s\",\"password\":\"correct horse\"}", name);
    rest_user_ask(u, "POST", "/users", body);
    return rest_user_ask(u, "POST", "/login", body) == 200 && u->cookie[0] ? 0 : -EACCES;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

const struct cJSON *rest_user_json(const struct rest_user *u, const char *way)
{
    const struct cJSON *found = u->json;
    char name[64];

    while (found && *way) {
        size_t size = strcspn(way, ".");

        snprintf(name, sizeof(name), "%.*s", (int)size, way);
        found = isdigit((unsigned char)name[0]) ? cJSON_GetArrayItem(found, atoi(name))
                                                : cJSON_GetObjectItemCaseSensitive(found, name);
        way += size + (way[size] == '.');
    }
    return found;
}

const char *rest_user_text(const struct rest_user *u, const char *way)
{
    const char *text = cJSON_GetStringValue(rest_user_json(u, way));

    return text ? text : "";
}

long rest_user_number(const struct rest_user *u, const char *way)
{
    const struct cJSON *found = rest_user_json(u, way);

    return cJSON_IsNumber(found) ? (long)found->valuedouble : -1;
}
