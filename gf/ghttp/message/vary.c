#include "vary.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "request.h"

/* Whether a comma list has this word, or "*". */
static bool has_word(const char *list, const char *word)
{
    while (*list) {
        list += strspn(list, ", \t");
        size_t size = strcspn(list, ", \t");
        if (gf_ascii_equal_n(list, size, word) || gf_ascii_equal_n(list, size, "*"))
            return true;
        list += size;
    }
    return false;
}

int gf_vary_add(struct ghttp_request *r, const char *name)
{
    const char *old = gf_fields_find(&r->response.headers, "Vary");
    const char *value = old && *old ? gf_arena_printf(r->arena, "%s, %s", old, name) : name;

    if (old && has_word(old, name))
        return 0;
    return value ? ghttp_response_set_header(r, "Vary", value) : -ENOMEM;
}
