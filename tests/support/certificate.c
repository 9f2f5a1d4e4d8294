/*
 * Certificates for tests: a self-signed one, made anew at every call, without any command.
 *
 * Owns: nothing but the two files it writes. Thread: any.
 */
#include "tests/support/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int write_all(int fd, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* By rename: a server that reads the file at this moment sees the old or the new one, never half of it. */
static int replace_file(const char *folder, const char *name, const char *ending, const gnutls_datum_t *data)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s.%s", folder, name, ending) >= (int)sizeof(path) ||
        snprintf(fresh, sizeof(fresh), "%s/%s.%s.new", folder, name, ending) >= (int)sizeof(fresh))
        return -ENAMETOOLONG;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = write_all(fd, data->data, data->size);
    if (close(fd) < 0 && result == 0)
        result = -errno;
    if (result == 0 && rename(fresh, path) < 0)
        result = -errno;
    return result;
}

static int name_it(gnutls_x509_crt_t certificate, const char *common_name)
{
    struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;
    struct in_addr loopback4 = {.s_addr = htonl(INADDR_LOOPBACK)};
    int result = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
                                               (unsigned)strlen(common_name));
    if (result >= 0)
        result = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET);
    if (result >= 0)
        result = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, &loopback4, sizeof(loopback4),
                                                      GNUTLS_FSAN_APPEND);
    if (result >= 0)
        result = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, &loopback6, sizeof(loopback6),
                                                      GNUTLS_FSAN_APPEND);
    return result;
}

static int fill_in(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, const char *common_name)
{
    unsigned char serial[16];
    time_t now = time(NULL);
    int result = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] = (serial[0] & 0x7F) | 0x40; /* positive, and always of this length */
    if (result >= 0)
        result = gnutls_x509_crt_set_version(certificate, 3);
    if (result >= 0)
        result = gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial));
    if (result >= 0)
        result = gnutls_x509_crt_set_activation_time(certificate, now - 3600);
    if (result >= 0)
        result = gnutls_x509_crt_set_expiration_time(certificate, now + 86400);
    if (result >= 0)
        result =
            gnutls_x509_crt_set_basic_constraints(certificate, 1, -1); /* so that a client can trust it as its CA */
    if (result >= 0)
        result = name_it(certificate, common_name);
    if (result >= 0)
        result = gnutls_x509_crt_set_key(certificate, key);
    if (result >= 0)
        result = gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0);
    return result;
}

int certificate_make(const char *folder, const char *name, const char *common_name)
{
    gnutls_x509_crt_t certificate = NULL;
    gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t pem_certificate = {0}, pem_key = {0};
    int result = -ENOMEM;
    if (gnutls_x509_crt_init(&certificate) < 0 || gnutls_x509_privkey_init(&key) < 0)
        goto done;
    result = -EIO;
    if (gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) < 0 ||
        fill_in(certificate, key, common_name) < 0 ||
        gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem_certificate) < 0 ||
        gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem_key) < 0)
        goto done;
    result = replace_file(folder, name, "key", &pem_key);
    if (result == 0)
        result = replace_file(folder, name, "crt", &pem_certificate);
done:
    gnutls_free(pem_key.data);
    gnutls_free(pem_certificate.data);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_crt_deinit(certificate);
    return result;
}
