#include "vary.h"

#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"

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

void gf_vary_add(ghttp_request *r, const char *name)
{
    const char *old = gf_fields_find(&r->response.headers, "Vary");
    const char *value = old && *old ? gf_arena_printf(r->arena, "%s, %s", old, name) : name;

    if (old && has_word(old, name))
        return;
    if (!value || ghttp_response_set_header(r, "Vary", value) != 0)
        ghttp_response_fail(r, "its headers leave no room for Vary");
}
