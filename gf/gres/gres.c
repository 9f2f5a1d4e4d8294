/*
 * Finding files in bundles. Owns: nothing; bundles are constants of the program. Thread: any.
 */
#include "gres.h"

#include <errno.h>
#include <string.h>

size_t gres_seek(const gres_bundle *bundle, const char *text)
{
    size_t first = 0, end = bundle && text ? bundle->count : 0;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (strcmp(bundle->files[middle].path, text) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

const gres_file *gres_find(const gres_bundle *bundle, const char *path)
{
    size_t at;

    if (!bundle || !path)
        return NULL;
    path += strspn(path, "/");
    at = gres_seek(bundle, path);
    return at < bundle->count && !strcmp(bundle->files[at].path, path) ? &bundle->files[at] : NULL;
}

int gres_check(const gres_bundle *bundle)
{
    if (!bundle || bundle->layout != GRES_LAYOUT || (bundle->count && !bundle->files))
        return -EINVAL;
    for (size_t i = 0; i < bundle->count; i++) {
        const gres_file *file = &bundle->files[i];

        if (!file->path || !*file->path || *file->path == '/' || !file->bytes || !file->hash)
            return -EINVAL;
        if (i && strcmp(bundle->files[i - 1].path, file->path) >= 0)
            return -EINVAL;
    }
    return 0;
}
