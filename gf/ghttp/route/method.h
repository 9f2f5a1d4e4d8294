/*
 * Methods: names to bits and back. The one list of those that routes can be bound to.
 */
#ifndef GF_GHTTP_ROUTE_METHOD_H
#define GF_GHTTP_ROUTE_METHOD_H

#include <stddef.h>

/* GF_METHOD_… is a bit each; the order is that of an Allow header. */
#define GF_METHODS(X)                                                                                                  \
    X(GET)                                                                                                             \
    X(HEAD)                                                                                                            \
    X(POST)                                                                                                            \
    X(PUT)                                                                                                             \
    X(PATCH)                                                                                                           \
    X(DELETE)                                                                                                          \
    X(OPTIONS)                                                                                                         \
    X(CONNECT)                                                                                                         \
    X(TRACE)

enum gf_method_index {
#define GF_METHOD_INDEX(name) GF_METHOD_INDEX_##name,
    GF_METHODS(GF_METHOD_INDEX)
#undef GF_METHOD_INDEX
        GF_METHOD_COUNT
};

enum gf_method {
#define GF_METHOD_BIT(name) GF_METHOD_##name = 1 << GF_METHOD_INDEX_##name,
    GF_METHODS(GF_METHOD_BIT)
#undef GF_METHOD_BIT
        GF_METHOD_ALL = (1 << GF_METHOD_COUNT) - 1
};

/* The text of an Allow header with all methods fits. */
#define GF_METHODS_TEXT_SIZE 80

/* The bit of a request's method, compared with case as HTTP does; 0 for another word. */
unsigned gf_method_bit(const char *method);
/* The bits of a pattern's method, size bytes without regard to case, "ALL" too; 0 for another word. */
unsigned gf_method_bits_named(const char *name, size_t size);
/* "GET", or "ALL" for all bits. */
const char *gf_method_name(unsigned bits);
/* "GET, HEAD, POST" for bits, into text. */
void gf_methods_format(unsigned bits, char text[GF_METHODS_TEXT_SIZE]);

#endif
