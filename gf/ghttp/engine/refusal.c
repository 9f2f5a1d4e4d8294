#include "refusal.h"

#include <string.h>

#define REFUSAL(status_line, more, body, length)                                                                       \
    "HTTP/1.1 " status_line "\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n" more                \
    "Content-Length: " length "\r\n\r\n" body

static const struct {
    int status;
    const char *text;
} refusals[] = {
    {400, REFUSAL("400 Bad Request", "", "Bad Request", "11")},
    {408, REFUSAL("408 Request Timeout", "", "Request Timeout", "15")},
    {413, REFUSAL("413 Content Too Large", "", "Content Too Large", "17")},
    {414, REFUSAL("414 URI Too Long", "", "URI Too Long", "12")},
    {431, REFUSAL("431 Request Header Fields Too Large", "", "Request Header Fields Too Large", "31")},
    {507, REFUSAL("507 Insufficient Storage", "", "Insufficient Storage", "20")},
    {503, REFUSAL("503 Service Unavailable", "Retry-After: 1\r\n", "Service Unavailable", "19")},
};

const char *gf_refusal_text(int status, size_t *ret_size)
{
    size_t last = sizeof(refusals) / sizeof(*refusals) - 1;
    size_t i = 0;

    while (i < last && refusals[i].status != status)
        i++;
    *ret_size = strlen(refusals[i].text);
    return refusals[i].text;
}
