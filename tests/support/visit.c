/*
 * A visit: see visit.h.
 */
#include "tests/support/visit.h"

#include "tests/support/picture.h"
#include "tests/support/port.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    START_MS = 20000, /* a sanitizer's build on a busy machine */
    WAIT_MS = 20000,
};

/* ---- life ------------------------------------------------------------------------------------------------------ */

static int start_server(struct visit *v, const char *program, const char *const *environment)
{
    char *path = process_program(program);

    if (path)
        v->server = process_start(&(struct process_options){.program = path, .environment = environment});
    free(path);
    if (!v->server)
        return -errno;
    return process_wait_line(v->server, "server started listening on [", START_MS);
}

static int start_browser(struct visit *v)
{
    v->browser = browser_start();
    v->page = v->browser ? browser_page_new(v->browser) : NULL;
    return v->page ? 0 : -EPROTO;
}

static void choose_port(struct visit *v)
{
    *v = (struct visit){.port = free_port()};
    snprintf(v->base, sizeof(v->base), "http://127.0.0.1:%d", v->port);
}

static int start_website(struct visit *v, const char *root, const char *variable)
{
    char address[64], folder[512];
    const char *environment[] = {"GF_GCFG_FILE=" GF_REPOSITORY "/examples/website/config.yaml",
                                 "GF_SERVER_GRACEFULPROBATION=200ms",
                                 address,
                                 folder,
                                 root ? "GF_SERVER_INDEXFOLDER=true" : variable,
                                 NULL};

    choose_port(v);
    snprintf(address, sizeof(address), "GF_SERVER_ADDRESS=127.0.0.1:%d", v->port);
    snprintf(folder, sizeof(folder), "GF_SERVER_SERVERROOT=%s", root ? root : GF_REPOSITORY "/examples/website/public");
    return start_server(v, "website/website", environment);
}

int visit_website(struct visit *v, const char *root)
{
    int error = start_website(v, root, NULL);

    return error ? error : start_browser(v);
}

int visit_website_alone(struct visit *v, const char *variable)
{
    return start_website(v, NULL, variable);
}

int visit_program(struct visit *v, const char *program, const char *variable)
{
    char address[64];
    const char *environment[] = {address, variable, NULL};
    int error;

    choose_port(v);
    snprintf(address, sizeof(address), "GF_ADDRESS=127.0.0.1:%d", v->port);
    error = start_server(v, program, environment);
    return error ? error : start_browser(v);
}

void visit_finish(struct visit *v)
{
    browser_page_free(v->page);
    browser_free(v->browser);
    process_free(v->server);
    *v = (struct visit){.port = 0};
}

int visit_open(const struct visit *v, struct browser_page *page, const char *path)
{
    char url[512];

    snprintf(url, sizeof(url), "%s%s", v->base, path);
    return browser_page_open(page, url);
}

/* Complete: with its scripts, which have taken the form over. */
int visit_log_in(const struct visit *v, struct browser_page *page)
{
    int error = visit_open(v, page, "/login");

    if (!error)
        error = browser_page_type(page, "#user", "alice");
    if (!error)
        error = browser_page_type(page, "#password", "open sesame");
    if (!error)
        error = browser_page_click(page, "main button");
    return error ? error
                 : browser_page_wait(page, "document.readyState === 'complete' && document.querySelector('#upload')",
                                     WAIT_MS);
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

/*
 * What a machine can say about a page. Contrast is WCAG 2.1's: text against the nearest background that is not
 * transparent, 4.5 at least.
 */
static const char inspection[] =
    "(() => {\n"
    "  for (const a of document.getAnimations()) a.finish();\n" /* colours on their way are nobody's */
    "  const wrong = [], all = [...document.querySelectorAll('body *')];\n"
    "  const name = e => e.tagName.toLowerCase() + (e.id && '#' + e.id) + (e.className && '.' + e.className);\n"
    "  const seen = e => e.checkVisibility() && e.getClientRects().length > 0;\n"
    "  const root = document.documentElement;\n"
    "  if (root.scrollWidth > innerWidth) wrong.push(`${root.scrollWidth} pixels wide, of ${innerWidth}`);\n"
    "  for (const e of all) if (seen(e) && e.getBoundingClientRect().right > innerWidth + 1)\n"
    "    wrong.push(`${name(e)} goes beyond the right edge`);\n"
    "  if (!document.title) wrong.push('no title');\n"
    "  if (!root.lang) wrong.push('no language');\n"
    "  if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');\n"
    "  if (!document.querySelector('meta[name=viewport]')) wrong.push('no viewport');\n"
    "  for (const e of document.querySelectorAll('input, textarea, select'))\n"
    "    if (e.type !== 'hidden' && !e.labels.length) wrong.push(`${name(e)} has no label`);\n"
    "  for (const e of document.querySelectorAll('img:not([alt])')) wrong.push(`${name(e)} has no alt`);\n"
    "  const rgb = text => text.match(/[\\d.]+/g).map(Number);\n"
    "  const light = color => color.slice(0, 3).map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 :\n"
    "    ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);\n"
    "  const back = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);\n"
    "    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };\n"
    "  for (const e of all) {\n"
    "    const text = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());\n"
    "    if (!text || !seen(e) || e.closest('script, style, noscript, svg, :disabled')) continue;\n"
    "    const a = light(rgb(getComputedStyle(e).color)), b = light(back(e));\n"
    "    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);\n"
    "    if (contrast < 4.5) wrong.push(`${name(e)} has a contrast of ${contrast.toFixed(1)}`);\n"
    "  }\n"
    "  return wrong.map(line => `at ${innerWidth}: ${line}\\n`).join('');\n"
    "})()";

/* A way to look at a page. */
struct look {
    int width, height;
    bool mobile;
    const char *scheme; /* of colours */
};

static void check_picture(struct browser_page *page, const char *name, const struct look *look, FILE *wrong)
{
    char whole[128];
    struct picture picture;
    size_t size = 0;
    void *data;

    snprintf(whole, sizeof(whole), "%s-%d-%s", name, look->width, look->scheme);
    data = browser_page_screenshot(page, whole, &size);
    if (!data || picture_read(data, size, &picture) < 0)
        fprintf(wrong, "%s: no picture\n", whole);
    else if (picture.width != look->width || picture.height < look->height)
        fprintf(wrong, "%s: the picture has %d x %d\n", whole, picture.width, picture.height);
    else if (picture.colours < 16 || picture.majority > 0.999)
        fprintf(wrong, "%s: the picture shows next to nothing\n", whole);
    free(data);
}

static int set_scheme(struct browser_page *page, const char *scheme)
{
    cJSON *parameters = cJSON_CreateObject(), *feature = cJSON_CreateObject(), *result;

    cJSON_AddStringToObject(feature, "name", "prefers-color-scheme");
    cJSON_AddStringToObject(feature, "value", scheme);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(parameters, "features"), feature);
    result = browser_page_call(page, "Emulation.setEmulatedMedia", parameters);
    cJSON_Delete(result);
    return result ? 0 : -EPROTO;
}

static int prepare(struct browser_page *page, const struct look *look)
{
    int error = browser_page_resize(page, look->width, look->height, look->mobile);

    return error ? error : set_scheme(page, look->scheme);
}

char *visit_inspect(struct browser_page *page, const char *name)
{
    static const struct look looks[] = {
        {1280, 800, false, "light"}, {375, 700, true, "light"}, {1280, 800, false, "dark"}};
    char *text = NULL;
    size_t size = 0;
    FILE *wrong = open_memstream(&text, &size);
    int loading = browser_page_wait(page, "document.readyState === 'complete'", WAIT_MS);

    for (size_t i = 0; wrong && !loading && i < sizeof(looks) / sizeof(*looks); i++) {
        char *lines = prepare(page, &looks[i]) == 0 ? browser_page_text(page, inspection) : NULL;

        fputs(lines ? lines : "it cannot be inspected\n", wrong);
        free(lines);
        check_picture(page, name, &looks[i], wrong);
    }
    prepare(page, &looks[0]);
    if (wrong && loading)
        fputs("it does not finish loading\n", wrong);
    if (wrong)
        fclose(wrong);
    return text;
}
