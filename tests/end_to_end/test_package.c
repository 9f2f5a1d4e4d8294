/*
 * The package: a project of its own (tests/consumer) finds the installed gf and embeds files with it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/gproc/gproc.h>

enum {
    /* of one command: a compiler that others keep waiting */
    PATIENCE_MS = 200000,
    OUTPUT_MAX = 1 << 20,
};

static char folder[] = "/tmp/gf-package-XXXXXX";

/* The output of a shell command in the folder, which must succeed. Allocated. */
static char *run(const char *command)
{
    char line[2048], *output = NULL;
    int status = 0, result;

    snprintf(line, sizeof(line), "cd %s && unset SOURCE_DATE_EPOCH DESTDIR && { %s; } 2>&1", folder, command);
    result = gproc_shell_exec(line, &output, OUTPUT_MAX, PATIENCE_MS, &status);
    cr_assert(result == 0 && status == 0, "%s: %d, %d: %s", command, result, status, output ? output : "");
    return output;
}

static void expect(const char *command, const char *wanted)
{
    char *output = run(command);

    cr_expect(eq(str, output, (char *)wanted), "%s", command);
    free(output);
}

static void install(void)
{
    free(run("cmake --install " GF_BUILD " --prefix $PWD/prefix"));
}

static void begin(void)
{
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    free(run("cp -r " GF_REPOSITORY "/tests/consumer consumer && mkdir -p consumer/web/sub consumer/web/.git &&"
             " printf one >consumer/web/a.txt && printf two >consumer/web/sub/b.txt && printf x >consumer/web/.git/x &&"
             " touch -d @1577836800 consumer/web/*.txt consumer/web/sub/*.txt"));
}

static void end(void)
{
    char line[128];

    snprintf(line, sizeof(line), "rm -rf %s", folder);
    cr_assert(zero(int, system(line)));
}

TestSuite(package, .init = begin, .fini = end, .timeout = 280);

Test(package, embeds_files_that_come_change_and_go)
{
    install();
    free(run("cmake -S consumer -B build -DCMAKE_PREFIX_PATH=$PWD/prefix && cmake --build build"));
    expect("./build/consumer", "a.txt 3 1577836800 one\nsub/b.txt 3 1577836800 two\n");
    expect("./build/consumer_static", "a.txt 3 1577836800 one\nsub/b.txt 3 1577836800 two\n");

    free(run("printf other >consumer/web/a.txt && cmake --build build"));
    expect("./build/consumer | cut -d ' ' -f 1,2,4", "a.txt 5 other\nsub/b.txt 3 two\n");

    free(run("printf changed >consumer/web/sub/b.txt && touch -d @1577836801 consumer/web/sub/b.txt &&"
             " printf new >consumer/web/c.txt && touch -d @1577836802 consumer/web/c.txt && rm consumer/web/a.txt &&"
             " cmake --build build"));
    expect("./build/consumer", "c.txt 3 1577836802 new\nsub/b.txt 7 1577836801 changed\n");
}

/* The object has nothing of where and when it was built. */
Test(package, embeds_the_same_bytes_anywhere)
{
    static const char object[] = "CMakeFiles/files.dir/gf_embedded/files/web/web.c.o";
    char line[512];

    install();
    free(run("cp -a consumer another_place && touch -d @1999999999 another_place/web/a.txt consumer/web/a.txt"));
    free(run("export SOURCE_DATE_EPOCH=1600000000 && for i in consumer another_place; do"
             " cmake -S $i -B $i/build -DCMAKE_PREFIX_PATH=$PWD/prefix -DCMAKE_BUILD_TYPE=Debug &&"
             " cmake --build $i/build || exit 1; done"));
    expect("./another_place/build/consumer", "a.txt 3 1600000000 one\nsub/b.txt 3 1577836800 two\n");
    snprintf(line, sizeof(line), "cmp consumer/build/%s another_place/build/%s", object, object);
    expect(line, "");
    snprintf(line, sizeof(line), "grep -a -c %s consumer/build/%s || true", folder, object);
    expect(line, "0\n");
}

/* As a part of a project, where all of gf would be built before: here the last command alone has to do. */
Test(package, embeds_files_in_a_project_that_has_it_as_a_part)
{
    free(run("cmake -G Ninja -S consumer -B build -DGF_SOURCE=" GF_REPOSITORY
             " && ninja -C build -t commands gf_embedded/files/web/web.c | tail -n 1 >command && sh -e command"));
    expect("grep -c -E '\"(a|sub/b).txt\", gf_embedded_web_[01], 3u, 1577836800,' build/gf_embedded/files/web/web.c",
           "2\n");
}

/* A library that was built with it wants its runtime first. */
#ifdef __SANITIZE_ADDRESS__
#define AS_THE_LIBRARY " -fsanitize=address"
#else
#define AS_THE_LIBRARY ""
#endif

Test(package, names_the_places_of_a_program_in_cpp)
{
    if (system("command -v c++ >/dev/null") != 0)
        cr_skip_test("there is no C++ compiler");
    install();
    free(run("export PKG_CONFIG_PATH=$(dirname $(find $PWD/prefix -name gf.pc)) &&"
             " c++" AS_THE_LIBRARY
             " -std=c++14 -Wall -Wextra -Werror $(pkg-config --cflags gf) consumer/places.cpp -o places"
             " $(pkg-config --libs gf) -Wl,-rpath,$(pkg-config --variable=libdir gf)"));
    expect("./places", "/* places.cpp:18\n/lambda places.cpp:19\n/table/first row 1 of the table at places.cpp:20\n"
                       "/table/second row 2 of the table at places.cpp:20\n");
}

Test(package, refuses_what_it_cannot_embed)
{
    install();
    expect("touch 'consumer/web/a;b.txt' && cmake -S consumer -B build -DCMAKE_PREFIX_PATH=$PWD/prefix 2>&1 >output |"
           " tr '\\n' ' ' | grep -c 'cannot  *be  *embedded'",
           "1\n");
}
