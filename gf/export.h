/**
 * @file export.h
 * What the public headers have in common: which symbols leave the library, and C++ linkage.
 */
#ifndef GF_EXPORT_H
#define GF_EXPORT_H

#ifdef __cplusplus
#define GF_BEGIN_DECLS extern "C" {
#define GF_END_DECLS }
#else
#define GF_BEGIN_DECLS
#define GF_END_DECLS
#endif

/** Marks a function that programs may call; everything else is hidden (-fvisibility=hidden). */
#define GF_API __attribute__((visibility("default")))

/** Lets the compiler check the arguments against the format. */
#define GF_PRINTF(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

#endif
