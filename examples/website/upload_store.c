/*
 * Files of uploads: see upload_store.h. In the folder "uploads" of the data, <id> has the bytes and <id>.json what is
 * known of them; the second comes last and goes first, so what has one is whole. "incoming" has what is being saved.
 */
#include "upload_store.h"

#include "site.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTION_MAX 4096 /* bytes: a name of 255, a user, numbers, with room for escapes */

/* ---- names ------------------------------------------------------------------------------------ */

static int make_id(char id[UPLOAD_ID_SIZE])
{
    unsigned char bytes[(UPLOAD_ID_SIZE - 1) / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static bool is_id(const char *text)
{
    return strspn(text, "0123456789abcdef") == UPLOAD_ID_SIZE - 1 && !text[UPLOAD_ID_SIZE - 1];
}

void upload_store_path(const char *id, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/uploads/%s", site.data, id);
}

static void incoming_path(const char *id, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/incoming/%s", site.data, id);
}

static void description_path(const char *id, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/uploads/%s.json", site.data, id);
}

int upload_store_open(void)
{
    static const char *const folders[] = {"uploads", "incoming"};
    char path[1024];

    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", site.data, folders[i]);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* ---- what is known of a file ------------------------------------------------------------------ */

/* Written beside its place and moved there: nobody reads half of it. */
static int write_description(const char *id, const char *text)
{
    char path[1024], fresh[1024];
    FILE *file;
    bool written;

    description_path(id, path, sizeof(path));
    snprintf(fresh, sizeof(fresh), "%s/incoming/%s.json", site.data, id);
    file = fopen(fresh, "wex");
    if (!file)
        return -errno;
    written = fputs(text, file) >= 0;
    if (fclose(file) == 0 && written && rename(fresh, path) == 0)
        return 0;
    unlink(fresh);
    return -EIO;
}

static int describe(const struct upload_incoming *upload, const char *user)
{
    cJSON *json = cJSON_CreateObject();
    char *text = NULL;
    int error = -ENOMEM;

    if (cJSON_AddStringToObject(json, "name", upload->name) && cJSON_AddStringToObject(json, "user", user) &&
        cJSON_AddNumberToObject(json, "size", upload->size) && cJSON_AddNumberToObject(json, "at", (double)time(NULL)))
        text = cJSON_PrintUnformatted(json);
    if (text)
        error = write_description(upload->id, text);
    cJSON_free(text);
    cJSON_Delete(json);
    return error;
}

static int read_description(const char *id, char *text, size_t size)
{
    char path[1024];
    FILE *file;

    description_path(id, path, sizeof(path));
    file = fopen(path, "re");
    if (!file)
        return -errno;
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
    return 0;
}

int upload_store_find(const char *id, struct upload_entry *ret_entry)
{
    char text[DESCRIPTION_MAX];
    struct upload_entry entry = {.size = 0};
    const char *name, *user;
    const cJSON *size, *at;
    cJSON *json;
    bool whole;

    if (!is_id(id) || read_description(id, text, sizeof(text)) < 0)
        return -ENOENT;
    json = cJSON_Parse(text);
    name = cJSON_GetStringValue(cJSON_GetObjectItem(json, "name"));
    user = cJSON_GetStringValue(cJSON_GetObjectItem(json, "user"));
    size = cJSON_GetObjectItem(json, "size");
    at = cJSON_GetObjectItem(json, "at");
    whole = name && user && cJSON_IsNumber(size) && cJSON_IsNumber(at);
    if (whole) {
        snprintf(entry.id, sizeof(entry.id), "%s", id);
        snprintf(entry.name, sizeof(entry.name), "%s", name);
        snprintf(entry.user, sizeof(entry.user), "%s", user);
        entry.size = size->valuedouble;
        entry.at = (time_t)at->valuedouble;
        *ret_entry = entry;
    }
    cJSON_Delete(json);
    return whole ? 0 : -ENOENT;
}

/* ---- all of them ------------------------------------------------------------------------------ */

struct list {
    struct upload_entry *items;
    size_t count, room;
};

static void add_to_list(struct list *list, const char *file_name)
{
    char id[UPLOAD_ID_SIZE];
    size_t length = strlen(file_name);

    if (list->count == list->room || length != strlen(".json") + UPLOAD_ID_SIZE - 1)
        return;
    snprintf(id, sizeof(id), "%.*s", UPLOAD_ID_SIZE - 1, file_name);
    if (upload_store_find(id, &list->items[list->count]) == 0)
        list->count++;
}

static int compare(const void *a, const void *b)
{
    const struct upload_entry *left = a, *right = b;

    if (left->at != right->at)
        return left->at < right->at ? 1 : -1;
    return strcmp(left->id, right->id);
}

/* The caller frees list->items. */
static int read_list(struct list *list)
{
    char path[1024];
    struct dirent *entry;
    DIR *folder;

    *list = (struct list){.room = (size_t)site.max_uploads + 16}; /* two processes at once may go beyond it a little */
    list->items = calloc(list->room, sizeof(*list->items));
    if (!list->items)
        return -ENOMEM;
    snprintf(path, sizeof(path), "%s/uploads", site.data);
    folder = opendir(path);
    if (!folder)
        return -errno;
    while ((entry = readdir(folder)))
        add_to_list(list, entry->d_name);
    closedir(folder);
    qsort(list->items, list->count, sizeof(*list->items), compare);
    return 0;
}

int upload_store_each(void (*fn)(const struct upload_entry *entry, void *arg), void *arg)
{
    struct list list;
    int error = read_list(&list);

    for (size_t i = 0; !error && i < list.count; i++)
        fn(&list.items[i], arg);
    free(list.items);
    return error;
}

static int check_room(size_t others)
{
    struct list list;
    int error = read_list(&list);

    if (!error && list.count + others >= (size_t)site.max_uploads)
        error = -ENOSPC;
    free(list.items);
    return error;
}

/* ---- changes ---------------------------------------------------------------------------------- */

int upload_store_begin(struct upload_incoming *upload, const char *name, size_t others)
{
    char path[1024];
    int error = check_room(others);

    if (!error)
        error = make_id(upload->id);
    if (error)
        return error;
    snprintf(upload->name, sizeof(upload->name), "%s", name);
    upload->size = 0;
    incoming_path(upload->id, path, sizeof(path));
    upload->file = fopen(path, "wbxe");
    return upload->file ? 0 : -errno;
}

int upload_store_write(struct upload_incoming *upload, const void *data, size_t size)
{
    upload->size += (double)size;
    return fwrite(data, 1, size, upload->file) == size ? 0 : -errno;
}

int upload_store_end(struct upload_incoming *upload)
{
    int error = fclose(upload->file) == 0 ? 0 : -errno;

    upload->file = NULL;
    return error;
}

int upload_store_keep(struct upload_incoming *upload, const char *user)
{
    char incoming[1024], path[1024];
    int error;

    incoming_path(upload->id, incoming, sizeof(incoming));
    upload_store_path(upload->id, path, sizeof(path));
    if (rename(incoming, path) < 0)
        return -errno;
    error = describe(upload, user);
    if (error)
        unlink(path);
    return error;
}

void upload_store_drop(struct upload_incoming *upload)
{
    char path[1024];

    if (upload->file)
        fclose(upload->file);
    upload->file = NULL;
    incoming_path(upload->id, path, sizeof(path));
    unlink(path);
}

int upload_store_remove(const char *id)
{
    char path[1024], description[1024];

    if (!is_id(id))
        return -ENOENT;
    description_path(id, description, sizeof(description));
    if (unlink(description) < 0)
        return -errno;
    upload_store_path(id, path, sizeof(path));
    unlink(path);
    return 0;
}
