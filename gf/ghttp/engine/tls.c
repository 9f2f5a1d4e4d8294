#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/glog/glog.h>

/* No certificate chain is as large as this. */
#define PEM_MAX (1 << 20)
/* TLS 1.2 and 1.3; what the system's policy disables stays disabled. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct gf_tls {
    char *certificate;
    char *key;
    size_t key_size;
    unsigned char *ticket_key; /* locked into memory: not to be found in swap */
};

static int read_whole(int fd, char *text, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = read(fd, text + done, size - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? -errno : -EIO;
        done += (size_t)got;
    }
    text[size] = 0;
    return 0;
}

static int read_pem(const char *path, char **ret_text, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    char *text = NULL;
    int result;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        result = -errno;
    else if (!S_ISREG(status.st_mode) || !status.st_size || status.st_size > PEM_MAX)
        result = -EINVAL;
    else if (!(text = malloc((size_t)status.st_size + 1)))
        result = -ENOMEM;
    else
        result = read_whole(fd, text, (size_t)status.st_size);
    close(fd);
    if (result < 0) {
        free(text);
        return result;
    }
    *ret_text = text;
    *ret_size = (size_t)status.st_size;
    return 0;
}

/* libmicrohttpd would say no more than that it failed. */
static int check_pair(const struct gf_tls *tls, const char *cert_path, const char *key_path, char *error, size_t size)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t certificate = {(unsigned char *)tls->certificate, (unsigned)strlen(tls->certificate)};
    gnutls_datum_t key = {(unsigned char *)tls->key, (unsigned)tls->key_size};
    int result = gnutls_certificate_allocate_credentials(&credentials);

    if (result < 0)
        return -ENOMEM;
    result = gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (result >= 0)
        return 0;
    snprintf(error, size, "the certificate \"%s\" and the key \"%s\" do not serve: %s", cert_path, key_path,
             gnutls_strerror(result));
    return -EINVAL;
}

/* Not to be found in swap, nor in a core dump. Where the limit of locked memory is 0 it works without, and is said
 * once.
 */
static void guard_memory(void *memory, size_t size)
{
    static atomic_bool said;

    madvise(memory, size, MADV_DONTDUMP); /* a kernel that cannot leaves it as it was */
    if (mlock(memory, size) < 0 && !atomic_exchange(&said, true))
        glog_warning("the key of TLS session tickets cannot be locked into memory, it may come to be in swap: %s",
                     strerror(errno));
}

static int make_ticket_key(struct gf_tls *tls, const unsigned char *inherited)
{
    tls->ticket_key = mmap(NULL, GF_TICKET_KEY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (tls->ticket_key == MAP_FAILED) {
        tls->ticket_key = NULL;
        return -ENOMEM;
    }
    guard_memory(tls->ticket_key, GF_TICKET_KEY_SIZE);
    if (inherited) {
        memcpy(tls->ticket_key, inherited, GF_TICKET_KEY_SIZE);
        return 0;
    }
    return gnutls_rnd(GNUTLS_RND_KEY, tls->ticket_key, GF_TICKET_KEY_SIZE) < 0 ? -EIO : 0;
}

int gf_tls_new(const char *cert_path, const char *key_path, const unsigned char *ticket_key, struct gf_tls **ret_tls,
               char *error, size_t error_size)
{
    struct gf_tls *tls = calloc(1, sizeof(*tls));
    size_t size;
    int result;

    if (!tls) {
        snprintf(error, error_size, "no memory for TLS");
        return -ENOMEM;
    }
    result = read_pem(cert_path, &tls->certificate, &size);
    if (result < 0) {
        snprintf(error, error_size, "cannot read the certificate \"%s\": %s", cert_path, strerror(-result));
        goto fail;
    }
    result = read_pem(key_path, &tls->key, &tls->key_size);
    if (result < 0) {
        snprintf(error, error_size, "cannot read the key \"%s\": %s", key_path, strerror(-result));
        goto fail;
    }
    result = check_pair(tls, cert_path, key_path, error, error_size);
    if (result < 0)
        goto fail;
    result = make_ticket_key(tls, ticket_key);
    if (result < 0) {
        snprintf(error, error_size, "cannot make a key for session tickets: %s", strerror(-result));
        goto fail;
    }
    *ret_tls = tls;
    return 0;
fail:
    gf_tls_free(tls);
    return result;
}

const unsigned char *gf_tls_ticket_key(const struct gf_tls *tls)
{
    return tls->ticket_key;
}

void gf_tls_free(struct gf_tls *tls)
{
    if (!tls)
        return;
    if (tls->ticket_key) {
        explicit_bzero(tls->ticket_key, GF_TICKET_KEY_SIZE);
        munmap(tls->ticket_key, GF_TICKET_KEY_SIZE);
    }
    if (tls->key) {
        explicit_bzero(tls->key, tls->key_size);
        free(tls->key);
    }
    free(tls->certificate);
    free(tls);
}

void gf_tls_options(const struct gf_tls *tls, struct MHD_OptionItem *options)
{
    options[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, tls->certificate};
    options[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key};
    options[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)PRIORITIES};
    options[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

void gf_tls_begin(struct gf_tls *tls, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    gnutls_datum_t key = {tls->ticket_key, GF_TICKET_KEY_SIZE};

    if (info)
        gnutls_session_ticket_enable_server(info->tls_session, &key);
}

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info ? info->tls_session : NULL;
}

/* The numbers of records begin anew with the keys that follow the handshake: in TLS 1.3 behind its last message, before
 * that in front of it. */
uint64_t gf_tls_records(struct MHD_Connection *mhd)
{
    gnutls_session_t session = session_of(mhd);
    unsigned char number[8];
    uint64_t count = 0;

    if (!session || gnutls_handshake_get_last_in(session) < GNUTLS_HANDSHAKE_FINISHED ||
        gnutls_record_get_state(session, 1, NULL, NULL, NULL, number) < 0)
        return 0;
    for (size_t i = 0; i < sizeof(number); i++)
        count = count << 8 | number[i];
    return count && gnutls_protocol_get_version(session) < GNUTLS_TLS1_3 ? count - 1 : count;
}

bool gf_tls_has_pending(struct MHD_Connection *mhd)
{
    gnutls_session_t session = session_of(mhd);

    return session && gnutls_record_check_pending(session);
}
