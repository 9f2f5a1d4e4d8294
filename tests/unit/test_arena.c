/* The arena: zeroed and aligned memory, its maximum, what is deferred, and what a reset keeps. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>

static bool is_zero(const unsigned char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (memory[i] != 0)
            return false;
    return true;
}

Test(arena, memory_is_zeroed_aligned_and_apart)
{
    static const size_t sizes[] = {0, 1, 7, 16, 17, 100, 4000, 4096, 5000, 60000, 70000, 1};
    struct gf_arena *arena = gf_arena_new(1 << 20);
    for (int round = 0; round < 3; round++) {
        unsigned char *pieces[sizeof(sizes) / sizeof(*sizes)];
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            pieces[i] = gf_arena_alloc(arena, sizes[i]);
            cr_assert(pieces[i] != NULL, "size %zu in round %d", sizes[i], round);
            cr_expect((uintptr_t)pieces[i] % alignof(max_align_t) == 0);
            cr_expect(is_zero(pieces[i], sizes[i]), "size %zu in round %d", sizes[i], round);
            memset(pieces[i], (int)i + 1, sizes[i]);
        }
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
            for (size_t j = 0; j < sizes[i]; j++)
                cr_assert(pieces[i][j] == i + 1, "piece %zu was written over", i);
        gf_arena_reset(arena);
    }
    gf_arena_free(arena);
    gf_arena_free(NULL);
}

Test(arena, never_holds_more_than_its_maximum)
{
    struct gf_arena *arena = gf_arena_new(100000);
    cr_expect(gf_arena_alloc(arena, 100001) == NULL);
    cr_expect(gf_arena_alloc(arena, SIZE_MAX) == NULL);
    cr_expect(gf_arena_alloc(arena, SIZE_MAX - 8) == NULL);
    size_t got = 0;
    while (gf_arena_alloc(arena, 1000))
        got += 1000;
    cr_expect(got <= 100000 && got > 80000, "got %zu bytes", got);
    gf_arena_reset(arena);
    cr_expect(gf_arena_alloc(arena, 90000) != NULL, "a reset gives the room back");
    gf_arena_free(arena);

    arena = gf_arena_new(64);
    cr_expect(gf_arena_alloc(arena, 64) != NULL);
    cr_expect(gf_arena_alloc(arena, 1) == NULL);
    gf_arena_free(arena);
}

Test(arena, a_reset_keeps_the_first_block)
{
    struct gf_arena *arena = gf_arena_new(1 << 20);
    void *first = gf_arena_alloc(arena, 100);
    cr_assert(gf_arena_alloc(arena, 50000) != NULL);
    gf_arena_reset(arena);
    cr_expect(gf_arena_alloc(arena, 100) == first);
    gf_arena_free(arena);
}

Test(arena, texts_are_copied_and_printed)
{
    struct gf_arena *arena = gf_arena_new(1 << 20);
    cr_expect(strcmp(gf_arena_strdup(arena, "one"), "one") == 0);
    cr_expect(strcmp(gf_arena_strndup(arena, "three", 2), "th") == 0);
    cr_expect(strcmp(gf_arena_strndup(arena, NULL, 0), "") == 0);
    cr_expect(strcmp(gf_arena_printf(arena, "%s-%d", "x", 42), "x-42") == 0);
    char *wide = gf_arena_printf(arena, "%09000d", 7);
    cr_expect(strlen(wide) == 9000 && wide[8999] == '7');
    gf_arena_free(arena);
}

static char order[16];

static void note(void *arg)
{
    strcat(order, arg);
}

static struct gf_arena *deferring;

static void defer_again(void *arg)
{
    note(arg);
    gf_arena_defer(deferring, note, "4");
}

Test(arena, what_is_deferred_runs_last_first_and_once)
{
    deferring = gf_arena_new(1 << 16);
    cr_expect(gf_arena_defer(deferring, note, "1") == 0);
    cr_expect(gf_arena_defer(deferring, defer_again, "2") == 0);
    cr_expect(gf_arena_defer(deferring, note, "3") == 0);
    gf_arena_reset(deferring);
    cr_expect(strcmp(order, "3241") == 0, "ran %s", order);
    gf_arena_defer(deferring, note, "5");
    gf_arena_free(deferring);
    cr_expect(strcmp(order, "32415") == 0, "ran %s", order);

    deferring = gf_arena_new(16);
    gf_arena_alloc(deferring, 16);
    cr_expect(gf_arena_defer(deferring, note, "6") == -ENOMEM);
    gf_arena_free(deferring);
}
