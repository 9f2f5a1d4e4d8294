/* The spool: bodies that move into a file read as if they were in memory, and nothing of them stays. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gf/ghttp/message/spool.h>

enum { MEMORY = 1000, MAX = 100000 };

static struct gf_spool spool;
static struct gf_buffer body;

static void begin(void)
{
    gf_buffer_init(&body, MAX);
    gf_spool_init(&spool);
}

static void end(void)
{
    gf_spool_finish(&spool, &body);
    gf_buffer_finish(&body);
    cr_expect(spool.fd == -1 && spool.map == NULL && body.data == NULL && body.size == 0);
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static char byte_at(size_t i)
{
    return (char)(i * 31 + i / 251);
}

static void fill(size_t size, size_t piece)
{
    char bytes[5000];
    for (size_t done = 0; done < size;) {
        size_t count = size - done < piece ? size - done : piece;
        for (size_t i = 0; i < count; i++)
            bytes[i] = byte_at(done + i);
        cr_assert(gf_spool_append(&spool, &body, MEMORY, bytes, count) == 0);
        done += count;
    }
}

Test(spool, bodies_of_all_sizes_read_as_they_came)
{
    static const size_t sizes[] = {0, 1, MEMORY - 1, MEMORY, MEMORY + 1, 4095, 4096, 4097, 8191, 8192, 8193, MAX};
    static const size_t pieces[] = {1, 7, 4096, 5000};
    int before = descriptors();
    for (size_t n = 0; n < sizeof(sizes) / sizeof(*sizes) * 4; n++) {
        size_t size = sizes[n / 4];
        begin();
        fill(size, pieces[n % 4]);
        cr_assert(gf_spool_complete(&spool, &body) == 0);
        cr_assert(gf_spool_complete(&spool, &body) == 0, "a second time does nothing");
        cr_assert(body.size == size && (spool.map != NULL) == (size > MEMORY));
        for (size_t i = 0; i < size; i++)
            cr_assert(body.data[i] == byte_at(i), "%zu of %zu", i, size);
        cr_assert(size == 0 || body.data[size] == '\0');
        end();
    }
    cr_expect(descriptors() == before);
}

Test(spool, never_past_the_maximum)
{
    begin();
    fill(MAX, 5000);
    cr_expect(gf_spool_append(&spool, &body, MEMORY, "x", 1) == -EMSGSIZE);
    cr_expect(gf_spool_append(&spool, &body, MEMORY, "x", SIZE_MAX) == -EMSGSIZE);
    cr_expect(body.size == MAX);
    end();
    begin();
    cr_expect(gf_spool_append(&spool, &body, MEMORY, "x", MAX + 1) == -EMSGSIZE);
    cr_expect(spool.fd == -1);
    end();
}

Test(spool, memory_stays_bounded_and_the_file_has_no_name)
{
    char folder[] = "/tmp/gf-spool-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    setenv("TMPDIR", folder, 1);
    begin();
    fill(50000, 999);
    cr_expect(body.capacity == 0 && spool.fd >= 0);
    cr_expect(rmdir(folder) == 0, "the folder is empty");
    end();
}

Test(spool, a_folder_that_is_not_there_is_an_error)
{
    char bytes[2 * MEMORY] = "";
    setenv("TMPDIR", "/nonexistent/folder", 1);
    begin();
    cr_expect(gf_spool_append(&spool, &body, MEMORY, bytes, MEMORY) == 0);
    cr_expect(gf_spool_append(&spool, &body, MEMORY, bytes, 1) == -ENOENT);
    cr_expect(gf_spool_append(&spool, &body, MEMORY, bytes, sizeof(bytes)) == -ENOENT);
    cr_expect(body.size == MEMORY, "nothing was appended");
    end();
    setenv("TMPDIR", "", 1);
    cr_expect(strcmp(gf_spool_folder(), "/tmp") == 0);
}

/* Where a process may make no large files, to write one would end it. */
Test(spool, the_systems_limit_of_files_is_an_error)
{
    struct rlimit limit = {.rlim_cur = 8192, .rlim_max = 8192};
    char piece[1024] = "";
    int error = 0;
    cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    begin();
    for (int i = 0; i < 20 && !error; i++)
        error = gf_spool_append(&spool, &body, MEMORY, piece, sizeof(piece));
    cr_expect(error == -EFBIG);
    cr_expect(body.size == 7168, "room is kept for the 0");
    cr_expect(gf_spool_complete(&spool, &body) == 0);
    end();
}
