/* Bodies of multipart/form-data: their parts, their limits, what is refused, and files on the disk. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/multipart.h>
#include <gf/ghttp/message/request.h>

static struct ghttp_request r;
static struct gf_arena *arena;

static void begin(void)
{
    arena = gf_arena_new(64 << 20);
    gf_request_init(&r, arena, 16 << 20);
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(multipart, .init = begin, .fini = end);

static bool is(const char *value, const char *expected)
{
    return value && expected ? strcmp(value, expected) == 0 : value == expected;
}

#define TYPE "multipart/form-data; boundary=xx"
#define VALUE(name, value) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n" value
#define FILE_PART(name, filename, data)                                                                                \
    "Content-Disposition: form-data; name=\"" name "\"; filename=\"" filename                                          \
    "\"\r\nContent-Type: text/css\r\n\r\n" data

static void ask_bytes(const char *type, const void *body, size_t size)
{
    end();
    begin();
    gf_fields_add(&r.headers, arena, "Content-Type", type);
    gf_buffer_append(&r.body, body, size);
}

static void ask(const char *type, const char *body)
{
    ask_bytes(type, body, strlen(body));
}

Test(multipart, values_and_files)
{
    static const char text[] = "a\0b\r\n--x\r\n-xx";
    char body[1024];
    int head = snprintf(body, sizeof(body), "%s",
                        "--xx\r\n" VALUE("a", "1") "\r\n--xx\r\n" VALUE("b", "") "\r\n--xx"
                                                                                 "\r\n" FILE_PART("f", "a.css", ""));
    memcpy(body + head, text, sizeof(text) - 1);
    int size = head + (int)sizeof(text) - 1;
    size += snprintf(body + size, sizeof(body) - (size_t)size, "%s",
                     "\r\n--xx \t\r\n" VALUE("a", "2") "\r\n--xx\r\n" FILE_PART("empty", "e", "") "\r\n--xx--\r\n");
    ask_bytes(TYPE, body, (size_t)size);
    cr_expect(!ghttp_request_is_malformed(&r));
    cr_expect(is(ghttp_request_form(&r, "a"), "2"), "of a repeated name the last");
    cr_expect(is(ghttp_request_get(&r, "b"), "") && is(ghttp_request_get(&r, "f"), NULL));
    const ghttp_upload *file = ghttp_request_file(&r, "f");
    cr_assert(file != NULL);
    cr_expect(is(ghttp_upload_name(file), "f") && is(ghttp_upload_filename(file), "a.css"));
    cr_expect(is(ghttp_upload_type(file), "text/css"));
    cr_expect(ghttp_upload_size(file) == sizeof(text) - 1);
    cr_expect(memcmp(ghttp_upload_data(file), text, sizeof(text) - 1) == 0);
    cr_expect(ghttp_upload_size(ghttp_request_file(&r, "empty")) == 0);
    cr_expect(ghttp_request_file(&r, "a") == NULL && ghttp_request_file(&r, NULL) == NULL);
}

Test(multipart, several_files_of_a_name)
{
    size_t count = 9;
    ask(TYPE,
        "--xx\r\n" FILE_PART("f[]", "1", "one") "\r\n--xx\r\n" FILE_PART("g", "2", "two") "\r\n--xx\r\n" FILE_PART(
            "f", "3", "three") "\r\n--xx\r\n" FILE_PART("f[12]", "4",
                                                        "four") "\r\n--xx\r\n" FILE_PART("f[k]", "5",
                                                                                         "five") "\r\n--xx--");
    const ghttp_upload *const *files = ghttp_request_files(&r, "f", &count);
    cr_assert(count == 3);
    cr_expect(is(ghttp_upload_filename(files[0]), "1") && is(ghttp_upload_filename(files[1]), "3") &&
              is(ghttp_upload_filename(files[2]), "4"));
    cr_expect(ghttp_request_file(&r, "f") == files[0]);
    cr_expect(ghttp_request_files(&r, NULL, &count) && count == 5);
    cr_expect(ghttp_request_files(&r, "x", &count) == NULL && count == 0);
}

Test(multipart, well_formed)
{
    static const struct {
        const char *type, *body, *expected;
    } cases[] = {
        {TYPE, "--xx--", NULL},
        {TYPE, "--xx--  \r\n", NULL},
        {TYPE, "--xx\r\n" VALUE("a", "1") "\r\n--xx--", "1"},
        {TYPE, "preamble\r\nmore --xx\r\n--xx\r\n" VALUE("a", "1") "\r\n--xx--\r\nepilogue\r\n--xx\r\n", "1"},
        {TYPE, "\r\n--xx\r\n" VALUE("a", "1") "\r\n--xx--", "1"},
        {TYPE, "--xx\r\n" VALUE("a", "--xx--") "\r\n--xx--", NULL}, /* the final one at the beginning of the data */
        {TYPE, "--xx\r\n" VALUE("a", "1\r\n") "\r\n--xx--", "1\r\n"},
        {TYPE, "--xx\r\n" VALUE("a", "1 --xx\n--xx\r--xx") "\r\n--xx--", "1 --xx\n--xx\r--xx"},
        {TYPE, "--xx\r\n" VALUE("a", "--xx--\r\n"), ""}, /* no line between headers and delimiter */
        {"Multipart/Form-Data;charset=utf-8 ; BOUNDARY=\"x x\"", "--x x\r\n" VALUE("a", "1") "\r\n--x x--", "1"},
        {"multipart/form-data; boundary=a:b", "--a:b\r\n" VALUE("a", "1") "\r\n--a:b--", "1"},
        {TYPE, "--xx\r\ncontent-disposition:Form-Data;NAME=a;\r\nX-Other: y\r\n\r\n1\r\n--xx--", "1"},
        {TYPE, "--xx\r\nContent-Transfer-Encoding: 8BIT\r\n" VALUE("a", "1") "\r\n--xx--", "1"},
        {TYPE, "--xx\r\n" FILE_PART("a", "", "") "\r\n--xx--", ""}, /* no file was chosen */
        {TYPE, "--xx\r\n" VALUE("a\\\"", "2") "\r\n--xx\r\n" VALUE("a", "1") "\r\n--xx--", "1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask(cases[i].type, cases[i].body);
        const char *value = ghttp_request_form(&r, "a");
        bool final_in_data = i == 5;
        cr_expect(!ghttp_request_is_malformed(&r), "case %zu", i);
        cr_expect(is(value, final_in_data ? "" : cases[i].expected), "case %zu: %s", i, value);
    }
}

Test(multipart, malformed)
{
    static const struct {
        const char *type, *body;
    } cases[] = {
        {TYPE, ""},
        {TYPE, "--xx"},
        {TYPE, "--xx\r\n"},
        {TYPE, "--xy\r\n" VALUE("a", "1") "\r\n--xy--"},
        {TYPE, "--xx\r\n" VALUE("a", "1")},
        {TYPE, "--xx\r\n" VALUE("a", "1") "\r\n--xx"},
        {TYPE, "--xx\r\n" VALUE("a", "1") "\r\n--xx-"},
        {TYPE, "--xx\r\n" VALUE("a", "1") "\r\n--xx\r\n"},
        {TYPE, "--xx\r\n" VALUE("a", "1") "\r\n--xx--x"},
        {TYPE, "--xx\r\n" VALUE("a", "1") "\r\n--xxx\r\n" VALUE("b", "1") "\r\n--xx--"},
        {TYPE, "--xx\n" VALUE("a", "1") "\r\n--xx--"},
        {TYPE, "--xx\r\n" VALUE("a", "1") "\n--xx--"},
        {TYPE, "--xx\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Type: text/plain\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name=a b\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name=\"a\\\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''x\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name=a\n\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition : form-data; name=a\r\n\r\n1\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Disposition: form-data; name=a\r\n" VALUE("b", "1") "\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Transfer-Encoding: base64\r\n" VALUE("a", "MQ==") "\r\n--xx--"},
        {TYPE, "--xx\r\nContent-Type: a/b\r\nContent-Type: a/c\r\n" VALUE("a", "1") "\r\n--xx--"},
        {"multipart/form-data; boundary=a:b", "--a:b\r\n--a:b\r\n" VALUE("a", "1") "\r\n--a:b--"},
        {"multipart/form-data", "--\r\n" VALUE("a", "1") "\r\n----"},
        {"multipart/form-data; boundary=", "--\r\n" VALUE("a", "1") "\r\n----"},
        {"multipart/form-data; boundary=\"\"", "--\r\n" VALUE("a", "1") "\r\n----"},
        {"multipart/form-data; boundary=\"x \"", "--x \r\n" VALUE("a", "1") "\r\n--x --"},
        {"multipart/form-data; boundary=x; boundary=x", "--x\r\n" VALUE("a", "1") "\r\n--x--"},
        {"multipart/form-data; boundary=\"\xc3\xa4\"", "--\xc3\xa4\r\n" VALUE("a", "1") "\r\n--\xc3\xa4--"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask(cases[i].type, cases[i].body);
        cr_expect(ghttp_request_form(&r, "a") == NULL, "case %zu", i);
        cr_expect(ghttp_request_is_malformed(&r), "case %zu", i);
    }
    ask_bytes(TYPE, "--xx\r\n" VALUE("a", "1\0") "\r\n--xx--", sizeof("--xx\r\n" VALUE("a", "1\0") "\r\n--xx--") - 1);
    cr_expect(ghttp_request_is_malformed(&r), "a NUL in a value");
    ask_bytes(TYPE, "--xx\r\n" VALUE("a\0", "1") "\r\n--xx--", sizeof("--xx\r\n" VALUE("a\0", "1") "\r\n--xx--") - 1);
    cr_expect(ghttp_request_is_malformed(&r), "a NUL in a name");
}

/* Wherever the connection is cut, the form is bad as a whole. */
Test(multipart, cut_anywhere)
{
    static const char body[] =
        "--xx\r\n" VALUE("a", "1") "\r\n--xx\r\n" FILE_PART("f", "a.css", "body {}") "\r\n--xx--";
    for (size_t size = 0; size < sizeof(body) - 1; size++) {
        char *exact = malloc(size + 1); /* so that a read behind the end is seen */
        struct gf_multipart multipart = {0};
        memcpy(exact, body, size);
        char *tight = realloc(exact, size ? size : 1);
        cr_expect(gf_multipart_parse(arena, TYPE, tight, size, &multipart) < 0, "cut at %zu", size);
        cr_expect(multipart.count == 0);
        free(tight);
    }
}

Test(multipart, limits)
{
    static char body[400000];
    size_t at = 0;
    for (int i = 0; i < 1000; i++)
        at += (size_t)sprintf(body + at, "--xx\r\nContent-Disposition: form-data; name=n%d\r\n\r\n%d\r\n", i, i);
    strcpy(body + at, "--xx--");
    ask(TYPE, body);
    cr_expect(is(ghttp_request_form(&r, "n999"), "999"));
    strcpy(body + at, "--xx\r\n" VALUE("b", "1") "\r\n--xx--");
    ask(TYPE, body);
    cr_expect(ghttp_request_form(&r, "n1") == NULL && ghttp_request_is_malformed(&r), "1001 parts");

    static const char line[] = "Content-Disposition: form-data; name=a\r\nX: ";
    for (int more = 0; more < 2; more++) {
        size_t padding = 8192 - (sizeof(line) - 1) - 4 + (size_t)more;
        at = (size_t)sprintf(body, "--xx\r\n%s", line);
        memset(body + at, 'x', padding);
        strcpy(body + at + padding, "\r\n\r\n1\r\n--xx--");
        ask(TYPE, body);
        cr_expect(is(ghttp_request_form(&r, "a"), more ? NULL : "1"), "%d", more);
    }
    memset(body, 'x', 100);
    for (int size = 70; size <= 71; size++) {
        char type[200];
        sprintf(type, "multipart/form-data; boundary=%.*s", size, body);
        sprintf(body + 200, "--%.*s--", size, body);
        ask(type, body + 200);
        cr_expect(ghttp_request_is_malformed(&r) == (size == 71));
    }
}

/* Whatever comes, nothing is read outside of the body (AddressSanitizer sees it) and parts stay inside of it. */
Test(multipart, random_mutations, .timeout = 30)
{
    static const char seed[] = "pre\r\n--xx\r\n" VALUE("a", "1") "\r\n--xx \r\n" FILE_PART(
        "f", "\\\"a.css",
        "--x\r\n") "\r\n--xx\r\nContent-Disposition: form-data; name=a; filename=b;\r\n\r\n--xx--\r\nend";
    static const char tokens[] = "\r\n-x\":;= \\\0\t*a";
    uint64_t state = 88172645463325252u;
    int good = 0;
    for (int round = 0; round < 40000; round++) {
        size_t size = sizeof(seed) - 1;
        char *body = malloc(size + 8);
        memcpy(body, seed, size);
        for (int changes = 0; changes < 1 + round % 4; changes++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            size_t place = (state >> 8) % size;
            int kind = (int)(state & 3);
            if (kind == 0) {
                body[place] = tokens[(state >> 40) % (sizeof(tokens) - 1)];
            } else if (kind == 1) {
                memmove(body + place, body + place + 1, size - place - 1);
                size--;
            } else if (kind == 2) {
                memmove(body + place + 1, body + place, size - place);
                body[place] = tokens[(state >> 40) % (sizeof(tokens) - 1)];
                size++;
            } else if (round % 16 == 0) {
                size = place + 1;
            }
        }
        body = realloc(body, size);
        struct gf_multipart multipart = {0};
        gf_arena_reset(arena);
        if (gf_multipart_parse(arena, TYPE, body, size, &multipart) == 0) {
            good++;
            for (size_t i = 0; i < multipart.count; i++) {
                const struct gf_part *part = &multipart.parts[i];
                cr_assert(part->name && part->data >= body && part->data + part->size <= body + size);
                cr_assert(!memmem(part->data, part->size, "\r\n--xx", 6));
            }
        }
        free(body);
    }
    cr_expect(good > 1000 && good < 39000, "%d", good);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static const ghttp_upload *upload_named(const char *filename)
{
    char body[2048];
    snprintf(body, sizeof(body),
             "--xx\r\nContent-Disposition: form-data; name=f; filename=\"%s\"\r\n\r\ndata\r\n--xx--", filename);
    ask(TYPE, body);
    return ghttp_request_file(&r, "f");
}

Test(multipart, file_names)
{
    static const struct {
        const char *sent, *expected;
    } cases[] = {
        {"a.txt", "a.txt"},
        {"../../etc/passwd", "passwd"},
        {"C:\\dir\\file.txt", "file.txt"},
        {"\\\\server\\share\\f.txt", "f.txt"},
        {"/", "upload"},
        {"dir/", "upload"},
        {".", "_"},
        {"..", "_."},
        {"x/..", "_."},
        {".htaccess", "_htaccess"},
        {"a\tb", "a_b"},
        {"\xe5\x93\x88.png", "\xe5\x93\x88.png"},
        {"a\\\"b", "a\"b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const ghttp_upload *upload = upload_named(cases[i].sent);
        cr_assert(upload != NULL, "case %zu", i);
        cr_expect(is(ghttp_upload_filename(upload), cases[i].expected), "case %zu: %s", i,
                  ghttp_upload_filename(upload));
    }
    cr_expect(is(ghttp_upload_raw_filename(upload_named("../x")), "../x"));
    char longest[700] = "";
    for (int i = 0; i < 200; i++)
        strcat(longest, "\xe5\x93\x88");
    strcat(longest, ".png");
    const char *name = ghttp_upload_filename(upload_named(longest));
    cr_expect(strlen(name) == 199 && strncmp(name, "\xe5\x93\x88", 3) == 0 && strcmp(name + 195, ".png") == 0, "%s",
              name);
}

static char *read_whole(const char *path, mode_t *mode)
{
    static char text[64];
    struct stat status;
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, text, sizeof(text) - 1);
    cr_assert(fd >= 0 && size >= 0 && fstat(fd, &status) == 0);
    text[size] = '\0';
    *mode = status.st_mode & 0777;
    close(fd);
    return text;
}

Test(multipart, saved_in_the_folder_and_never_over_another_file)
{
    char folder[] = "/tmp/gf-upload-XXXXXX", path[256], second[256], inside[256], command[300];
    mode_t mode = 0;
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(inside, sizeof(inside), "%s/in", folder);
    cr_assert(mkdir(inside, 0700) == 0);
    const ghttp_upload *upload = upload_named("../a.txt");
    cr_assert(ghttp_upload_save(upload, inside, path, sizeof(path)) == 0);
    snprintf(command, sizeof(command), "%s/a.txt", inside);
    cr_expect(is(path, command), "%s", path);
    cr_expect(is(read_whole(path, &mode), "data") && mode == 0600);
    cr_expect(ghttp_upload_save(upload, inside, second, sizeof(second)) == 0);
    cr_expect(strcmp(path, second) != 0 && strcmp(second + strlen(second) - 4, ".txt") == 0, "%s", second);
    cr_expect(strncmp(second, path, strlen(inside) + 2) == 0 && is(read_whole(second, &mode), "data"));

    /* A link that waits there is not followed. */
    char target[256];
    snprintf(target, sizeof(target), "%s/outside", folder);
    unlink(path);
    cr_assert(symlink(target, path) == 0);
    cr_expect(ghttp_upload_save(upload, inside, NULL, 0) == 0 && access(target, F_OK) != 0);

    cr_expect(ghttp_upload_save(upload, inside, second, strlen(inside) + 3) == -ENAMETOOLONG);
    cr_expect(ghttp_upload_save(upload, "/nonexistent", NULL, 0) == -ENOENT);
    cr_expect(ghttp_upload_save(upload, "", NULL, 0) == -EINVAL && ghttp_upload_save(NULL, inside, NULL, 0) == -EINVAL);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(system(command) == 0);
}

/* Whether it is "folder/" with 32 hexadecimal digits and this extension. */
static bool is_random(const char *path, const char *folder, const char *extension)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && path[size] == '/' && strspn(path + size + 1, "0123456789abcdef") == 32 &&
           is(path + size + 33, extension);
}

Test(multipart, saved_as_the_program_says)
{
    char folder[] = "/tmp/gf-upload-XXXXXX", path[256], second[256], command[300];
    mode_t mode = 0;
    cr_assert(mkdtemp(folder) != NULL);
    const ghttp_upload *upload = upload_named("a.txt");
    cr_assert(ghttp_upload_save_as(upload, folder, "mine.dat", path, sizeof(path)) == 0);
    snprintf(command, sizeof(command), "%s/mine.dat", folder);
    cr_expect(is(path, command) && is(read_whole(path, &mode), "data") && mode == 0600);
    path[0] = 'x';
    cr_expect(ghttp_upload_save_as(upload, folder, "mine.dat", path, sizeof(path)) == -EEXIST && path[0] == 'x');
    static const char *const bad[] = {"", ".", "..", "a/b", "/etc/x", "../x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_expect(ghttp_upload_save_as(upload, folder, bad[i], NULL, 0) == -EINVAL, "%s", bad[i]);
    static char longest[257];
    memset(longest, 'a', 256);
    cr_expect(ghttp_upload_save_as(upload, folder, longest, NULL, 0) == -ENAMETOOLONG);
    longest[255] = '\0';
    cr_expect(ghttp_upload_save_as(upload, folder, longest, NULL, 0) == 0);
    cr_expect(ghttp_upload_save_as(NULL, folder, "x", NULL, 0) == -EINVAL);
    cr_expect(ghttp_upload_save_as(upload, "", "x", NULL, 0) == -EINVAL);

    cr_assert(ghttp_upload_save_as(upload, folder, NULL, path, sizeof(path)) == 0);
    cr_assert(ghttp_upload_save_as(upload, folder, NULL, second, sizeof(second)) == 0);
    cr_expect(is_random(path, folder, ".txt") && is_random(second, folder, ".txt"), "%s %s", path, second);
    cr_expect(strcmp(path, second) != 0 && is(read_whole(path, &mode), "data") && mode == 0600);
    static const char *const names[][2] = {{"a", ""},
                                           {"a.", ""},
                                           {"a.p-g", ""},
                                           {"a.tar.gz", ".gz"},
                                           {"a.12345678901234567", ""},
                                           {"x.0123456789abcdef", ".0123456789abcdef"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        cr_assert(ghttp_upload_save_as(upload_named(names[i][0]), folder, NULL, path, sizeof(path)) == 0);
        cr_expect(is_random(path, folder, names[i][1]), "%s: %s", names[i][0], path);
    }
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(system(command) == 0);
}
