/*
 * Prints what is embedded, a line for each file: path, size, time, text. A server takes it too.
 */
#include <gf/gf.h>
#include <stdio.h>

#include "files.h"

int main(void)
{
    const gres_bundle *bundle = embedded_files();

    if (ghttp_server_add_resources(g_server(NULL), "/", bundle) < 0)
        return 1;
    for (size_t i = 0; i < bundle->count; i++) {
        const gres_file *file = &bundle->files[i];

        printf("%s %zu %jd %s\n", file->path, file->size, (intmax_t)file->modified, (const char *)file->bytes);
    }
    return 0;
}
