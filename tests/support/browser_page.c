/*
 * A tab: see browser_page.h.
 */
#include "tests/support/browser_page.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    PROBLEMS_MAX = 16384, /* bytes; after so many the first ones tell enough */
    REQUESTS_MAX = 4096,  /* that one page sends in a test */
    HIGHEST = 4000,       /* pixels of a picture */
};

struct request {
    char id[64];
    char url[160];
};

struct browser_page {
    struct browser *browser;
    char target[64], session[64];
    int loads; /* load events so far */
    struct request *requests;
    size_t request_count;
    char problems[PROBLEMS_MAX];
};

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));

    return text ? text : "";
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

const char *browser_page_session(const struct browser_page *page)
{
    return page->session;
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------- */

static void note(struct browser_page *page, const char *kind, const char *text, const char *where)
{
    size_t size = strlen(page->problems);

    snprintf(page->problems + size, sizeof(page->problems) - size, "%s: %s %s\n", kind, text, where);
}

char *browser_page_problems(struct browser_page *page)
{
    char *problems;

    while (browser_pump(page->browser, 0) == 0)
        ;
    problems = strdup(page->problems);
    page->problems[0] = '\0';
    return problems;
}

static void keep_request(struct browser_page *page, const cJSON *parameters)
{
    struct request *request = &page->requests[page->request_count];

    if (page->request_count == REQUESTS_MAX)
        return;
    page->request_count++;
    snprintf(request->id, sizeof(request->id), "%s", text_of(parameters, "requestId"));
    snprintf(request->url, sizeof(request->url), "%s", text_of(cJSON_GetObjectItem(parameters, "request"), "url"));
}

static const char *url_of(const struct browser_page *page, const char *id)
{
    for (size_t i = page->request_count; i > 0; i--)
        if (!strcmp(page->requests[i - 1].id, id))
            return page->requests[i - 1].url;
    return "(a request from before)";
}

static void heed_response(struct browser_page *page, const cJSON *parameters)
{
    const cJSON *response = cJSON_GetObjectItem(parameters, "response");
    const cJSON *status = cJSON_GetObjectItem(response, "status");
    char text[32];

    if (!cJSON_IsNumber(status) || status->valueint < 400)
        return;
    snprintf(text, sizeof(text), "%d", status->valueint);
    note(page, "status", text, text_of(response, "url"));
}

static void heed_failure(struct browser_page *page, const cJSON *parameters)
{
    const char *why = text_of(parameters, "errorText");

    if (!cJSON_IsTrue(cJSON_GetObjectItem(parameters, "canceled")) && strcmp(why, "net::ERR_ABORTED") != 0)
        note(page, "failed request", why, url_of(page, text_of(parameters, "requestId")));
}

static void heed_console(struct browser_page *page, const cJSON *parameters)
{
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(parameters, "args"), 0);
    const char *type = text_of(parameters, "type");

    if (!strcmp(type, "error") || !strcmp(type, "warning") || !strcmp(type, "assert"))
        note(page, "console", type, text_of(first, "value"));
}

void browser_page_event(struct browser_page *page, const char *method, const cJSON *parameters)
{
    const cJSON *entry = cJSON_GetObjectItem(parameters, "entry");

    if (!strcmp(method, "Page.loadEventFired"))
        page->loads++;
    else if (!strcmp(method, "Network.requestWillBeSent"))
        keep_request(page, parameters);
    else if (!strcmp(method, "Network.responseReceived"))
        heed_response(page, parameters);
    else if (!strcmp(method, "Network.loadingFailed"))
        heed_failure(page, parameters);
    else if (!strcmp(method, "Runtime.consoleAPICalled"))
        heed_console(page, parameters);
    else if (!strcmp(method, "Runtime.exceptionThrown"))
        note(page, "exception", text_of(cJSON_GetObjectItem(parameters, "exceptionDetails"), "text"), "");
    /* Those of the network are in the above, by status. */
    else if (!strcmp(method, "Log.entryAdded") && !strcmp(text_of(entry, "level"), "error") &&
             strcmp(text_of(entry, "source"), "network") != 0)
        note(page, "log", text_of(entry, "text"), text_of(entry, "url"));
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

cJSON *browser_page_call(struct browser_page *page, const char *method, cJSON *parameters)
{
    return browser_call(page->browser, page, method, parameters, false);
}

/* For commands whose result is nothing. */
static int order(struct browser_page *page, const char *method, cJSON *parameters)
{
    cJSON *result = browser_page_call(page, method, parameters);

    cJSON_Delete(result);
    return result ? 0 : -EPROTO;
}

/* An object of one text. */
static cJSON *with_text(const char *key, const char *value)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, key, value);
    return object;
}

static int attach(struct browser_page *page)
{
    cJSON *parameters, *result;

    result = browser_call(page->browser, NULL, "Target.createTarget", with_text("url", "about:blank"), false);
    snprintf(page->target, sizeof(page->target), "%s", text_of(result, "targetId"));
    cJSON_Delete(result);
    parameters = with_text("targetId", page->target);
    cJSON_AddTrueToObject(parameters, "flatten");
    result = browser_call(page->browser, NULL, "Target.attachToTarget", parameters, false);
    snprintf(page->session, sizeof(page->session), "%s", text_of(result, "sessionId"));
    cJSON_Delete(result);
    return page->session[0] ? browser_register(page->browser, page->session, page) : -EPROTO;
}

struct browser_page *browser_page_new(struct browser *b)
{
    static const char *const domains[] = {"Page.enable", "Runtime.enable", "Network.enable", "Log.enable"};
    struct browser_page *page = calloc(1, sizeof(*page));
    int error;

    if (!page)
        return NULL;
    page->browser = b;
    page->requests = calloc(REQUESTS_MAX, sizeof(*page->requests));
    error = page->requests ? attach(page) : -ENOMEM;
    for (size_t i = 0; !error && i < sizeof(domains) / sizeof(*domains); i++)
        error = order(page, domains[i], NULL);
    if (!error)
        error = browser_page_resize(page, 1280, 800, false);
    if (!error)
        return page;
    browser_page_free(page);
    errno = -error;
    return NULL;
}

void browser_page_free(struct browser_page *page)
{
    if (!page)
        return;
    if (page->target[0])
        cJSON_Delete(
            browser_call(page->browser, NULL, "Target.closeTarget", with_text("targetId", page->target), true));
    browser_register(page->browser, page->session, NULL);
    free(page->requests);
    free(page);
}

int browser_page_resize(struct browser_page *page, int width, int height, bool mobile)
{
    cJSON *parameters = cJSON_CreateObject();

    cJSON_AddNumberToObject(parameters, "width", width);
    cJSON_AddNumberToObject(parameters, "height", height);
    cJSON_AddNumberToObject(parameters, "deviceScaleFactor", 1);
    cJSON_AddBoolToObject(parameters, "mobile", mobile);
    return order(page, "Emulation.setDeviceMetricsOverride", parameters);
}

int browser_page_throttle(struct browser_page *page, int bytes_per_second)
{
    cJSON *parameters = cJSON_CreateObject();

    cJSON_AddFalseToObject(parameters, "offline");
    cJSON_AddNumberToObject(parameters, "latency", 0);
    cJSON_AddNumberToObject(parameters, "downloadThroughput", -1);
    cJSON_AddNumberToObject(parameters, "uploadThroughput", bytes_per_second);
    return order(page, "Network.emulateNetworkConditions", parameters);
}

int browser_page_open(struct browser_page *page, const char *url)
{
    int loads = page->loads, error = 0;
    long until = now_ms() + BROWSER_ANSWER_MS;
    cJSON *result = browser_page_call(page, "Page.navigate", with_text("url", url));
    bool failed = !result || *text_of(result, "errorText");

    if (failed)
        fprintf(stderr, "browser: %s: %s\n", url, text_of(result, "errorText"));
    cJSON_Delete(result);
    while (!failed && page->loads == loads && error != -EPIPE && now_ms() < until)
        error = browser_pump(page->browser, 100);
    if (failed)
        return -EPROTO;
    return page->loads > loads ? 0 : -ETIMEDOUT;
}

/* ---- JavaScript ------------------------------------------------------------------------------------------------ */

static cJSON *evaluate(struct browser_page *page, const char *expression, bool quiet)
{
    cJSON *parameters = with_text("expression", expression), *result, *value = NULL;
    const cJSON *thrown;

    cJSON_AddTrueToObject(parameters, "awaitPromise");
    cJSON_AddTrueToObject(parameters, "returnByValue");
    cJSON_AddTrueToObject(parameters, "userGesture");
    result = browser_call(page->browser, page, "Runtime.evaluate", parameters, quiet);
    thrown = cJSON_GetObjectItem(result, "exceptionDetails");
    if (thrown && !quiet)
        fprintf(stderr, "browser: %s: %s\n", expression,
                text_of(cJSON_GetObjectItem(thrown, "exception"), "description"));
    if (!thrown)
        value = cJSON_DetachItemFromObject(cJSON_GetObjectItem(result, "result"), "value");
    cJSON_Delete(result);
    return value;
}

cJSON *browser_page_evaluate(struct browser_page *page, const char *expression)
{
    return evaluate(page, expression, false);
}

char *browser_page_text(struct browser_page *page, const char *expression)
{
    cJSON *value = evaluate(page, expression, false);
    char *text = cJSON_IsString(value) ? strdup(value->valuestring) : cJSON_PrintUnformatted(value);

    cJSON_Delete(value);
    return text;
}

double browser_page_number(struct browser_page *page, const char *expression)
{
    cJSON *value = evaluate(page, expression, false);
    double number = cJSON_IsNumber(value) ? value->valuedouble : NAN;

    cJSON_Delete(value);
    return number;
}

/* Asks again and again, not by a promise of the page's: the page may be another one meanwhile, or run no scripts. */
int browser_page_wait(struct browser_page *page, const char *expression, int timeout_ms)
{
    long until = now_ms() + timeout_ms;
    char *look = NULL;
    bool found = false;

    if (asprintf(&look, "(() => { try { return Boolean(%s); } catch (error) { return false; } })()", expression) < 0)
        return -ENOMEM;
    while (!found && now_ms() < until) {
        cJSON *value = evaluate(page, look, true);

        found = cJSON_IsTrue(value);
        cJSON_Delete(value);
        if (!found && browser_pump(page->browser, 20) == -EPIPE)
            break;
    }
    free(look);
    if (!found) {
        char *text = browser_page_text(page, "location.href + '\\n' + document.body.innerText");

        fprintf(stderr, "browser: not in %d ms: %s\nat %s\n", timeout_ms, expression, text ? text : "no page");
        free(text);
    }
    return found ? 0 : -ETIMEDOUT;
}

/* ---- hands ----------------------------------------------------------------------------------------------------- */

static int press(struct browser_page *page, const char *type, double x, double y)
{
    cJSON *parameters = with_text("type", type);

    cJSON_AddStringToObject(parameters, "button", "left");
    cJSON_AddNumberToObject(parameters, "clickCount", 1);
    cJSON_AddNumberToObject(parameters, "x", x);
    cJSON_AddNumberToObject(parameters, "y", y);
    return order(page, "Input.dispatchMouseEvent", parameters);
}

/* A text as a JavaScript literal; allocated by cJSON. */
static char *quote(const char *text)
{
    cJSON *value = cJSON_CreateString(text);
    char *literal = cJSON_PrintUnformatted(value);

    cJSON_Delete(value);
    return literal;
}

int browser_page_click(struct browser_page *page, const char *selector)
{
    char *literal = quote(selector), *expression = NULL;
    cJSON *place = NULL;
    int error = -ENOENT;

    if (asprintf(&expression,
                 "(() => { const e = document.querySelector(%s); if (!e) return null; "
                 "e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); "
                 "return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()",
                 literal) > 0)
        place = evaluate(page, expression, false);
    if (cJSON_IsObject(place)) {
        double x = cJSON_GetObjectItem(place, "x")->valuedouble, y = cJSON_GetObjectItem(place, "y")->valuedouble;

        error = press(page, "mousePressed", x, y);
        if (!error)
            error = press(page, "mouseReleased", x, y);
    } else {
        fprintf(stderr, "browser: there is no %s\n", selector);
    }
    cJSON_Delete(place);
    free(expression);
    cJSON_free(literal);
    return error;
}

int browser_page_type(struct browser_page *page, const char *selector, const char *text)
{
    int error = browser_page_click(page, selector);

    if (!error)
        cJSON_Delete(evaluate(page, "document.activeElement.select()", false));
    return error ? error : order(page, "Input.insertText", with_text("text", text));
}

/* The page's own handle of what the selector finds; allocated. NULL: nothing. */
static char *find_object(struct browser_page *page, const char *selector)
{
    char *literal = quote(selector), *expression = NULL, *object = NULL;
    cJSON *result = NULL;
    const char *id;

    if (asprintf(&expression, "document.querySelector(%s)", literal) > 0)
        result = browser_page_call(page, "Runtime.evaluate", with_text("expression", expression));
    id = text_of(cJSON_GetObjectItem(result, "result"), "objectId");
    if (*id)
        object = strdup(id);
    else
        fprintf(stderr, "browser: there is no %s\n", selector);
    cJSON_Delete(result);
    free(expression);
    cJSON_free(literal);
    return object;
}

int browser_page_choose(struct browser_page *page, const char *selector, const char *const *paths)
{
    cJSON *parameters = cJSON_CreateObject(), *files = cJSON_AddArrayToObject(parameters, "files");
    char *object = find_object(page, selector);

    for (; *paths; paths++)
        cJSON_AddItemToArray(files, cJSON_CreateString(*paths));
    if (!object) {
        cJSON_Delete(parameters);
        return -ENOENT;
    }
    cJSON_AddStringToObject(parameters, "objectId", object);
    free(object);
    return order(page, "DOM.setFileInputFiles", parameters);
}

/* ---- eyes ------------------------------------------------------------------------------------------------------ */

cJSON *browser_page_cookies(struct browser_page *page)
{
    cJSON *result = browser_page_call(page, "Network.getCookies", NULL);
    cJSON *cookies = cJSON_DetachItemFromObject(result, "cookies");

    cJSON_Delete(result);
    return cookies;
}

static void keep(const char *name, const gnutls_datum_t *picture)
{
    char path[1024];
    FILE *file;

    mkdir(GF_TEST_SCREENSHOTS, 0777);
    snprintf(path, sizeof(path), "%s/%s.png", GF_TEST_SCREENSHOTS, name);
    file = fopen(path, "we");
    if (!file)
        return; /* a build folder that is not to be written into */
    fwrite(picture->data, 1, picture->size, file);
    fclose(file);
}

/* The part of the page that the picture is of: all of it, as wide as the window. */
static cJSON *whole_page(struct browser_page *page)
{
    cJSON *clip = cJSON_CreateObject();
    double height = browser_page_number(page, "document.documentElement.scrollHeight");

    cJSON_AddNumberToObject(clip, "x", 0);
    cJSON_AddNumberToObject(clip, "y", 0);
    cJSON_AddNumberToObject(clip, "width", browser_page_number(page, "innerWidth"));
    cJSON_AddNumberToObject(clip, "height", height < HIGHEST ? height : HIGHEST);
    cJSON_AddNumberToObject(clip, "scale", 1);
    return clip;
}

void *browser_page_screenshot(struct browser_page *page, const char *name, size_t *ret_size)
{
    cJSON *parameters = with_text("format", "png"), *result;
    gnutls_datum_t text, picture = {.data = NULL};
    void *copy = NULL;

    cJSON_AddTrueToObject(parameters, "captureBeyondViewport");
    cJSON_AddItemToObject(parameters, "clip", whole_page(page));
    result = browser_page_call(page, "Page.captureScreenshot", parameters);
    text.data = (unsigned char *)text_of(result, "data");
    text.size = (unsigned)strlen((const char *)text.data);
    if (text.size && gnutls_base64_decode2(&text, &picture) == 0) {
        keep(name, &picture);
        copy = malloc(picture.size);
    }
    if (copy) {
        memcpy(copy, picture.data, picture.size);
        *ret_size = picture.size;
    }
    gnutls_free(picture.data);
    cJSON_Delete(result);
    return copy;
}
