/* The buffer: growth up to the maximum, nothing appended past it, and what a reset keeps. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <gf/ghttp/message/buffer.h>

__attribute__((format(printf, 2, 3))) static int print(struct gf_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int error = gf_buffer_vprintf(buffer, format, arguments);
    va_end(arguments);
    return error;
}

Test(buffer, grows_to_its_maximum_and_not_past_it)
{
    struct gf_buffer buffer;
    gf_buffer_init(&buffer, 3000);
    for (size_t i = 0; i < 3000; i++) {
        char byte = (char)('a' + i % 26);
        cr_assert(gf_buffer_append(&buffer, &byte, 1) == 0);
        cr_assert(buffer.data[buffer.size] == '\0');
    }
    cr_expect(gf_buffer_append(&buffer, "x", 1) == -EMSGSIZE);
    cr_expect(print(&buffer, "%d", 1) == -EMSGSIZE);
    cr_expect(gf_buffer_append(&buffer, "x", SIZE_MAX) == -EMSGSIZE);
    cr_expect(gf_buffer_append(&buffer, "", 0) == 0);
    cr_expect(buffer.size == 3000 && buffer.capacity <= 3001 && strlen(buffer.data) == 3000);
    for (size_t i = 0; i < 3000; i++)
        cr_assert(buffer.data[i] == (char)('a' + i % 26));
    gf_buffer_finish(&buffer);
    cr_expect(buffer.data == NULL && buffer.size == 0);

    gf_buffer_init(&buffer, 0);
    cr_expect(gf_buffer_append(&buffer, "x", 1) == -EMSGSIZE);
    cr_expect(gf_buffer_append(&buffer, "", 0) == 0 && buffer.data[0] == '\0');
    gf_buffer_finish(&buffer);
}

Test(buffer, prints_into_its_room_or_grows)
{
    struct gf_buffer buffer;
    gf_buffer_init(&buffer, 100000);
    size_t expected = 0;
    for (int width = 1; width <= 300; width++) {
        cr_assert(print(&buffer, "%0*d,", width, 7) == 0);
        expected += (size_t)width + 1;
        cr_assert(buffer.size == expected && strlen(buffer.data) == expected && buffer.data[expected - 2] == '7');
    }
    gf_buffer_reset(&buffer, 1 << 20);
    cr_assert(print(&buffer, "%s %d", "a", 5) == 0);
    cr_expect(strcmp(buffer.data, "a 5") == 0);
    size_t before = buffer.size;
    cr_expect(print(&buffer, "%0100000d", 1) == -EMSGSIZE);
    cr_expect(buffer.size == before && strcmp(buffer.data, "a 5") == 0, "a failed append leaves nothing");
    gf_buffer_finish(&buffer);
}

Test(buffer, a_reset_keeps_what_it_may)
{
    struct gf_buffer buffer;
    static char large[10000];
    gf_buffer_init(&buffer, 100000);
    gf_buffer_reset(&buffer, 100);
    cr_expect(buffer.data == NULL);
    gf_buffer_append(&buffer, "abc", 3);
    char *data = buffer.data;
    gf_buffer_reset(&buffer, 4096);
    cr_expect(buffer.data == data && buffer.size == 0 && buffer.data[0] == '\0');
    gf_buffer_append(&buffer, large, sizeof(large));
    gf_buffer_reset(&buffer, 4096);
    cr_expect(buffer.data == NULL && buffer.size == 0 && buffer.capacity == 0);
    gf_buffer_finish(&buffer);
}
