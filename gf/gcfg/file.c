/*
 * Files: read whole and given to the reader of their format. Owns nothing beyond a call. Thread: any.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree.h"

/* ---- its text ---- */

/* Looks before it opens, since opening a device can do something; and again behind it. */
static int open_regular(const char *path)
{
    struct stat status;
    int fd, result = 0;

    if (stat(path, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -ENOTSUP;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        result = -errno;
    else if (!S_ISREG(status.st_mode))
        result = -ENOTSUP;
    if (!result)
        return fd;
    close(fd);
    return result;
}

/* Up to size bytes; their number. */
static ssize_t read_all(int fd, char *text, size_t size)
{
    size_t length = 0;

    while (length < size) {
        ssize_t count = read(fd, text + length, size - length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (!count)
            break;
        length += (size_t)count;
    }
    return (ssize_t)length;
}

static const char *explain(int result)
{
    return result == -ENOTSUP ? "it is no regular file" : strerror(-result);
}

int gcfg_load(const char *path, gcfg **ret_cfg, char *error, size_t size)
{
    char *text = NULL;
    ssize_t length;
    int fd = open_regular(path), result = fd;

    if (fd < 0)
        goto fail;
    text = malloc(GF_GCFG_SIZE_MAX + 1);
    length = text ? read_all(fd, text, GF_GCFG_SIZE_MAX + 1) : -ENOMEM;
    result = length < 0 ? (int)length : 0;
    close(fd);
    if (result < 0)
        goto fail;
    result = gcfg_parse(path, text, (size_t)length, ret_cfg, error, size);
    free(text);
    return result;
fail:
    free(text);
    snprintf(error, size, "%s: cannot be read: %s", path, explain(result));
    return result;
}

int gcfg_load_found(gcfg **ret_cfg, char *error, size_t size)
{
    char path[PATH_MAX];
    int result = gcfg_find(path, sizeof(path));

    if (!result)
        return gcfg_load(path, ret_cfg, error, size);
    if (result == -ENOENT) {
        *ret_cfg = NULL;
        return 0;
    }
    if (result == -EINVAL)
        snprintf(error, size, "--gf.gcfg.file and --gf.gcfg.path need a value");
    else
        snprintf(error, size, "the configuration that %s names: %s",
                 result == -ENOTDIR ? "--gf.gcfg.path or GF_GCFG_PATH" : "--gf.gcfg.file or GF_GCFG_FILE",
                 strerror(-result));
    return result;
}

/* ---- its tree ---- */

/* The length of the character here, which is at least one byte; 0: it is no UTF-8. */
static size_t character_length(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char mask, lead;
        unsigned least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        unsigned code = (unsigned)(*at & (unsigned char)~forms[i].mask);

        if ((*at & forms[i].mask) != forms[i].lead)
            continue;
        if (i >= left)
            return 0;
        for (size_t j = 1; j <= i; j++) {
            if ((at[j] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (at[j] & 0x3fu);
        }
        return code < forms[i].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : i + 1;
    }
    return 0;
}

static int check_text(struct gf_gcfg_builder *b, const char *text, size_t length)
{
    int line = 1, column = 1;

    if (length > GF_GCFG_SIZE_MAX)
        return gf_gcfg_fail(b, -EFBIG, 1, 1, "longer than %d bytes", GF_GCFG_SIZE_MAX);
    for (size_t at = 0, step; at < length; at += step) {
        step = character_length((const unsigned char *)text + at, length - at);
        if (!step)
            return gf_gcfg_fail(b, -EINVAL, line, column, "this is no UTF-8");
        if (!text[at])
            return gf_gcfg_fail(b, -EINVAL, line, column, "a zero byte");
        if (text[at] == '\n')
            line++;
        column = text[at] == '\n' ? 1 : column + 1;
    }
    return 0;
}

static bool is_json(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && !strcasecmp(dot, ".json");
}

int gcfg_parse(const char *name, const char *text, size_t length, gcfg **ret_cfg, char *error, size_t size)
{
    struct gf_gcfg_builder b = {.path = name, .error = error, .error_size = size};
    gcfg *cfg = calloc(1, sizeof(*cfg));
    char *copy = NULL;
    int result = -ENOMEM;

    if (!cfg || !(cfg->path = strdup(name))) {
        gf_gcfg_fail(&b, result, 1, 1, "no memory");
        goto fail;
    }
    result = check_text(&b, text, length);
    if (result < 0)
        goto fail;
    copy = strndup(text, length); /* for a zero byte behind it */
    if (!copy)
        result = gf_gcfg_fail(&b, -ENOMEM, 1, 1, "no memory");
    else
        result = is_json(name) ? gf_gcfg_read_json(&b, copy, length) : gf_gcfg_read_yaml(&b, copy, length);
    if (!result && !b.root) /* an empty file says nothing, which is no mistake */
        result = gf_gcfg_add(&b, GCFG_MAP, NULL, 0, 1, 1);
    free(copy);
    if (result < 0)
        goto fail;
    cfg->root = b.root;
    *ret_cfg = cfg;
    return 0;
fail:
    free(b.key);
    gf_gcfg_free_nodes(b.root);
    if (cfg)
        free(cfg->path);
    free(cfg);
    return result;
}

void gcfg_free(gcfg *cfg)
{
    if (!cfg)
        return;
    gf_gcfg_free_nodes(cfg->root);
    free(cfg->path);
    free(cfg);
}
