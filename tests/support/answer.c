/*
 * An HTTP/1.1 response taken from bytes as they come: see answer.h.
 */
#include "tests/support/answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    HEAD_MAX = 64 << 10,  /* chunk framing lines count too: they share the buffer's bound */
    BODY_MAX = 256 << 20, /* the largest download a test makes, with room */
    LINE_MAX_SIZE = 1024, /* a chunk's size line or a trailer */
};

enum framing { IN_HEAD, BY_LENGTH, UNTIL_END, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

static int append(char **buffer, size_t *used, size_t *capacity, const char *data, size_t size, size_t max)
{
    if (size > max - *used)
        return -EMSGSIZE;
    if (*used + size + 1 > *capacity) {
        size_t wanted = (*used + size + 1) * 2;
        char *grown = realloc(*buffer, wanted);
        if (!grown)
            return -ENOMEM;
        *buffer = grown;
        *capacity = wanted;
    }
    memcpy(*buffer + *used, data, size);
    *used += size;
    (*buffer)[*used] = 0;
    return 0;
}

void answer_begin(struct answer *a, bool no_body)
{
    struct answer kept = {.head = a->head,
                          .head_capacity = a->head_capacity,
                          .body = a->body,
                          .body_capacity = a->body_capacity,
                          .no_body = no_body};
    *a = kept;
    append(&a->head, &a->head_size, &a->head_capacity, "", 0, HEAD_MAX);
    append(&a->body, &a->body_size, &a->body_capacity, "", 0, BODY_MAX);
}

void answer_finish(struct answer *a)
{
    free(a->head);
    free(a->body);
    memset(a, 0, sizeof(*a));
}

/* ---- the head -------------------------------------------------------------------------------------------------- */

/* The value of the n-th header of this name: its beginning and size; NULL: none. */
static const char *find_header(const struct answer *a, const char *name, int n, size_t *size)
{
    size_t length = strlen(name);
    const char *line = a->head ? strstr(a->head, "\r\n") : NULL;
    while (line && line[2]) {
        line += 2;
        const char *end = strstr(line, "\r\n");
        if (!end)
            break;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':' && n-- == 0) {
            const char *value = line + length + 1;
            while (value < end && (*value == ' ' || *value == '\t'))
                value++;
            while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
            *size = (size_t)(end - value);
            return value;
        }
        line = end;
    }
    return NULL;
}

char *answer_header(const struct answer *a, const char *name)
{
    size_t size;
    const char *value = find_header(a, name, 0, &size);
    return value ? strndup(value, size) : NULL;
}

int answer_header_count(const struct answer *a, const char *name)
{
    size_t size;
    int n = 0;
    while (find_header(a, name, n, &size))
        n++;
    return n;
}

static bool header_is(const struct answer *a, const char *name, const char *wanted)
{
    size_t size;
    const char *value = find_header(a, name, 0, &size);
    return value && size == strlen(wanted) && strncasecmp(value, wanted, size) == 0;
}

static int parse_length(const struct answer *a, size_t *length)
{
    size_t size;
    const char *value = find_header(a, "Content-Length", 0, &size);
    char *end;
    if (!value)
        return -ENOENT;
    if (answer_header_count(a, "Content-Length") > 1 || size == 0 || !isdigit((unsigned char)*value))
        return -EPROTO;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (errno || end != value + size)
        return -EPROTO;
    *length = (size_t)number;
    return 0;
}

/* The head is complete: what follows it? */
static int begin_body(struct answer *a)
{
    const char *line = a->head;
    if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        !isdigit((unsigned char)line[9]) || !isdigit((unsigned char)line[10]) || !isdigit((unsigned char)line[11]) ||
        (line[12] != ' ' && line[12] != '\r'))
        return -EPROTO;
    a->status = atoi(line + 9);
    a->keep_alive = line[7] == '1' ? !header_is(a, "Connection", "close") : header_is(a, "Connection", "keep-alive");
    if (a->status >= 100 && a->status < 200 && a->status != 101) {
        a->head_size = 0; /* an interim response: the real one follows */
        a->head[0] = 0;
        return 0;
    }
    bool chunked = header_is(a, "Transfer-Encoding", "chunked");
    int error = parse_length(a, &a->body_left);
    if (error == -EPROTO || (chunked && error == 0))
        return -EPROTO;
    if (a->no_body || a->status == 204 || a->status == 304 || a->status == 101)
        a->complete = true;
    else if (chunked)
        a->framing = CHUNK_SIZE;
    else if (error == 0) {
        a->framing = BY_LENGTH;
        a->complete = a->body_left == 0;
    } else {
        a->framing = UNTIL_END;
        a->keep_alive = false;
    }
    return 0;
}

static ssize_t feed_head(struct answer *a, const char *data, size_t size)
{
    size_t before = a->head_size, from = before > 3 ? before - 3 : 0;
    if (size > HEAD_MAX - before)
        size = HEAD_MAX - before;
    if (size == 0)
        return -EMSGSIZE;
    int error = append(&a->head, &a->head_size, &a->head_capacity, data, size, HEAD_MAX);
    if (error < 0)
        return error;
    const char *end = memmem(a->head + from, a->head_size - from, "\r\n\r\n", 4);
    if (!end)
        return (ssize_t)size;
    size_t taken = (size_t)(end - a->head) + 4 - before;
    a->head_size = (size_t)(end - a->head) + 2;
    a->head[a->head_size] = 0;
    if (memchr(a->head, 0, a->head_size))
        return -EPROTO;
    error = begin_body(a);
    return error < 0 ? error : (ssize_t)taken;
}

/* ---- the body -------------------------------------------------------------------------------------------------- */

static ssize_t feed_data(struct answer *a, const char *data, size_t size)
{
    if (a->framing != UNTIL_END && size > a->body_left)
        size = a->body_left;
    int error = append(&a->body, &a->body_size, &a->body_capacity, data, size, BODY_MAX);
    if (error < 0)
        return error;
    if (a->framing != UNTIL_END)
        a->body_left -= size;
    if (a->framing == BY_LENGTH && a->body_left == 0)
        a->complete = true;
    if (a->framing == CHUNK_DATA && a->body_left == 0)
        a->framing = CHUNK_END;
    return (ssize_t)size;
}

/* One whole line of chunk framing; lies after the head until it is understood. */
static int take_line(struct answer *a, const char *line)
{
    char *end;
    switch ((enum framing)a->framing) {
    case CHUNK_SIZE:
        if (!isxdigit((unsigned char)*line))
            return -EPROTO;
        errno = 0;
        a->body_left = strtoul(line, &end, 16);
        if (errno || (*end != '\r' && *end != ';'))
            return -EPROTO;
        a->framing = a->body_left ? CHUNK_DATA : TRAILER;
        return 0;
    case CHUNK_END:
        a->framing = CHUNK_SIZE;
        return strcmp(line, "\r\n") == 0 ? 0 : -EPROTO;
    default:
        a->complete = strcmp(line, "\r\n") == 0;
        return 0;
    }
}

static ssize_t feed_line(struct answer *a, const char *data, size_t size)
{
    /* The unfinished line is kept in the head's buffer behind the head, whose size says where it begins. */
    size_t used = a->head_size + 1 + strlen(a->head + a->head_size + 1);
    const char *feed = memchr(data, '\n', size);
    size_t taken = feed ? (size_t)(feed - data) + 1 : size;
    if (used - a->head_size - 1 + taken > LINE_MAX_SIZE || memchr(data, 0, taken))
        return -EPROTO;
    int error = append(&a->head, &used, &a->head_capacity, data, taken, HEAD_MAX + LINE_MAX_SIZE + 2);
    if (error < 0)
        return error;
    if (feed) {
        char *line = a->head + a->head_size + 1;
        error = used >= 2 && a->head[used - 2] == '\r' ? take_line(a, line) : -EPROTO;
        line[0] = 0;
    }
    return error < 0 ? error : (ssize_t)taken;
}

/* The line buffer begins empty, which needs a second terminator behind the head. */
static int prepare_lines(struct answer *a)
{
    size_t used = a->head_size;
    int error = append(&a->head, &used, &a->head_capacity, "\0", 2, HEAD_MAX + 2);
    return error;
}

ssize_t answer_feed(struct answer *a, const char *data, size_t size)
{
    size_t taken = 0;
    while (taken < size && !a->complete) {
        ssize_t n;
        if (a->framing == IN_HEAD) {
            n = feed_head(a, data + taken, size - taken);
            if (n >= 0 && a->framing == CHUNK_SIZE && prepare_lines(a) < 0)
                return -ENOMEM;
        } else if (a->framing == BY_LENGTH || a->framing == UNTIL_END || a->framing == CHUNK_DATA) {
            n = feed_data(a, data + taken, size - taken);
        } else {
            n = feed_line(a, data + taken, size - taken);
        }
        if (n < 0)
            return n;
        taken += (size_t)n;
        a->received += (size_t)n;
    }
    return (ssize_t)taken;
}

int answer_end(struct answer *a)
{
    if (a->framing == UNTIL_END)
        a->complete = true;
    return a->complete ? 0 : -ENODATA;
}
