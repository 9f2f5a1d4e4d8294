/**
 * @file ghttp_files.h
 * Files that a server serves by itself.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_FILES_H
#define GF_GHTTP_FILES_H

#include <stdbool.h>

#include <gf/ghttp/ghttp_types.h>
#include <gf/gres/gres.h>

GF_BEGIN_DECLS

/* ---- servers: files ---------------------------------------------------------------------------- */
/*
 * A server whose program names a folder here answers GET and HEAD with its files: a file comes before a route, a route
 * before a folder. Files pass hooks and NO MIDDLEWARE: authentication that is bound by ghttp_server_use_with() does not
 * guard them, a hook of GHTTP_HOOK_BEFORE_SERVE does that calls ghttp_request_exit() when it refuses. Nothing outside
 * of the folders is ever served, nor are names that begin with a dot (but `.well-known`). docs/files.md says more. A
 * server may have files and no route.
 */

/** The folder of files for all paths, the first to be searched: the setting `serverRoot`. Thread: before start. */
GF_API int ghttp_server_set_root(ghttp_server *s, const char *folder);
/** Another one, searched behind those before it. At most 16. @return 0, -EINVAL, -ENOSPC. Thread: before start. */
GF_API int ghttp_server_add_search_path(ghttp_server *s, const char *folder);
/**
 * A folder for the paths below a prefix, searched before those for all paths, the longest prefix first: with
 * ("/assets", "/srv/a"), `/assets/x.css` is `/srv/a/x.css`. At most 64. @return 0, -EINVAL, -ENOSPC.
 * Thread: before start.
 */
GF_API int ghttp_server_add_static_path(ghttp_server *s, const char *prefix, const char *folder);
/**
 * Files that are embedded in the program, for the paths below a prefix ("" and "/": for all paths): with ("/assets",
 * &web), `/assets/x.css` is `x.css` of the bundle. They are served as those of a folder are; of the same prefix,
 * embedded files come before folders. At most 64 with those of ghttp_server_add_static_path().
 * @param bundle made by gf_embed_files() (gf/gres/gres.h); not copied.
 * @return 0, -EINVAL (also for a bundle that is none), -ENOSPC, -ENOMEM. Thread: before start.
 */
GF_API int ghttp_server_add_resources(ghttp_server *s, const char *prefix, const gres_bundle *bundle);
/** The files that stand for their folder, as a comma list: the setting `indexFiles`. Thread: before start. */
GF_API int ghttp_server_set_index_files(ghttp_server *s, const char *list);
/** Whether a folder without such a file is listed (else: 403): the setting `indexFolder`. Thread: before start. */
GF_API int ghttp_server_set_index_folder(ghttp_server *s, bool on);
/**
 * Requests for exactly the path `from` are served, by files and routes, as if they were for `to`. Both begin with '/'
 * and have no percent-encoding and no query. At most 256. @return 0, -EINVAL, -EEXIST, -ENOSPC, -ENOMEM.
 * Thread: before start.
 */
GF_API int ghttp_server_set_rewrite(ghttp_server *s, const char *from, const char *to);

GF_END_DECLS

#endif
