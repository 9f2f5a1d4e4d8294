/*
 * An id for each request, by which its traces in several logs find together.
 */
#include <string.h>
#include <sys/random.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"

#define ID_KEY "ghttp_request_id"
#define HEADER "X-Request-Id"
#define GIVEN_SIZE_MAX ((size_t)128)
#define RANDOM_SIZE 16

const char *ghttp_request_id(const ghttp_request *r)
{
    return ghttp_request_value(r, ID_KEY);
}

/* It goes into logs and headers of ours: nothing but what is harmless there. */
static bool is_sane(const char *id)
{
    size_t size = strnlen(id, GIVEN_SIZE_MAX + 1);

    for (size_t i = 0; i < size; i++)
        if (!gf_ascii_is_letter(id[i]) && !gf_ascii_is_digit(id[i]) && !strchr("._-", id[i]))
            return false;
    return size > 0 && size <= GIVEN_SIZE_MAX;
}

/* NULL: no memory, or no randomness. */
static char *make_id(struct gf_arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[RANDOM_SIZE];
    char *id = gf_arena_alloc(arena, 2 * RANDOM_SIZE + 1);

    if (!id || getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return NULL;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        id[2 * i] = digits[bytes[i] >> 4];
        id[2 * i + 1] = digits[bytes[i] & 15];
    }
    return id;
}

void ghttp_middleware_request_id(ghttp_request *r)
{
    const char *given = ghttp_request_header(r, HEADER);
    char *id = given && is_sane(given) ? gf_arena_strdup(r->arena, given) : make_id(r->arena);

    /* A request without an id is better than none. */
    if (id && ghttp_request_set_value(r, ID_KEY, id) == 0)
        ghttp_response_set_header(r, HEADER, id);
    ghttp_request_next(r);
}
