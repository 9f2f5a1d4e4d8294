/*
 * Embedded files: what the build has made of a folder, finding, and bundles as folders.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gf/ghttp/message/arena.h"
#include "gf/ghttp/message/file.h"
#include "gf/ghttp/service/static_bundle.h"
#include <gf/gf.h>

#include "prefixed.h"
#include "web.h"

/* ---- what the build makes ---- */

static const char *const paths[] = {
    ".well-known/known.txt",
    "digits.txt",
    "empty_of_index/a b+c%41&.txt",
    "empty_of_index/a?\?=b.txt",
    "empty_of_index/gr\303\266\303\237e.txt",
    "empty_of_index/it's $HOME (1) #x.txt",
    "index.html",
    "nothing.txt",
    "shadowed.txt",
    "site.css",
    "sub/bytes.bin",
    "sub/deep/x.txt",
    "sub/index.htm",
};

#define PATHS (sizeof(paths) / sizeof(*paths))

Test(resources, have_all_files_but_hidden_ones)
{
    cr_assert(eq(sz, web.count, PATHS));
    for (size_t i = 0; i < PATHS; i++)
        cr_expect(eq(str, (char *)web.files[i].path, (char *)paths[i]));
    cr_assert(zero(int, gres_check(&web)));
}

Test(resources, have_the_bytes_times_and_hashes_of_the_files)
{
    for (size_t i = 0; i < web.count; i++) {
        const gres_file *file = &web.files[i];
        char path[512], bytes[256];
        struct stat status;
        FILE *disk;

        snprintf(path, sizeof(path), "%s/tests/resources/web/%s", GF_REPOSITORY, file->path);
        disk = fopen(path, "re");
        cr_assert(ne(ptr, disk, NULL), "%s", path);
        cr_expect(eq(sz, fread(bytes, 1, sizeof(bytes), disk), file->size), "%s", path);
        cr_expect(zero(int, memcmp(bytes, file->bytes, file->size)), "%s", path);
        cr_expect(zero(u8, file->bytes[file->size]), "%s", path);
        cr_assert(zero(int, fstat(fileno(disk), &status)));
        if (!getenv("SOURCE_DATE_EPOCH"))
            cr_expect(eq(i64, file->modified, status.st_mtim.tv_sec), "%s", path);
        fclose(disk);
    }
    cr_expect(eq(str, (char *)gres_find(&web, "digits.txt")->hash,
                 "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"));
}

Test(resources, have_their_prefix_before_their_paths)
{
    cr_assert(eq(sz, prefixed.count, 3));
    cr_expect(eq(str, (char *)prefixed.files[0].path, "files/bytes.bin"));
    cr_expect(eq(str, (char *)prefixed.files[1].path, "files/deep/x.txt"));
}

/* ---- finding ---- */

Test(resources, are_found_by_their_whole_path_only)
{
    for (size_t i = 0; i < PATHS; i++)
        cr_expect(eq(ptr, (void *)gres_find(&web, paths[i]), (void *)&web.files[i]), "%s", paths[i]);
    cr_expect(eq(ptr, (void *)gres_find(&web, "//digits.txt"), (void *)&web.files[1]));
    static const char *const none[] = {"", "/", "digits", "digits.txt/", "sub", "sub/", "zzz", "./digits.txt", ".env"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        cr_expect(eq(ptr, (void *)gres_find(&web, none[i]), NULL), "%s", none[i]);
    cr_expect(eq(ptr, (void *)gres_find(NULL, "x"), NULL));
    cr_expect(eq(ptr, (void *)gres_find(&web, NULL), NULL));
}

Test(resources, of_a_folder_follow_one_another)
{
    cr_expect(eq(sz, gres_seek(&web, "sub/"), 10));
    cr_expect(eq(sz, gres_seek(&web, ""), 0));
    cr_expect(eq(sz, gres_seek(&web, "zzz"), PATHS));
    cr_expect(eq(sz, gres_seek(&web, NULL), 0));
    cr_expect(eq(sz, gres_seek(NULL, "sub/"), 0));
}

#define FILE_OF(path)                                                                                                  \
    {                                                                                                                  \
        path, (const unsigned char *)"", 0, 0, "0"                                                                     \
    }

Test(resources, that_gf_embed_files_has_not_made_are_refused)
{
    static const gres_file good[] = {FILE_OF("a"), FILE_OF("b")}, mixed[] = {FILE_OF("b"), FILE_OF("a")},
                           twice[] = {FILE_OF("a"), FILE_OF("a")}, empty[] = {FILE_OF("")}, slash[] = {FILE_OF("/a")},
                           bare[] = {{"a", NULL, 0, 0, "0"}}, nameless[] = {FILE_OF(NULL)};
    const gres_bundle bundles[] = {
        {GRES_LAYOUT, 2, mixed}, {GRES_LAYOUT, 2, twice}, {GRES_LAYOUT, 1, empty},    {GRES_LAYOUT, 1, slash},
        {GRES_LAYOUT, 1, bare},  {GRES_LAYOUT, 1, NULL},  {GRES_LAYOUT + 1, 2, good}, {GRES_LAYOUT, 1, nameless},
    };
    ghttp_server *s = g_server("refused");

    for (size_t i = 0; i < sizeof(bundles) / sizeof(*bundles); i++) {
        cr_expect(eq(int, gres_check(&bundles[i]), -EINVAL), "%zu", i);
        cr_expect(eq(int, ghttp_server_add_resources(s, "/", &bundles[i]), -EINVAL), "%zu", i);
    }
    cr_expect(eq(int, gres_check(NULL), -EINVAL));
    cr_expect(eq(int, ghttp_server_add_resources(s, "/", NULL), -EINVAL));
    cr_expect(eq(int, ghttp_server_add_resources(s, NULL, &web), -EINVAL));
    cr_expect(eq(int, ghttp_server_add_resources(s, "no/prefix", &web), -EINVAL));
    cr_expect(zero(int, gres_check(&(gres_bundle){GRES_LAYOUT, 0, NULL})));
    for (int i = 0; i < 64; i++)
        cr_expect(zero(int, ghttp_server_add_resources(s, "", &web)));
    cr_expect(eq(int, ghttp_server_add_resources(s, "/", &web), -ENOSPC));
}

/* ---- as a folder ---- */

static struct gf_arena *arena;

static void begin(void)
{
    arena = gf_arena_new(1 << 20);
    cr_assert(ne(ptr, arena, NULL));
}

static void end(void)
{
    gf_arena_free(arena);
}

Test(resources, are_opened_as_the_kernel_would, .init = begin, .fini = end)
{
    static const struct {
        const char *name;
        int result;
    } cases[] = {
        {"digits.txt", 0},          {"sub/deep/x.txt", 0},
        {"sub//deep///x.txt", 0},   {"", -EISDIR},
        {"sub", -EISDIR},           {"sub/", -EISDIR},
        {"sub//", -EISDIR},         {"sub/deep", -EISDIR},
        {"digits.txt/", -ENOTDIR},  {"digits.txt//", -ENOTDIR},
        {"digits", -ENOENT},        {"su", -ENOENT},
        {"su/", -ENOENT},           {"/", -ENOENT},
        {"sub/deep/none", -ENOENT}, {"Sub", -ENOENT},
        {"zzz", -ENOENT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct gf_file file;
        cr_expect(eq(int, gf_bundle_open(&web, arena, cases[i].name, &file), cases[i].result), "%s", cases[i].name);
    }
    cr_expect(eq(int, gf_bundle_open(&(gres_bundle){GRES_LAYOUT, 0, NULL}, arena, "", &(struct gf_file){0}), -EISDIR));
}

/* The names of a folder's entries, each with a blank behind it, or a slash and a blank. */
static const char *entries(const gres_bundle *bundle, const char *folder)
{
    static char text[512];
    struct gf_bundle_walk walk;
    struct gf_bundle_entry entry;

    *text = '\0';
    cr_assert(zero(int, gf_bundle_walk_init(&walk, bundle, arena, folder)));
    while (gf_bundle_walk_next(&walk, arena, &entry) == 0)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s%s ", (int)entry.name_size, entry.name,
                 entry.file ? "" : "/");
    return text;
}

Test(resources, of_a_folder_are_listed_once_each, .init = begin, .fini = end)
{
    static const gres_file files[] = {FILE_OF("a-b"), FILE_OF("a.txt"), FILE_OF("a/x"), FILE_OF("a/y/z"),
                                      FILE_OF("a0"),  FILE_OF("b/c/d"), FILE_OF("b/e")};
    static const gres_bundle bundle = {GRES_LAYOUT, 7, files};

    cr_expect(eq(str, (char *)entries(&web, "sub"), "bytes.bin deep/ index.htm "));
    cr_expect(eq(str, (char *)entries(&web, "sub/"), "bytes.bin deep/ index.htm "));
    cr_expect(eq(str, (char *)entries(&web, "sub//deep"), "x.txt "));
    cr_expect(eq(str, (char *)entries(&bundle, ""), "a-b a.txt a/ a0 b/ "));
    cr_expect(eq(str, (char *)entries(&bundle, "a"), "x y/ "));
    cr_expect(eq(str, (char *)entries(&bundle, "b"), "c/ e "));
    cr_expect(eq(str, (char *)entries(&bundle, "c"), ""));
}
