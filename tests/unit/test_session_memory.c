/*
 * Sessions in memory: their bounds, who goes first, several processes at one memory, one that dies at any moment, and
 * memory that another version has made.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gf/ghttp/service/session_id.h>
#include <gf/ghttp/service/session_memory.h>
#include <gf/ghttp/service/session_table.h>
#include <gf/glog/glog.h>

#define START_MS INT64_C(1700000000000)
#define SIZE ((size_t)4 << 20)

static struct gf_session_store *memory;
static char logged[1024], error[512];
static int64_t clock_ms;

static int64_t read_clock(void)
{
    return clock_ms;
}

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(logged, sizeof(logged), "%s", line);
}

static void open_memory(size_t size, uint64_t max_count)
{
    gf_session_store_close(memory);
    memory = NULL;
    cr_assert(gf_session_memory_new(size, max_count, read_clock, &memory, error, sizeof(error)) == 0, "%s", error);
}

static void begin(void)
{
    clock_ms = START_MS;
    glog_set_writer(keep_line, NULL);
    open_memory(SIZE, 1000);
}

static void end(void)
{
    gf_session_store_close(memory);
}

TestSuite(session_memory, .init = begin, .fini = end, .timeout = 60);

/* ---- sessions by number ---- */

struct wanted {
    const char *text;
    int64_t ends_ms;
};

static int give_text(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    const struct wanted *wanted = arg;
    (void)text;
    *ret_text = wanted->text ? strdup(wanted->text) : NULL;
    *ret_ends_ms = wanted->ends_ms;
    return 0;
}

static const char *id_of(unsigned number)
{
    static char ids[4][GF_SESSION_ID_SIZE + 1];
    static unsigned used;
    char *id = ids[used++ % 4];
    snprintf(id, GF_SESSION_ID_SIZE + 1, "%08x%024x", number * 2654435761u, number);
    return id;
}

static int put(struct gf_session_store *store, unsigned number, const char *text)
{
    return store->kind->update(store, NULL, id_of(number), give_text, &(struct wanted){text, clock_ms + 5000});
}

static bool is(struct gf_session_store *store, unsigned number, const char *expected)
{
    char *text;
    int64_t ends_ms;
    if (store->kind->read(store, id_of(number), &text, &ends_ms) < 0)
        return !expected;
    bool same = expected && strcmp(text, expected) == 0;
    free(text);
    return same;
}

static struct gf_session_store *adopt(void)
{
    struct gf_session_store *other = NULL;
    int fd = fcntl(gf_session_memory_fd(memory), F_DUPFD_CLOEXEC, 0);
    cr_assert(gf_session_memory_adopt(fd, read_clock, &other, error, sizeof(error)) == 0, "%s", error);
    return other;
}

/* The test's own look at the memory. */
static struct gf_session_table_head *look(void)
{
    void *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, gf_session_memory_fd(memory), 0);
    cr_assert(at != MAP_FAILED);
    return at;
}

static char *filled(size_t size, char with)
{
    static char text[GF_SESSION_TEXT_MAX + 2];
    memset(text, with, size);
    text[size] = 0;
    return text;
}

/* ---- one process ---- */

Test(session_memory, session_is_there_until_its_time)
{
    cr_expect(is(memory, 1, NULL));
    cr_assert(put(memory, 1, "one") == 0 && put(memory, 1, "two") == 0);
    clock_ms += 4999;
    cr_expect(is(memory, 1, "two"));
    cr_assert(memory->kind->touch(memory, id_of(1), clock_ms + 5000) == 0);
    clock_ms += 4999;
    cr_expect(is(memory, 1, "two"), "a use lets it live longer");
    clock_ms++;
    cr_expect(is(memory, 1, NULL));
    cr_expect(memory->kind->touch(memory, id_of(1), clock_ms + 5000) == -ENOENT, "what has ended stays so");
    cr_expect(memory->kind->update(memory, id_of(1), NULL, give_text, &(struct wanted){"x", clock_ms + 1}) == -ENOENT);
}

Test(session_memory, texts_of_all_sizes_come_back)
{
    static const size_t sizes[] = {0, 1, 247, 248, 249, 496, 497, 100000, GF_SESSION_TEXT_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        cr_expect(put(memory, 7, filled(sizes[i], 'x')) == 0, "%zu", sizes[i]);
        cr_expect(is(memory, 7, filled(sizes[i], 'x')), "%zu", sizes[i]);
    }
    cr_expect(put(memory, 7, filled(GF_SESSION_TEXT_MAX + 1, 'y')) == -E2BIG);
    cr_expect(is(memory, 7, filled(GF_SESSION_TEXT_MAX, 'x')));
}

Test(session_memory, ids_of_other_shapes_are_none)
{
    char *text;
    int64_t ends_ms;
    cr_expect(memory->kind->read(memory, "../x", &text, &ends_ms) == -ENOENT);
    cr_expect(memory->kind->touch(memory, "", clock_ms) == -EINVAL);
    cr_expect(memory->kind->update(memory, NULL, "x", give_text, &(struct wanted){"x", clock_ms + 1}) == -EINVAL);
    cr_expect(memory->kind->update(memory, "x", NULL, give_text, &(struct wanted){"x", clock_ms + 1}) == -EINVAL);
}

Test(session_memory, longest_unused_goes_when_there_are_too_many)
{
    open_memory(SIZE, 3);
    for (unsigned i = 1; i <= 3; i++)
        cr_assert(put(memory, i, "x") == 0);
    cr_expect(is(memory, 1, "x"), "which is a use");
    cr_expect(put(memory, 4, "x") == 0);
    cr_expect(is(memory, 1, "x") && is(memory, 2, NULL) && is(memory, 3, "x") && is(memory, 4, "x"));
    cr_expect(strstr(logged, "is full (sessionMemorySize, sessionMaxCount): 1 that"), "%s", logged);
    logged[0] = 0;
    cr_expect(put(memory, 5, "x") == 0 && is(memory, 1, NULL));
    cr_expect(!logged[0], "once a minute: %s", logged);
}

Test(session_memory, longest_unused_go_when_the_bytes_do_not_do)
{
    unsigned there = 0;
    for (unsigned i = 1; i <= 100; i++) {
        cr_assert(put(memory, i, filled(100000, 'x')) == 0);
        cr_expect(is(memory, i, filled(100000, 'x')));
    }
    for (unsigned i = 1; i <= 100; i++)
        there += is(memory, i, filled(100000, 'x'));
    cr_expect(there >= 35 && there <= 42, "%u of 100,000 bytes in 4 MiB", there);
    cr_expect(is(memory, 60, NULL) && !is(memory, 66, NULL));
    cr_expect(put(memory, 100, filled(GF_SESSION_TEXT_MAX, 'y')) == 0 && put(memory, 99, "small") == 0);
    cr_expect(is(memory, 100, filled(GF_SESSION_TEXT_MAX, 'y')) && is(memory, 99, "small"));
}

Test(session_memory, what_has_ended_is_swept_away)
{
    struct gf_session_table_head *head = look();
    unsigned removed = 0;
    for (unsigned i = 1; i <= 900; i++) {
        const struct wanted wanted = {"x", START_MS + (i % 2 ? 1000 : 1000000)};
        cr_assert(memory->kind->update(memory, NULL, id_of(i), give_text, (void *)&wanted) == 0);
    }
    clock_ms += 2000;
    removed = memory->kind->sweep(memory);
    cr_expect(removed > 0 && removed < 450, "%u at once", removed);
    cr_expect(memory->kind->sweep(memory) == 0, "once a second");
    for (int i = 0; i < 2; i++) {
        clock_ms += 1000;
        removed += memory->kind->sweep(memory);
    }
    cr_expect(removed == 450 && head->used == 450, "%u, %u", removed, head->used);
    cr_expect(is(memory, 2, "x") && is(memory, 1, NULL));
}

/* All that was written is given back: as many free blocks as there were before. */
Test(session_memory, blocks_are_used_again)
{
    struct gf_session_table_head *head = look();
    for (int round = 0; round < 50; round++)
        for (unsigned i = 1; i <= 20; i++)
            cr_assert(put(memory, i, filled((size_t)(round * 977 + (int)i * 61) % 20000, 'x')) == 0);
    for (unsigned i = 1; i <= 20; i++)
        cr_assert(memory->kind->update(memory, id_of(i), NULL, give_text, &(struct wanted){NULL, 0}) == 0);
    cr_expect(head->free_block_count == head->block_high && head->used == 0 && !head->evicted && !head->rebuilt);
}

/* ---- changes at the same time ---- */

struct counter {
    struct gf_session_store *store;
    const char *id;
    int times;
};

static int count_one(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    (void)arg;
    if (asprintf(ret_text, "%ld", strtol(text, NULL, 10) + 1) < 0)
        return -ENOMEM;
    *ret_ends_ms = clock_ms + 5000;
    return 0;
}

static void *count(void *arg)
{
    const struct counter *counter = arg;
    for (int i = 0; i < counter->times; i++)
        if (counter->store->kind->update(counter->store, counter->id, NULL, count_one, NULL) < 0)
            return arg;
    return NULL;
}

Test(session_memory, changes_of_threads_and_processes_are_all_kept)
{
    struct gf_session_store *other;
    struct counter counters[2];
    pthread_t threads[2];
    const char *id = id_of(0); /* before the threads: it is not for several at once */
    void *failed;
    int status;
    cr_assert(put(memory, 0, "0") == 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    other = adopt();
    counters[0] = (struct counter){memory, id, 2000};
    counters[1] = (struct counter){other, id, 2000};
    if (pid == 0)
        _exit(count(&counters[1]) ? 1 : 0);
    for (int i = 0; i < 2; i++)
        cr_assert(pthread_create(&threads[i], NULL, count, &counters[i]) == 0);
    for (int i = 0; i < 2; i++)
        cr_expect(pthread_join(threads[i], &failed) == 0 && !failed);
    cr_expect(waitpid(pid, &status, 0) == pid && status == 0);
    cr_expect(is(memory, 0, "6000"));
    gf_session_store_close(other);
}

/* ---- deaths ---- */

/* Writes, replaces and removes until it is killed; a session's text says which it is, so that none is ever mixed. */
static void work(struct gf_session_store *store)
{
    for (unsigned i = 0;; i++) {
        unsigned number = i * 7919 % 40 + 100;
        if (i % 5 == 4)
            store->kind->update(store, id_of(number), NULL, give_text, &(struct wanted){NULL, 0});
        else
            put(store, number, filled((i * 31 % 40 + 1) * 100, (char)('a' + number % 26)));
    }
}

static void check_all(const char *when)
{
    const struct gf_session_table_head *head = look();
    unsigned there = 0;
    for (unsigned number = 100; number < 140; number++) {
        char *text;
        int64_t ends_ms;
        if (memory->kind->read(memory, id_of(number), &text, &ends_ms) < 0)
            continue;
        there++;
        cr_expect(strlen(text) % 100 == 0 && strspn(text, (char[]){(char)('a' + number % 26), 0}) == strlen(text),
                  "%s: session %u is mixed up", when, number);
        free(text);
    }
    cr_expect(is(memory, 1, "stays"), "%s", when);
    cr_expect(head->used == there + 1, "%s: %u, %u are found", when, head->used, there + 1);
    munmap((void *)head, SIZE);
}

/* Among hundreds of deaths some are in the middle of a change, with the lock held. */
Test(session_memory, process_that_is_killed_in_the_middle_damages_nothing)
{
    struct gf_session_table_head *head = look();
    cr_assert(put(memory, 1, "stays") == 0);
    for (int i = 0; i < 4000 && head->rebuilt < 5; i++) {
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0)
            work(memory);
        for (uint64_t number = head->number; *(volatile uint64_t *)&head->number < number + 50 + (unsigned)i % 97;)
            ;
        kill(pid, SIGKILL);
        cr_assert(waitpid(pid, NULL, 0) == pid);
        check_all("after a death");
    }
    cr_expect(head->rebuilt >= 1, "none has died with the lock");
    for (unsigned number = 100; number < 140; number++)
        memory->kind->update(memory, id_of(number), NULL, give_text, &(struct wanted){NULL, 0});
    cr_expect(head->free_block_count + 1 == head->block_high, "%u of %u", head->free_block_count, head->block_high);
}

Test(session_memory, order_of_use_survives_a_death)
{
    struct gf_session_table_head *head = look();
    open_memory(SIZE, 4);
    head = look();
    for (unsigned i = 1; i <= 4; i++)
        cr_assert(put(memory, i, "x") == 0);
    cr_expect(is(memory, 1, "x"));
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        pthread_mutex_lock(&head->lock);
        head->oldest = head->newest = 0; /* half of something */
        _exit(0);
    }
    cr_assert(waitpid(pid, NULL, 0) == pid);
    cr_expect(put(memory, 5, "x") == 0 && head->rebuilt == 1);
    cr_expect(is(memory, 2, NULL) && is(memory, 1, "x") && is(memory, 3, "x"));
}

/* What a process with a wild pointer may have left: nothing is followed out of the table. */
Test(session_memory, indices_that_lead_nowhere_are_not_followed)
{
    struct gf_session_table_head *head = look();
    for (unsigned seed = 1; seed <= 200; seed++) {
        unsigned char *bytes = (unsigned char *)(head + 1);
        for (unsigned i = 1; i <= 30; i++)
            put(memory, i, filled(i * 100, 'x'));
        srand(seed);
        for (int i = 0; i < 20; i++)
            bytes[(size_t)rand() % (head->bucket_count * 4 + 80 * 32)] ^= (unsigned char)(rand() % 256);
        for (unsigned i = 1; i <= 40; i++) {
            is(memory, i, "x");
            put(memory, i, "again");
            memory->kind->update(memory, id_of(i + 5), NULL, give_text, &(struct wanted){NULL, 0});
        }
    }
    cr_expect(head->rebuilt > 0);
}

/* The slot that was taken for it is among the free after the rebuild, and not the first of them. */
Test(session_memory, slot_of_a_session_that_found_no_room_is_given_out_once)
{
    static _Alignas(64) char room[64 << 10];
    struct gf_session_table table = {.reserve = NULL};
    char *text;
    int64_t ends_ms;
    uint64_t change;
    memset(room, 0, sizeof(room));
    cr_assert(gf_session_table_format(&table, room, sizeof(room), 8) == 0);
    for (unsigned i = 1; i <= 4; i++)
        cr_assert(gf_session_table_write(&table, id_of(i), filled(i == 2 ? 40000 : 1, 'x'), START_MS, START_MS + 1) ==
                  0);
    gf_session_table_remove(&table, id_of(3));
    gf_session_table_remove(&table, id_of(1));
    memset(table.head + 1, 0, table.head->bucket_count * sizeof(uint32_t));
    cr_expect(gf_session_table_write(&table, id_of(5), filled(60000, 'x'), START_MS, START_MS + 1) == -ENOSPC);
    cr_expect(table.head->rebuilt == 1 && table.head->used == 1, "what was not to be found has gone");
    for (unsigned i = 10; i < 15; i++)
        cr_expect(gf_session_table_write(&table, id_of(i), filled(i, 'y'), START_MS, START_MS + 1) == 0);
    for (unsigned i = 10; i < 15; i++) {
        cr_assert(gf_session_table_read(&table, id_of(i), START_MS, &text, &ends_ms, &change) == 0, "%u", i);
        cr_expect(strlen(text) == i, "%u has the text of %zu", i, strlen(text));
        free(text);
    }
}

/* A stopped process that has the lock: an error after a while, not a thread that hangs for ever. */
Test(session_memory, lock_that_is_not_given_back_is_an_error)
{
    struct gf_session_table_head *head = look();
    int ready[2];
    char byte;
    cr_assert(pipe(ready) == 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        pthread_mutex_lock(&head->lock);
        cr_assert(write(ready[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    cr_assert(read(ready[0], &byte, 1) == 1);
    cr_expect(put(memory, 1, "x") == -ETIMEDOUT);
    kill(pid, SIGKILL);
    cr_assert(waitpid(pid, NULL, 0) == pid);
    cr_expect(put(memory, 1, "x") == 0 && is(memory, 1, "x"));
}

/* ---- other memory ---- */

static int try_adopt(int fd)
{
    struct gf_session_store *other = NULL;
    int result = gf_session_memory_adopt(fd, read_clock, &other, error, sizeof(error));
    if (!result)
        gf_session_store_close(other);
    cr_expect(fcntl(fd, F_GETFD) < 0 && errno == EBADF, "it was taken");
    return result;
}

Test(session_memory, only_memory_of_this_layout_is_taken_over)
{
    struct gf_session_table_head *head = look();
    int fd = gf_session_memory_fd(memory);
    cr_expect(try_adopt(dup(fd)) == 0);
    head->layout++;
    cr_expect(try_adopt(dup(fd)) == -EPROTO);
    head->layout--;
    head->block_count *= 2;
    cr_expect(try_adopt(dup(fd)) == -EPROTO, "it would lead out of the memory");
    head->block_count /= 2;
    cr_expect(try_adopt(open("/dev/null", O_RDWR)) == -EPROTO);
    int shrinkable = memfd_create("x", MFD_ALLOW_SEALING);
    cr_assert(ftruncate(shrinkable, (off_t)SIZE) == 0 && pwrite(shrinkable, head, sizeof(*head), 0) > 0);
    cr_expect(try_adopt(shrinkable) == -EPROTO, "it could become smaller under our feet");
    cr_expect(ftruncate(fd, 4096) < 0 && ftruncate(fd, (off_t)SIZE * 2) < 0);
}

Test(session_memory, takes_memory_as_it_needs_it)
{
    gf_session_store_close(memory);
    memory = NULL;
    cr_assert(gf_session_memory_new((size_t)1 << 30, 100000, read_clock, &memory, error, sizeof(error)) == 0);
    char path[64];
    struct stat file;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", gf_session_memory_fd(memory));
    cr_assert(put(memory, 1, "x") == 0 && stat(path, &file) == 0);
    cr_expect(file.st_blocks * 512 < 2 << 20, "%lld bytes for one session", (long long)file.st_blocks * 512);
}
