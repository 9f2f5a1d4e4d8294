/*
 * What the admin page brings into the browser beside its HTML. The page works without the script, too: it shows the
 * moment of its loading, and its forms and links are plain ones.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_CLIENT_H
#define GF_GHTTP_SERVICE_ADMIN_CLIENT_H

/* Style sheet and script; neither holds anything that HTML would have to escape within <style> and <script>. */
extern const char gf_admin_style[];
extern const char gf_admin_script[];

#endif
