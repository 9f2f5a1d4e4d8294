/*
 * The compiled patterns. They are part of the program's text, so there are few, and they are kept until it ends.
 *
 * Owns: the list, which only grows; what is in it does not change, so it is read without the lock. Thread: any.
 */
#include "patterns.h"

#include <errno.h>
#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A program that makes patterns from what clients send would otherwise grow for ever. */
#define PATTERNS_MAX 1000
/* The C library's matcher takes many times a text's size in memory. */
#define TEXT_MAX ((size_t)65536)

struct pattern {
    struct pattern *next;
    regex_t compiled;
    char text[];
};

static _Atomic(struct pattern *) patterns;
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static int count; /* under the lock */

static struct pattern *find(const char *text)
{
    struct pattern *pattern = atomic_load_explicit(&patterns, memory_order_acquire);
    while (pattern && strcmp(pattern->text, text) != 0)
        pattern = pattern->next;
    return pattern;
}

/* With the lock. */
static int add(const char *text, struct pattern **ret_pattern)
{
    size_t size = strlen(text) + 1;
    if (count >= PATTERNS_MAX)
        return -ENOSPC;
    struct pattern *pattern = malloc(sizeof(*pattern) + size);
    if (!pattern)
        return -ENOMEM;
    memcpy(pattern->text, text, size);
    int result = regcomp(&pattern->compiled, text, REG_EXTENDED | REG_NOSUB);
    if (result) {
        free(pattern);
        return result == REG_ESPACE ? -ENOMEM : -EINVAL;
    }
    pattern->next = atomic_load_explicit(&patterns, memory_order_relaxed);
    atomic_store_explicit(&patterns, pattern, memory_order_release);
    count++;
    *ret_pattern = pattern;
    return 0;
}

int gf_pattern_match(const char *pattern, const char *text, bool *ret_match)
{
    struct pattern *compiled = find(pattern);
    if (!compiled) {
        pthread_mutex_lock(&adding);
        compiled = find(pattern);
        int error = compiled ? 0 : add(pattern, &compiled);
        pthread_mutex_unlock(&adding);
        if (error)
            return error;
    }
    *ret_match = strnlen(text, TEXT_MAX + 1) <= TEXT_MAX && regexec(&compiled->compiled, text, 0, NULL, 0) == 0;
    return 0;
}
