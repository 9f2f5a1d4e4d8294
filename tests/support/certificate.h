/*
 * Certificates for tests: a self-signed one, made anew at every call, without any command.
 *
 * Owns: nothing but the two files it writes. Thread: any.
 */
#ifndef GF_TESTS_SUPPORT_CERTIFICATE_H
#define GF_TESTS_SUPPORT_CERTIFICATE_H

/*
 * Writes <folder>/<name>.crt and <folder>/<name>.key (PEM, ECDSA P-256, valid for a day from an hour ago, for
 * localhost, 127.0.0.1 and ::1) with this common name. Both files are replaced by rename, and no two calls give
 * the same serial number or key. 0 or a negative errno.
 */
int certificate_make(const char *folder, const char *name, const char *common_name);

#endif
