/*
 * Numbers of statuses to their texts. Thread: any.
 */
#include "status.h"

#include <stddef.h>

const char *gf_status_text(int status)
{
    switch (status) {
#define GF_STATUS_CASE(number, text)                                                                                   \
    case number:                                                                                                       \
        return text;
        GF_STATUSES(GF_STATUS_CASE)
#undef GF_STATUS_CASE
    default:
        return NULL;
    }
}

bool gf_status_is_bodyless(int status)
{
    return status == 204 || status == 205 || status == 304;
}
