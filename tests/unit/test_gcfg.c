/* Configuration files: what is read, what is refused and where, and that no text breaks the readers. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/gcfg/gcfg.h>
#include <gf/ghttp/server/settings.h>

static gcfg *cfg;
static char error[512];

static void end(void)
{
    gcfg_free(cfg);
    cfg = NULL;
}

TestSuite(gcfg, .fini = end);

static int parse(const char *name, const char *text, size_t length)
{
    end();
    strcpy(error, "untouched");
    return gcfg_parse(name, text, length, &cfg, error, sizeof(error));
}

static void expect_text(const char *path, const char *expected)
{
    cr_expect(eq(str, (char *)gcfg_text(cfg, path, "(none)"), (char *)expected), "%s", path);
}

/* ---- what is read ------------------------------------------------------------------------------------------------ */

static const char yaml[] = "# a comment\n"
                           "server:\n"
                           "  address: \":8100\"\n"
                           "  readTimeout: 60s\n"
                           "  serverAgent:\n"
                           "  s1:\n"
                           "    Address: [\":8200\", ':8300']\n"
                           "    max-header_bytes: 8k\n"
                           "app: {name: \"哈喽\", \"tilde\": \"~\", on: yes, half: 0.5, big: 9223372036854775808,\n"
                           "      minus: -7}\n";
static const char json[] = "\xef\xbb\xbf{ \"server\": {\"address\": \":8100\", \"readTimeout\": \"60s\",\n"
                           "  \"serverAgent\": null,\n"
                           "  \"s1\": {\"Address\": [\":8200\", \":8300\"], \"max-header_bytes\": \"8k\"}},\n"
                           "  \"app\": {\"name\": \"\\u54c8喽\", \"tilde\": \"~\", \"on\": true, \"half\": 0.5,\n"
                           "    \"big\": 9223372036854775808, \"minus\":-7 } }\n";

static void expect_tree(void)
{
    expect_text("server.address", ":8100");
    expect_text("SERVER.read-timeout", "60s");
    expect_text("server.serverAgent", "(none)");
    cr_expect(eq(int, gcfg_node_kind(gcfg_get(cfg, "server.serverAgent")), GCFG_NULL));
    expect_text("server.s1.address.1", ":8300");
    expect_text("server.s1.address.2", "(none)");
    expect_text("server.s1.address.x", "(none)");
    expect_text("server.s1.address.", "(none)");
    expect_text("server.s1", "(none)");
    expect_text("server.s1.maxHeaderBytes", "8k");
    expect_text("server..address", "(none)");
    expect_text("", "(none)");
    expect_text("app.name", "哈喽");
    expect_text("app.tilde", "~");
    cr_expect(eq(i64, gcfg_int(cfg, "app.minus", 3), -7));
    cr_expect(eq(i64, gcfg_int(cfg, "app.big", 3), 3));
    cr_expect(eq(i64, gcfg_int(cfg, "app.half", 3), 3));
    cr_expect(eq(dbl, gcfg_double(cfg, "app.half", 3), 0.5));
    cr_expect(gcfg_bool(cfg, "app.on", false));
    cr_expect(gcfg_bool(cfg, "app.half", true));
    cr_expect(not(zero(ptr, (void *)gcfg_node_member(gcfg_get(cfg, "server"), "s1"))));
    cr_expect(zero(ptr, (void *)gcfg_node_member(gcfg_get(cfg, "server.address"), "s1")));
    cr_expect(eq(sz, gcfg_node_count(gcfg_get(cfg, "server")), 4));
}

Test(gcfg, reads_yaml)
{
    cr_assert(zero(int, parse("a.yaml", yaml, sizeof(yaml) - 1)), "%s", error);
    expect_tree();
    cr_expect(eq(str, (char *)gcfg_path(cfg), "a.yaml"));
    cr_expect(eq(int, gcfg_node_line(gcfg_get(cfg, "server.s1.maxheaderbytes")), 8));
    cr_expect(eq(int, gcfg_node_column(gcfg_get(cfg, "server.s1.maxheaderbytes")), 23));
}

Test(gcfg, reads_json)
{
    cr_assert(zero(int, parse("a.JSON", json, sizeof(json) - 1)), "%s", error);
    expect_tree();
    cr_expect(eq(int, gcfg_node_line(gcfg_get(cfg, "server.s1.address.1")), 3));
    cr_expect(eq(int, gcfg_node_column(gcfg_get(cfg, "server.s1.address.1")), 31));
    cr_expect(eq(int, gcfg_node_line(gcfg_get(cfg, "app.minus")), 5));
    cr_expect(eq(int, gcfg_node_column(gcfg_get(cfg, "app.minus")), 41));
}

Test(gcfg, no_file_says_nothing)
{
    expect_text("server.address", "(none)");
    cr_expect(eq(i64, gcfg_int(NULL, "app.count", 7), 7));
    cr_expect(zero(ptr, (void *)gcfg_get(NULL, "app")));
}

Test(gcfg, an_empty_file_says_nothing)
{
    static const char *const texts[] = {"", "\n\n", "# only this\n", "---\n", "--- ~\n"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        cr_assert(zero(int, parse("a.yml", texts[i], strlen(texts[i]))), "%zu: %s", i, error);
        cr_expect(zero(sz, gcfg_node_count(gcfg_root(cfg))));
        expect_text("server.address", "(none)");
    }
}

Test(gcfg, a_key_as_written_comes_first)
{
    static const char text[] = "db: {a_b: 1, a-b: 2, AB: 3}\n";

    cr_assert(zero(int, parse("a.yml", text, sizeof(text) - 1)));
    expect_text("db.a-b", "2");
    expect_text("db.AB", "3");
    expect_text("db.ab", "1");
    cr_expect(gcfg_is_same_key("max-Header_bytes ", "maxHeaderBytes"));
    cr_expect(not(gcfg_is_same_key("maxHeaderByte", "maxHeaderBytes")));
    cr_expect(gcfg_is_same_key("-", ""));
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

Test(gcfg, errors_name_the_place)
{
    static const struct {
        const char *name, *text, *error;
    } cases[] = {
        {"a.yml", "a: 1\nb: [1, 2\nc: 3\n", "a.yml:3:"},
        {"a.yml", "a: 1\n b: 2\n", "a.yml:2:"},
        {"a.yml", "a:\n\tb: 2\n", "a.yml:2:1: "},
        {"a.yml", "a: \"x\n", "a.yml:2:1: "},
        {"a.yml", "a: 1\nb: 2\na: 3\n", "a.yml:3:1: the key \"a\" is in line 1 already"},
        {"a.yml", "x: &n 1\ny: *n\n", "a.yml:2:4: aliases are not supported"},
        {"a.yml", "x: &n {a: 1}\ny: {<<: *n}\n", "a.yml:2:5: merge keys are not supported"},
        {"a.yml", "a: !include b.yml\n", "a.yml:1:4: tags are not supported"},
        {"a.yml", "a: !mine {b: 1}\n", "a.yml:1:4: tags are not supported"},
        {"a.yml", "a: 1\n---\nb: 1\n", "a.yml:2:1: a second document begins"},
        {"a.yml", "- a\n", "a.yml:1:1: the file is no map"},
        {"a.yml", "word\n", "a.yml:1:1: the file is no map"},
        {"a.yml", "? [a, b]\n: 1\n", "a.yml:1:3: a key is a list or a map"},
        {"a.yml", "\"\": 1\n", "a.yml:1:1: a key is empty"},
        {"a.yml", "a: \"b\\0c\"\n", "a.yml:1:4: a value contains a zero byte"},
        {"a.yml", "a: 1\nb: \xff\n", "a.yml:2:4: this is no UTF-8"},
        {"a.yml", "a: \xc0\xaf\n", "a.yml:1:4: this is no UTF-8"},
        {"a.yml", "a: \xed\xa0\x80\n", "a.yml:1:4: this is no UTF-8"},
        {"a.yml", "a: \xe5\x93", "a.yml:1:4: this is no UTF-8"},
        {"a.yml", "a: \x01\n", "a.yml:1:"},
        {"a.json", "{\"a\": 1,\n \"b\": tru}", "a.json:2:"},
        {"a.json", "{\"a\": 1}\n}", "a.json:2:1: this is no JSON"},
        {"a.json", "", "a.json:1:1: this is no JSON"},
        {"a.json", "[1]", "a.json:1:1: the file is no map"},
        {"a.json", "7", "a.json:1:1: the file is no map"},
        {"a.json", "{\"a\": 1,\n\"a\": 2}", "a.json:2:1: the key \"a\" is in line 1 already"},
        {"a.json", "{\"a\": [\"x\", \"b\\u0000c\"]}", "a.json:1:13: a text contains a zero byte"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_expect(eq(int, parse(cases[i].name, cases[i].text, strlen(cases[i].text)), -EINVAL), "%zu", i);
        cr_expect(zero(ptr, cfg), "%zu: written on failure", i);
        cr_expect(zero(int, strncmp(error, cases[i].error, strlen(cases[i].error))), "%zu: %s", i, error);
    }
    cr_expect(eq(int, parse("a.yml", "a: 1\0b: 2", 9), -EINVAL));
    cr_expect(zero(int, strcmp(error, "a.yml:1:5: a zero byte")), "%s", error);
    cr_expect(eq(int, gcfg_parse("a.yml", "a: [", 4, &cfg, NULL, 0), -EINVAL), "without room for a sentence");
}

static char *repeat(const char *begin, const char *piece, size_t count, size_t *length)
{
    size_t size = strlen(piece);
    char *text = malloc(strlen(begin) + size * count + 1), *at = text;

    at += sprintf(at, "%s", begin);
    for (size_t i = 0; i < count; i++, at += size)
        memcpy(at, piece, size);
    *at = 0;
    *length = (size_t)(at - text);
    return text;
}

Test(gcfg, limits)
{
    static const struct {
        const char *name, *begin, *piece;
        size_t count;
        int result;
    } cases[] = {
        {"a.yml", "a: ", "[", 1000, -EFBIG},
        {"a.yml", "a: ", "[", 500000, -EFBIG},
        {"a.yml", "a: ", "{b: ", 100000, -EFBIG},
        {"a.json", "{\"a\": ", "[", 900, -EINVAL}, /* never closed, so that it is no JSON either */
        {"a.json", "{\"a\": ", "[", 500000, -EINVAL},
        {"a.yml", "a:\n", "- 1\n", 9998, 0},
        {"a.yml", "a:\n", "- 1\n", 9999, -EFBIG},
        {"a.yml", "a: 1", "\n", (1 << 20) - 4, 0},
        {"a.yml", "a: 1", "\n", (1 << 20) - 3, -EFBIG},
        {"a.yml", "a: &x [1]\n", "b: [*x, *x, *x, *x]\n", 1000, -EINVAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t length;
        char *text = repeat(cases[i].begin, cases[i].piece, cases[i].count, &length);

        cr_expect(eq(int, parse(cases[i].name, text, length), cases[i].result), "%zu: %s", i, error);
        free(text);
    }
}

/* The top is the first level; so 31 lists in it are the last that fit. */
Test(gcfg, depth)
{
    for (int lists = 30; lists < 34; lists++) {
        char text[128] = "{\"a\": ";

        for (int i = 0; i < lists; i++)
            strcat(text, "[");
        for (int i = 0; i < lists; i++)
            strcat(text, "]");
        strcat(text, "}");
        cr_expect(eq(int, parse("a.json", text, strlen(text)), lists <= 31 ? 0 : -EFBIG), "%d", lists);
        cr_expect(eq(int, parse("a.yaml", text, strlen(text)), lists <= 31 ? 0 : -EFBIG), "%d", lists);
    }
}

/* Texts near the right ones: whatever comes out, nothing is read or written that is not ours, and nothing is lost. */
Test(gcfg, survives_mutations, .timeout = 50)
{
    static const char spice[] = "{}[]:,-?&*!|>'\"%@`#~<\\ \n\t\r\0\xff\xc3\xe5"
                                "0a";
    unsigned state = 20261122, good = 0;

    for (int round = 0; round < 6000; round++) {
        const char *from = round % 2 ? json : yaml;
        size_t length = strlen(from);
        char text[sizeof(json) + sizeof(yaml)];

        memcpy(text, from, length);
        for (int i = 0; i <= round % 5; i++) {
            size_t at = (state = state * 1103515245 + 12345) / 65536 % length;

            text[at] = spice[(state = state * 1103515245 + 12345) / 65536 % (sizeof(spice) - 1)];
        }
        if (round % 7 == 0)
            length = state / 65536 % length;
        good += parse(round % 4 == 1 ? "a.json" : "a.yaml", text, length) == 0;
        cr_expect(eq(int, cfg != NULL, !strcmp(error, "untouched")), "%s", error);
        if (cfg)
            (void)gcfg_text(cfg, "server.s1.address.1", NULL);
    }
    cr_expect(gt(uint, good, 100));
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static char folder[64];

static void enter(void)
{
    strcpy(folder, "/tmp/gf-gcfg-XXXXXX");
    cr_assert(not(zero(ptr, mkdtemp(folder))));
    cr_assert(zero(int, chdir(folder)));
    unsetenv("GF_GCFG_FILE");
    unsetenv("GF_GCFG_PATH");
}

static void leave(void)
{
    char command[128];

    end();
    snprintf(command, sizeof(command), "rm -r %s", folder);
    cr_expect(zero(int, system(command)));
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    cr_assert(not(zero(ptr, file)));
    fputs(text, file);
    fclose(file);
}

static int load(const char *path)
{
    end();
    return gcfg_load(path, &cfg, error, sizeof(error));
}

Test(gcfg, what_is_no_file_is_refused, .init = enter, .fini = leave, .timeout = 20)
{
    cr_assert(zero(int, mkfifo("fifo.yaml", 0600)));
    cr_assert(zero(int, mkdir("folder.yaml", 0700)));
    cr_assert(zero(int, symlink("nothing", "nowhere.yaml")));
    cr_assert(zero(int, symlink("real", "link.yaml")));
    write_file("real", "a: 7\n");
    cr_expect(eq(int, load("fifo.yaml"), -ENOTSUP));
    cr_expect(eq(str, error, "fifo.yaml: cannot be read: it is no regular file"));
    cr_expect(eq(int, load("folder.yaml"), -ENOTSUP));
    cr_expect(eq(int, load("/dev/zero"), -ENOTSUP));
    cr_expect(eq(int, load("/dev/tty"), -ENOTSUP));
    cr_expect(eq(int, load("nowhere.yaml"), -ENOENT));
    cr_expect(eq(str, error, "nowhere.yaml: cannot be read: No such file or directory"));
    cr_expect(zero(int, load("link.yaml")), "%s", error);
    expect_text("a", "7");
}

Test(gcfg, loads_what_it_finds, .init = enter, .fini = leave)
{
    char long_name[5000];

    cr_expect(zero(int, gcfg_load_found(&cfg, error, sizeof(error))), "no file is no error");
    cr_expect(zero(ptr, cfg));
    write_file("config.yaml", "a: 7\n");
    cr_expect(zero(int, gcfg_load_found(&cfg, error, sizeof(error))), "%s", error);
    expect_text("a", "7");
    end();
    write_file("config.yaml", "a: [\n");
    cr_expect(eq(int, gcfg_load_found(&cfg, error, sizeof(error)), -EINVAL));
    cr_expect(strncmp(error, "config.yaml:", 12) == 0, "%s", error);
    cr_expect(zero(ptr, cfg), "written on success only");
    setenv("GF_GCFG_FILE", "./absent.yaml", 1);
    cr_expect(eq(int, gcfg_load_found(&cfg, error, sizeof(error)), -ENOENT), "one that is named must be there");
    cr_expect(eq(str, error, "./absent.yaml: cannot be read: No such file or directory"));
    memset(long_name, '/', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    setenv("GF_GCFG_FILE", long_name, 1);
    cr_expect(eq(int, gcfg_load_found(&cfg, error, sizeof(error)), -ENAMETOOLONG));
    cr_expect(eq(str, error, "the configuration that --gf.gcfg.file or GF_GCFG_FILE names: File name too long"));
    unsetenv("GF_GCFG_FILE");
}

static void expect_found(const char *expected)
{
    char path[256] = "(none)";
    int result = gcfg_find(path, sizeof(path));

    cr_expect(eq(int, result, strcmp(expected, "(none)") ? 0 : -ENOENT), "%s", expected);
    cr_expect(eq(str, path, (char *)expected));
}

Test(gcfg, finds_the_file_in_order, .init = enter, .fini = leave)
{
    char small[8];

    expect_found("(none)");
    mkdir("config", 0700);
    mkdir("manifest", 0700);
    mkdir("manifest/config", 0700);
    mkdir("config.yaml", 0700); /* a folder is no file */
    write_file("config.json", "");
    expect_found("config.json");
    write_file("manifest/config/config.yml", "");
    expect_found("manifest/config/config.yml");
    cr_expect(eq(int, gcfg_find(small, sizeof(small)), -ENAMETOOLONG));
    write_file("config/config.yaml", "");
    expect_found("config/config.yaml");
    rmdir("config.yaml");
    cr_expect(zero(int, symlink("nothing", "config.yaml")));
    expect_found("config.yaml");
    setenv("GF_GCFG_FILE", "", 1);
    expect_found("config.yaml");
}

/* As in GoFrame, an ending comes before a place; and the executable's folder has the same three places. */
Test(gcfg, looks_beside_the_executable_too, .init = enter, .fini = leave)
{
    char beside[256], below[300], file[320];
    ssize_t length = readlink("/proc/self/exe", beside, sizeof(beside) - 1);

    cr_assert(gt(i64, length, 0));
    beside[length] = 0;
    *strrchr(beside, '/') = 0;
    snprintf(below, sizeof(below), "%s/manifest", beside);
    mkdir(below, 0700);
    snprintf(below, sizeof(below), "%s/manifest/config", beside);
    mkdir(below, 0700);
    snprintf(file, sizeof(file), "%s/beside.yaml", below);
    write_file(file, "");
    mkdir("config", 0700);
    write_file("config/beside.yml", "");
    setenv("GF_GCFG_FILE", "beside", 1);
    expect_found(file);
    unlink(file);
    expect_found("config/beside.yml");
    rmdir(below);
    snprintf(below, sizeof(below), "%s/manifest", beside);
    rmdir(below);
}

Test(gcfg, finds_the_file_that_is_named, .init = enter, .fini = leave)
{
    mkdir("config", 0700);
    mkdir("config/prod", 0700);
    write_file("config.yaml", "");
    write_file("config/mine.yaml", "");
    write_file("config/mine.json", "");
    write_file("config/prod/config.yaml", "");
    setenv("GF_GCFG_FILE", "mine.yaml", 1);
    expect_found("config/mine.yaml");
    setenv("GF_GCFG_FILE", "mine", 1);
    expect_found("config/mine.yaml");
    setenv("GF_GCFG_FILE", "mine.json", 1);
    expect_found("config/mine.json");
    setenv("GF_GCFG_FILE", "prod/config.yaml", 1);
    expect_found("config/prod/config.yaml");
    setenv("GF_GCFG_FILE", "prod/config", 1);
    expect_found("config/prod/config.yaml");
    write_file("mine.yml", "");
    setenv("GF_GCFG_FILE", "mine", 1);
    expect_found("config/mine.yaml");
    write_file("mine", "");
    expect_found("mine");
    setenv("GF_GCFG_FILE", "other", 1);
    expect_found("other");
    setenv("GF_GCFG_FILE", "./config/none.yaml", 1);
    expect_found("./config/none.yaml");
}

Test(gcfg, searches_the_folder_that_is_named_alone, .init = enter, .fini = leave)
{
    mkdir("etc", 0700);
    mkdir("etc/config", 0700);
    write_file("config.yaml", "");
    setenv("GF_GCFG_PATH", "etc", 1);
    expect_found("(none)");
    write_file("etc/config/config.yml", "");
    expect_found("etc/config/config.yml");
    setenv("GF_GCFG_PATH", "etc/config/", 1);
    expect_found("etc/config/config.yml");
    setenv("GF_GCFG_FILE", "config.yaml", 1); /* but what is the path of a file is found as that */
    expect_found("config.yaml");
    unsetenv("GF_GCFG_FILE");
    setenv("GF_GCFG_PATH", "absent", 1);
    cr_expect(eq(int, gcfg_load_found(&cfg, error, sizeof(error)), -ENOTDIR));
    cr_expect(eq(str, error, "the configuration that --gf.gcfg.path or GF_GCFG_PATH names: Not a directory"));
}

/* Whoever starts it in another user's home, where he may not look, has no configuration there. */
Test(gcfg, a_folder_that_may_not_be_searched_has_none, .init = enter, .fini = leave)
{
    write_file("config.yaml", "");
    cr_assert(zero(int, chmod(folder, 0000)));
    if (access("config.yaml", F_OK) == 0) /* the superuser may look everywhere */
        cr_assert(zero(int, seteuid(65534)));
    expect_found("(none)");
    setenv("GF_GCFG_FILE", "config.yaml", 1);
    expect_found("config.yaml");
    cr_assert(zero(int, seteuid(getuid())));
    cr_assert(zero(int, chmod(folder, 0700)));
}

/* One that was asked for, or that lies where the program may look: to go on without it would start a server with other
 * settings than it was given. */
Test(gcfg, what_may_not_be_read_is_not_passed_over, .init = enter, .fini = leave)
{
    mkdir("config", 0700);
    write_file("config/config.yaml", "");
    cr_assert(zero(int, chmod("config", 0000)));
    cr_assert(zero(int, chmod(folder, 0755)));
    if (access("config/config.yaml", F_OK) == 0)
        cr_assert(zero(int, seteuid(65534)));
    expect_found("config/config.yaml");
    cr_expect(eq(int, gcfg_load_found(&cfg, error, sizeof(error)), -EACCES));
    setenv("GF_GCFG_PATH", "config", 1);
    expect_found("config/config.yaml");
    cr_assert(zero(int, seteuid(getuid())));
    cr_assert(zero(int, chmod("config", 0700)));
}

/* ---- the sample -------------------------------------------------------------------------------------------------- */

/* examples/config.yaml has each setting with its default, but for the two without which it would show little. */
Test(gcfg, the_sample_has_each_setting)
{
    struct gf_settings settings;
    size_t count = 0;

    cr_assert(zero(int, gcfg_load(GF_REPOSITORY "/examples/config.yaml", &cfg, error, sizeof(error))), "%s", error);
    cr_assert(zero(int, gf_settings_init(&settings)));
    for (size_t i = 0; i < gf_setting_count; i++) {
        const gcfg_node *node = gcfg_node_member(gcfg_get(cfg, "server"), gf_setting_table[i].key);
        const char *key = gf_setting_table[i].key, *text = node ? gcfg_node_text(node) : NULL;

        cr_expect(not(zero(ptr, (void *)text)), "examples/config.yaml lacks %s", key);
        if (!text)
            continue;
        cr_expect(eq(str, (char *)gcfg_node_key(node), (char *)key));
        cr_expect(zero(int, gf_settings_set(&settings, key, text, error, sizeof(error))), "%s", error);
        if (strcmp(key, "address") && strcmp(key, "graceful"))
            cr_expect(eq(str, (char *)text, (char *)gf_setting_table[i].fallback), "%s", key);
    }
    for (const gcfg_node *node = gcfg_node_first(gcfg_get(cfg, "server")); node; node = gcfg_node_next(node))
        count += gcfg_node_kind(node) != GCFG_MAP;
    cr_expect(eq(sz, count, gf_setting_count), "examples/config.yaml has others");
    gf_settings_finish(&settings);
}
