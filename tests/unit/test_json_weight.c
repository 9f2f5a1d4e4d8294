/* What JSON weighs as a tree: not less than the memory that cJSON takes for it, and not much more. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/json_weight.h>
#include <gf/ghttp/message/request.h>

/* A value that turns out to be none, or the text of a number, for the moment in which it is read. */
#define FOR_A_MOMENT 256

static size_t held, most;

/* What the system's allocator takes for it; a sanitizer's says other sizes. */
static size_t cost_of(void *memory)
{
    size_t cost = (malloc_usable_size(memory) + sizeof(size_t) + 15) / 16 * 16;

    return cost > 32 ? cost : 32;
}

static void *take(size_t size)
{
    void *memory = malloc(size);

    held += cost_of(memory);
    most = held > most ? held : most;
    return memory;
}

static void give_back(void *memory)
{
    if (memory)
        held -= cost_of(memory);
    free(memory);
}

/* beginning, then piece as often as it takes to be worth counting, then end. */
static char *make(const char *beginning, const char *piece, const char *end, size_t size)
{
    char *text = malloc(strlen(beginning) + size + strlen(piece) + strlen(end) + 1), *at = text;

    at += sprintf(at, "%s", beginning);
    while ((size_t)(at - text) < size)
        at += sprintf(at, "%s", piece);
    sprintf(at, "%s", end);
    return text;
}

static size_t weigh(const char *text)
{
    size_t low = 0, high = (size_t)1 << 30;

    while (low < high) { /* the least that is enough */
        size_t middle = low + (high - low) / 2;

        if (gf_json_weighs_at_most(text, strlen(text), middle))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static const struct {
    const char *beginning, *piece, *end;
    bool good;
} texts[] = {
    {"[", "0,", "0]", true},
    {"[", "[],", "0]", true},
    {"[", "{},", "0]", true},
    {"[", "\"\",", "0]", true},
    {"{", "\"\":0,", "\"\":0}", true},
    {"{", "\"a\":\"b\",", "\"\":0}", true},
    {"[", "{\"name\":[1,2,\"three\"],\"x\":null}, ", "true]", true},
    {"[", "\"a\\\"b,[]:{}\\\\\",", "-1.5e3]", true},
    {"[\"", "0,[]:", "\"]", true},
    {"\xef\xbb\xbf[", "false ,\r\n\t", "true ]", true},
    {"[", "0,", "::::::::::::::::::::::::::::::::::::::::", false},
    {"[", "0,", "\"", false},
    {"[", "[", "", false},
    {"", ":", "", false},
    {"\"", "\\\"", "\\", false},
};

Test(json_weight, is_at_least_what_the_tree_takes)
{
    cJSON_Hooks hooks = {.malloc_fn = take, .free_fn = give_back};

    cJSON_InitHooks(&hooks);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char *text = make(texts[i].beginning, texts[i].piece, texts[i].end, 100000);
        size_t weight = weigh(text);

        held = most = 0;
        cJSON *json = cJSON_ParseWithLengthOpts(text, strlen(text) + 1, NULL, 1);
        cr_expect(eq(int, json != NULL, texts[i].good), "%zu", i);
        cr_expect(ge(sz, weight + FOR_A_MOMENT, most), "%zu: %zu, not %zu", i, weight, most);
        if (texts[i].good)
            cr_expect(le(sz, weight, most + most / 4), "%zu: %zu, not %zu", i, weight, most);
        cJSON_Delete(json);
        free(text);
    }
    cJSON_InitHooks(NULL);
}

static struct ghttp_request r;
static struct gf_arena *arena;

static bool is_taken(const char *piece, size_t size)
{
    char *text = make("{\"a\":1,\"list\":[", piece, "0]}", size);
    bool taken;

    gf_request_init(&r, arena, (size_t)128 << 20);
    gf_fields_add(&r.headers, arena, "Content-Type", "application/json");
    cr_assert(zero(int, gf_buffer_append(&r.body, text, strlen(text))));
    free(text);
    taken = ghttp_request_json(&r) != NULL;
    cr_expect(eq(int, ghttp_request_is_malformed(&r), !taken));
    cr_expect(eq(int, ghttp_request_get(&r, "a") != NULL, taken));
    gf_request_finish(&r);
    gf_arena_reset(arena);
    return taken;
}

/* 8 MiB of zeros would be 335 MB. */
Test(json_weight, of_a_body_is_bounded)
{
    arena = gf_arena_new(16 << 20);
    cr_expect(is_taken("0,", 1000000));
    cr_expect(is_taken("12345.67,", (size_t)7 << 20));
    cr_expect(not(is_taken("0,", (size_t)8 << 20)));
    cr_expect(not(is_taken("{\"id\":1},", (size_t)8 << 20)));
    cr_expect(
        is_taken("\"a text of some length, as those of people are, and quite a few of these\",", (size_t)8 << 20));
    gf_arena_free(arena);
}

/* cJSON's own bound, so that no stack is used up. */
Test(json_weight, is_not_of_nested_ones_alone)
{
    arena = gf_arena_new(16 << 20);
    gf_request_init(&r, arena, 1 << 20);
    for (int i = 0; i < 1001; i++)
        cr_assert(zero(int, gf_buffer_append(&r.body, "[", 1)));
    for (int i = 0; i < 1001; i++)
        cr_assert(zero(int, gf_buffer_append(&r.body, "]", 1)));
    cr_expect(zero(ptr, ghttp_request_json(&r)));
    gf_request_finish(&r);
    gf_arena_free(arena);
}
