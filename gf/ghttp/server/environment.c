#include "environment.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "configuration.h"
#include "registry.h"
#include "setting_keys.h"

#define PREFIX "GF_SERVER_"
#define KEY_MAX 256

/* A variable, by what is behind the prefix. */
struct variable {
    const char *text;
    size_t length;
    const char *value;
};

/* ---- names ---- */

/* Letters and digits in lower case, nothing else: a variable's name can hold no more. false: too long. */
static bool fold(const char *text, size_t length, char *folded, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)text[i]))
            continue;
        if (used + 1 >= size)
            return false;
        folded[used++] = (char)tolower((unsigned char)text[i]);
    }
    folded[used] = 0;
    return true;
}

/* The key in a variable of the server of this name, "" for one of all servers. false: it is none of those. */
static bool find_key(const struct variable *v, const char *name, char *key)
{
    char folded[KEY_MAX];
    size_t length;

    if (!fold(v->text, v->length, key, KEY_MAX) || !fold(name, strlen(name), folded, sizeof(folded)))
        return false;
    length = strlen(folded);
    if (strncmp(key, folded, length) != 0)
        return false;
    memmove(key, key + length, strlen(key + length) + 1);
    return true;
}

/* Whether it begins with a server's name and an underscore; how many bytes that are, else 0. */
static size_t skip_name(const struct variable *v, const char *name)
{
    char folded[KEY_MAX], begin[KEY_MAX];

    if (!fold(name, strlen(name), folded, sizeof(folded)) || !*folded)
        return 0;
    for (size_t i = 1; i + 1 < v->length; i++)
        if (v->text[i] == '_' && fold(v->text, i, begin, sizeof(begin)) && !strcmp(begin, folded))
            return i + 1;
    return 0;
}

static bool is_upper(const char *variable, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (islower((unsigned char)variable[i]))
            return false;
    return true;
}

/* These are how a restart passes things on, and never settings. */
static bool is_reserved(const struct variable *v)
{
    static const char *const words[] = {"RELOAD", "KEEPER", "STATE"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strlen(words[i]) == v->length && !memcmp(v->text, words[i], v->length))
            return true;
    return false;
}

/* The next one that can name a setting, from *entry on; false: there is none. */
static bool next_variable(char ***entry, struct variable *v)
{
    for (; *entry && **entry; ++*entry) {
        v->text = **entry + sizeof(PREFIX) - 1;
        if (strncmp(**entry, PREFIX, sizeof(PREFIX) - 1) != 0)
            continue;
        v->length = strcspn(v->text, "=");
        v->value = v->text + v->length + 1;
        if (!v->text[v->length] || is_reserved(v) || !is_upper(v->text, v->length))
            continue;
        ++*entry;
        return true;
    }
    return false;
}

/* ---- settings ---- */

static int read_variables(ghttp_server *s, const char *name, char *error, size_t size)
{
    char **entry = environ;
    struct variable v;

    while (next_variable(&entry, &v)) {
        char key[KEY_MAX], why[GF_SERVER_ERROR_MAX];
        int result;

        if (!find_key(&v, name, key) || !gf_settings_find(key))
            continue;
        result = gf_configuration_offer(s, key, v.value, why, sizeof(why));
        if (result < 0) {
            snprintf(error, size, "environment variable %s%.*s: %s", PREFIX, (int)v.length, v.text, why);
            return result;
        }
    }
    return 0;
}

/* ---- what is none ---- */

/* Kubernetes has such ones for each service in reach, and one may be called gf-server. */
static bool is_orchestrators(const struct variable *v)
{
    static const char *const schemes[] = {"tcp://", "udp://", "sctp://"};
    static const char *const words[] = {"SERVICE_HOST", "SERVICE_PORT"};
    const char *port = memmem(v->text, v->length, "PORT_", 5);

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (memmem(v->text, v->length, words[i], strlen(words[i])))
            return true;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
        if (!strncmp(v->value, schemes[i], strlen(schemes[i])))
            return true;
    return port && isdigit((unsigned char)port[5]);
}

/* The server is perhaps yet to come, or of another program. */
static bool is_setting_of_another(const struct variable *v, const ghttp_server *s)
{
    for (const ghttp_server *other = gf_registry_first(); other; other = gf_registry_next(other))
        if (other != s && skip_name(v, other->name))
            return true;
    for (size_t i = 1; i + 1 < v->length; i++) {
        char key[KEY_MAX];

        if (v->text[i] == '_' && fold(v->text + i + 1, v->length - i - 1, key, sizeof(key)) &&
            (gf_settings_find(key) || gf_setting_refusal(key)))
            return true;
    }
    return false;
}

static void warn(const ghttp_server *s, const struct variable *v, const char *reason)
{
    glog_warning("server \"%s\": environment variable %s%.*s: %s", s->name, PREFIX, (int)v->length, v->text, reason);
}

/* skip: of the server's name in front. */
static void warn_unknown(const ghttp_server *s, const struct variable *v, size_t skip)
{
    char key[KEY_MAX], text[GF_SERVER_ERROR_MAX];

    snprintf(key, sizeof(key), "%.*s", (int)(v->length - skip), v->text + skip);
    gf_setting_explain_unknown(key, text, sizeof(text));
    warn(s, v, text);
}

/* false: it names a setting of all servers, or of this one; or one that is refused, which was said. */
static bool is_unknown(const ghttp_server *s, const struct variable *v, bool of_all)
{
    const char *const names[] = {"", s->name};
    char key[KEY_MAX];

    for (size_t i = 0; i < 2; i++) {
        const char *reason = find_key(v, names[i], key) ? gf_setting_refusal(key) : NULL;

        if (reason && (i || of_all) && !gf_setting_is_off(v->value))
            warn(s, v, reason);
        if (reason || (find_key(v, names[i], key) && gf_settings_find(key)))
            return false;
    }
    return true;
}

/* The first server tells of what is no single server's. */
static void tell_unknown(const ghttp_server *s)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    bool of_all = !atomic_flag_test_and_set(&told);
    char **entry = environ;
    struct variable v;

    while (next_variable(&entry, &v)) {
        size_t own = skip_name(&v, s->name);

        if (!is_unknown(s, &v, of_all) || is_orchestrators(&v))
            continue;
        if (own || (of_all && !is_setting_of_another(&v, s)))
            warn_unknown(s, &v, own);
    }
}

int gf_environment_read(ghttp_server *s, char *error, size_t size)
{
    int result = read_variables(s, "", error, size);

    if (!result)
        result = read_variables(s, s->name, error, size);
    if (!result)
        tell_unknown(s);
    return result;
}
