#include "admin.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"
#include "../restart/graceful.h"
#include "../route/router.h"
#include "../server/bind.h"
#include "../server/server.h"
#include "admin_access.h"
#include "admin_login.h"
#include "admin_page.h"
#include "admin_status.h"

struct action {
    const char *suffix; /* behind the page's own path */
    void (*serve)(ghttp_request *r, const struct action *action);
    bool acts; /* it changes something: never for HEAD, never ahead of the user */
};

/* ---- answers ---------------------------------------------------------------------------------- */

enum format { FORMAT_TEXT, FORMAT_HTML, FORMAT_JSON };

/* What the query says, else what the Accept header names first, else the fallback. */
static enum format choose_format(ghttp_request *r, enum format fallback)
{
    const char *wanted = ghttp_request_query(r, "format");
    const char *accept = ghttp_request_header(r, "Accept");
    const char *json = accept ? strcasestr(accept, "application/json") : NULL;
    const char *html = accept ? strcasestr(accept, "text/html") : NULL;

    if (wanted && !strcmp(wanted, "json"))
        return FORMAT_JSON;
    if (wanted && !strcmp(wanted, "html"))
        return FORMAT_HTML;
    if (wanted && !strcmp(wanted, "text"))
        return FORMAT_TEXT;
    if (json && (!html || json < html))
        return FORMAT_JSON;
    return html ? FORMAT_HTML : fallback;
}

static void set_headers(ghttp_request *r)
{
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        /* Not no-referrer: with that, browsers send "Origin: null" with the page's own forms, which is refused. */
        {"Referrer-Policy", "same-origin"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"},
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        if (ghttp_response_set_header(r, headers[i][0], headers[i][1]) < 0)
            ghttp_response_set_status(r, 0); /* without them there is to be no answer: it becomes a 500 */
}

/*
 * The way from the address that the browser shows to the folder that the actions are in, whether that address ends with
 * a slash or not; relative, so that it is right behind whatever prefix the browser sees.
 */
static const char *find_base(const ghttp_request *r, const struct action *action)
{
    const char *path = r->raw_path, *last = strrchr(path, '/');
    size_t slashes = 0, size = strlen(path);
    char *base;

    while (slashes < size && path[size - 1 - slashes] == '/')
        slashes++;
    if (!*action->suffix && !slashes && last)
        return gf_arena_printf(r->arena, ".%s/", last);
    if (!*action->suffix || !slashes)
        return "./";
    base = gf_arena_alloc(r->arena, 3 * slashes + 1);
    for (size_t i = 0; base && i < slashes; i++)
        memcpy(base + 3 * i, "../", 3);
    return base;
}

static void answer_page(ghttp_request *r, const struct action *action, const char *title, const char *message)
{
    const char *base = find_base(r, action);

    if (base)
        gf_admin_page_write_message(r, title, message, base);
    else
        ghttp_response_write_status(r, 503);
}

/* The JSON goes over to this function; NULL: there was no memory for it. */
static void answer(ghttp_request *r, const struct action *action, int status, const char *message, cJSON *json)
{
    ghttp_response_set_status(r, status);
    switch (choose_format(r, FORMAT_TEXT)) {
    case FORMAT_JSON:
        ghttp_response_write_json(r, json);
        break;
    case FORMAT_HTML:
        answer_page(r, action, status < 400 ? "Done" : "That did not work", message);
        break;
    case FORMAT_TEXT:
        ghttp_response_writeln(r, message);
        break;
    }
    cJSON_Delete(json);
}

static cJSON *make_answer(bool ok, const char *message)
{
    cJSON *json = cJSON_CreateObject();

    if (cJSON_AddBoolToObject(json, "ok", ok) && cJSON_AddStringToObject(json, "message", message))
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void refuse(ghttp_request *r, const struct action *action, int status, const char *why)
{
    answer(r, action, status, why, make_answer(false, why));
}

/* ---- the page and its data -------------------------------------------------------------------- */

static void write_status(ghttp_request *r, const ghttp_request *asker)
{
    cJSON *status = gf_admin_status_new(asker);

    ghttp_response_write_json(r, status);
    cJSON_Delete(status);
}

/* What runs, it has to ask the loops for: away from them, or the one that it runs on would wait for itself. */
static void serve_status(ghttp_request *r, const struct action *action)
{
    (void)action;
    gf_pace_caught(r->route->pace);
    write_status(r, r);
}

static void serve_page(ghttp_request *r, const struct action *action)
{
    const char *base = find_base(r, action);
    cJSON *status;

    if (choose_format(r, FORMAT_HTML) == FORMAT_JSON) {
        write_status(r, NULL);
        return;
    }
    status = gf_admin_status_new(NULL);
    if (status && base)
        gf_admin_page_write(r, status, base);
    else
        ghttp_response_write_status(r, 503);
    cJSON_Delete(status);
}

/* ---- restart ---------------------------------------------------------------------------------- */

/* Whether the body is a form; one in another shape would be a wish that nobody hears. */
static bool has_readable_body(const ghttp_request *r)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = ghttp_request_header(r, "Content-Type");

    return !r->body.size || (type && gf_ascii_equal_n(type, strcspn(type, "; \t"), form));
}

static int status_of_result(int result)
{
    switch (-result) {
    case 0:
        return 200;
    case EBUSY:
    case ECANCELED:
        return 409;
    case ENOENT:
        return 404;
    case EACCES:
    case ENOEXEC:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return 400;
    case ETIMEDOUT:
        return 504;
    case ECHILD:
        return 502;
    default:
        return 500;
    }
}

static void answer_outcome(ghttp_request *r, const struct action *action, int status, const struct gf_outcome *outcome)
{
    char text[GF_OUTCOME_REASON_MAX + 64];
    struct gf_graceful_facts facts;
    cJSON *json = gf_admin_outcome_new(outcome);

    gf_graceful_facts(&facts);
    gf_admin_outcome_format(outcome, text, sizeof(text));
    if (!cJSON_AddStringToObject(json, "state", gf_graceful_state_name(facts.state))) {
        cJSON_Delete(json);
        json = NULL;
    }
    answer(r, action, status, text, json);
}

/* An executable that may not be named, or is not there. */
static void answer_bad_executable(ghttp_request *r, const struct action *action, const char *path, int result)
{
    struct gf_outcome outcome = {.result = result, .old_pid = getpid()};

    snprintf(outcome.executable, sizeof(outcome.executable), "%s", path);
    if (result == -EPERM)
        snprintf(outcome.reason, sizeof(outcome.reason), "the executable \"%.1024s\" lies outside adminExeFolders",
                 path);
    else
        snprintf(outcome.reason, sizeof(outcome.reason), "the executable \"%.1024s\": %s", path, strerror(-result));
    answer_outcome(r, action, result == -EPERM ? 403 : status_of_result(result), &outcome);
}

static void serve_restart(ghttp_request *r, const struct action *action)
{
    const char *path = ghttp_request_get(r, "newExeFilePath");
    char executable[PATH_MAX] = "";
    struct gf_outcome outcome;
    int result = 0;

    if (!has_readable_body(r)) {
        refuse(r, action, 415, "the body is no form; send newExeFilePath in the query or as a form");
        return;
    }
    ghttp_request_query(r, "newExeFilePath"); /* so that it is parsed, and known if bad, whatever the form says */
    if (r->query_bad || r->form_bad) {
        refuse(r, action, 400, "the query or the form is badly encoded; nothing was restarted");
        return;
    }
    if (path && *path)
        result = gf_admin_check_executable(r->server->settings.admin_exe_folders, path, executable);
    if (result < 0) {
        answer_bad_executable(r, action, path, result);
        return;
    }
    result = gf_graceful_restart(executable, &outcome);
    answer_outcome(r, action, status_of_result(result), &outcome);
}

/* ---- shutdown --------------------------------------------------------------------------------- */

/*
 * Has the process end; asked again, it changes nothing, for a second gf_graceful_shutdown() would cut what is in
 * flight. A process that another one has taken over from refuses: its end would not be that of the servers.
 */
static int shut_down(enum gf_graceful_state state)
{
    static atomic_bool asked;
    int result;

    if (atomic_load(&asked))
        return 0;
    if (state > GF_GRACEFUL_STARTING)
        return -EBUSY;
    if (atomic_exchange(&asked, true))
        return 0;
    result = gf_graceful_shutdown();
    if (result < 0)
        atomic_store(&asked, false);
    return result;
}

static void serve_shutdown(ghttp_request *r, const struct action *action)
{
    static const char done[] = "server shutdown";
    struct gf_graceful_facts facts;
    char why[128];

    gf_graceful_facts(&facts);
    if (!shut_down(facts.state)) {
        answer(r, action, 200, done, make_answer(true, done));
        return;
    }
    if (facts.has_outcome && facts.last.result == 0 && facts.last.new_pid != facts.last.old_pid)
        snprintf(why, sizeof(why), "server shutdown failed: this process is %s and process %d serves; ask again",
                 gf_graceful_state_name(facts.state), (int)facts.last.new_pid);
    else
        snprintf(why, sizeof(why), "server shutdown failed: this process is %s already",
                 gf_graceful_state_name(facts.state));
    refuse(r, action, 409, why);
}

/* ---- the form for the token ------------------------------------------------------------------- */

static void ask_for_token(ghttp_request *r, const struct action *action, const char *message)
{
    const char *base = find_base(r, action);

    if (base)
        gf_admin_page_write_login(r, message, base);
    else
        ghttp_response_write_status(r, 503);
}

static void set_retry_after(ghttp_request *r, long seconds)
{
    const char *text = gf_arena_printf(r->arena, "%ld", seconds);

    if (text)
        ghttp_response_set_header(r, "Retry-After", text);
}

static void log_in(ghttp_request *r, const struct action *action, const char *token)
{
    const char *typed = ghttp_request_form(r, "token");
    long wait;

    switch (gf_admin_login_guess(r, token, typed ? typed : "", &wait)) {
    case GF_ADMIN_PROOF_HEADER:
        if (gf_admin_login_remember(r, token) == 0)
            ghttp_response_redirect(r, "./", 303);
        else
            ghttp_response_fail(r, "the cookie of the admin page could not be made");
        break;
    case GF_ADMIN_PROOF_TOO_MANY:
        ghttp_response_set_status(r, 429);
        set_retry_after(r, wait);
        ask_for_token(r, action, GF_ADMIN_TOO_MANY);
        break;
    default:
        ghttp_response_set_status(r, 401);
        ask_for_token(r, action, "That is not the token.");
    }
}

/* The token is taken from a form only: a query would stand in logs and in the browser's history. */
static void serve_login(ghttp_request *r, const struct action *action)
{
    const char *token = r->server->settings.admin_token;

    if (!*token)
        refuse(r, action, 404, "the admin page of this server has no token to sign in with");
    else if (strcmp(r->method, "POST"))
        ask_for_token(r, action, NULL);
    else if (!has_readable_body(r))
        refuse(r, action, 415, "the body is no form; send token as a form");
    else
        log_in(r, action, token);
}

/* ---- routes ----------------------------------------------------------------------------------- */

static const struct action actions[] = {
    {"", serve_page, false},           {"/index", serve_page, false},       {"/status", serve_status, false},
    {"/restart", serve_restart, true}, {"/shutdown", serve_shutdown, true}, {"/login", serve_login, false},
};

static void turn_away(ghttp_request *r, const struct action *action, int status, const struct gf_admin_entry *entry)
{
    if (status == 401)
        ghttp_response_set_header(r, "WWW-Authenticate", "Bearer realm=\"admin\"");
    if (status == 429)
        set_retry_after(r, entry->retry_after);
    if (status == 401 && choose_format(r, FORMAT_TEXT) == FORMAT_HTML) {
        ghttp_response_set_status(r, status);
        ask_for_token(r, action, NULL);
    } else {
        refuse(r, action, status, entry->why);
    }
}

/*
 * Whether it is a GET that a browser may have been led to: it sends the cookie by itself, and nothing says that the
 * page of this server has caused it. (SameSite keeps the cookie from other sites' requests; that not all rests on it.)
 */
static bool may_be_led(const ghttp_request *r, const struct gf_admin_entry *entry)
{
    return entry->by_cookie && strcmp(r->method, "POST") != 0 && !ghttp_request_header(r, "Sec-Fetch-Site");
}

/* The one door of all routes. */
static void enter(ghttp_request *r)
{
    const struct action *action = ghttp_request_arg(r);
    struct gf_admin_entry entry = {.why = NULL};
    int status = action->serve == serve_login ? gf_admin_check_site(r, &entry) : gf_admin_check_access(r, &entry);

    set_headers(r);
    if (status) {
        turn_away(r, action, status, &entry);
    } else if (action->acts && !strcmp(r->method, "HEAD")) {
        ghttp_response_set_header(r, "Allow", "GET, POST");
        refuse(r, action, 405, "HEAD changes nothing; ask with GET or POST");
    } else if (action->acts && may_be_led(r, &entry)) {
        ghttp_response_set_header(r, "Allow", "POST");
        refuse(r, action, 405, "signed in by the form, this changes nothing by GET; ask with POST");
    } else if (action->acts && gf_admin_is_prefetch(r)) {
        refuse(r, action, 403, "the browser asks ahead of its user (Sec-Purpose); nothing was done");
    } else {
        action->serve(r, action);
    }
}

static int bind_action(ghttp_server *s, const char *method, const char *path, int path_size, const char *domain,
                       const struct action *action)
{
    char pattern[1024];
    int size = snprintf(pattern, sizeof(pattern), "%s:%.*s%s%s", method, path_size, path, action->suffix, domain);

    if (size < 0 || (size_t)size >= sizeof(pattern))
        return gf_server_fail(s, -EINVAL, "ghttp_server_enable_admin(): the pattern is longer than 1,000 bytes");
    return gf_bind_route(
        s, "ghttp_server_enable_admin()",
        &(struct gf_route_wish){.pattern = pattern, .handler = enter, .arg = (void *)action, .name = "admin"});
}

int ghttp_server_enable_admin(ghttp_server *s, const char *pattern)
{
    static const char call[] = "ghttp_server_enable_admin()";
    const char *path = pattern ? pattern : GF_ADMIN_PATTERN_DEFAULT;
    const char *at = strrchr(path, '@');
    const char *domain = at && !strchr(at, '/') ? at : "";
    size_t length = *domain ? (size_t)(domain - path) : strlen(path);
    int size = length < 1024 ? (int)length : 1024; /* too long in either case: bind_action() says so */
    int result = gf_server_check_new(s, call);

    if (!result && path[0] != '/')
        return gf_server_fail(s, -EINVAL, "%s: \"%.100s\" is no path; \"/path\" or \"/path@domain\" is", call, path);
    if (!result && gf_admin_login_set_up() < 0)
        return gf_server_fail(s, -ENOMEM, "%s: no memory", call);
    for (size_t i = 0; !result && i < sizeof(actions) / sizeof(*actions); i++) {
        result = bind_action(s, "GET", path, size, domain, &actions[i]);
        if (!result)
            result = bind_action(s, "POST", path, size, domain, &actions[i]);
    }
    return result;
}
