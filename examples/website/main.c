/*
 * A website: pages, forms, a login, uploads, a ticker. README.md says what to type and what one sees.
 *
 * This file reads the settings, puts the parts together and starts the server. Each part is a file of its own:
 *
 *   safety.c     what holds for every answer: headers, and who may post
 *   page.c       the frame round every page, and escaping
 *   home.c       the first page
 *   guestbook.c  a form that is checked, and shown again with what was wrong
 *   account.c    login and logout: a session behind a cookie
 *   uploads.c    files that visitors send, list and fetch again; upload_store.c keeps them
 *   ticker.c     server-sent events that go on over a restart
 *   errors.c     our own pages for 404 and its kin
 *
 * The folder public/ has what is served as it is: the setting serverRoot in config.yaml names it.
 */
#include "site.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct site site;

/* The part "website" of the same file from which the server takes its settings. */
static void read_settings(const gcfg *cfg)
{
    site.data = gcfg_text(cfg, "website.data", "data");
    site.user = gcfg_text(cfg, "website.user", "");
    site.password = gcfg_text(cfg, "website.password", "*"); /* a hash that no password has */
    site.max_uploads = (long)gcfg_int(cfg, "website.maxUploads", 100);
    site.tick_milliseconds = (long)gcfg_int(cfg, "website.tickMilliseconds", 1000);
}

/* The settings stay in memory as long as the program: site points into them. */
static gcfg *load_settings(void)
{
    char path[1024], error[512];
    gcfg *cfg = NULL;

    if (gcfg_find(path, sizeof(path)) < 0)
        fprintf(stderr, "there is no config.yaml here; start the website in the folder that has it\n");
    else if (gcfg_load(path, &cfg, error, sizeof(error)) < 0)
        fprintf(stderr, "%s\n", error);
    return cfg;
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return -1;
}

int main(void)
{
    gcfg *cfg = load_settings();
    ghttp_server *s = g_server(NULL);
    int status = 1;

    if (!cfg)
        return 1;
    read_settings(cfg);
    if (make_folder(site.data) == 0) {
        safety_bind(s); /* first: it runs round all others */
        home_bind(s);
        guestbook_bind(s);
        account_bind(s);
        uploads_bind(s);
        ticker_bind(s);
        errors_bind(s);
        ghttp_server_enable_admin(s, NULL); /* /debug/admin, for this machine only */
        status = ghttp_server_run(s);
    }
    gcfg_free(cfg);
    return status;
}
