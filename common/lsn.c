/*
 * The text form is two hexadecimal halves of at most eight digits each, as pg_lsn takes it; nothing around
 * them.
 */
#include "lsn.h"

#include <inttypes.h>
#include <stdio.h>

char *lsn_format(Lsn lsn, char out[LSN_TEXT_SIZE])
{
    snprintf(out, LSN_TEXT_SIZE, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads one half; returns where it ends, or NULL when it has no digit or too many. */
static const char *parse_half(const char *text, uint32_t *out)
{
    const char *at = text;
    *out = 0;
    for (int digit; (digit = hex_digit(*at)) >= 0; at++) {
        *out = *out << 4 | (uint32_t)digit;
    }
    return at > text && at - text <= 8 ? at : NULL;
}

bool lsn_parse(const char *text, Lsn *out)
{
    uint32_t high;
    uint32_t low;
    const char *at = text != NULL ? parse_half(text, &high) : NULL;
    if (at == NULL || *at != '/') {
        return false;
    }
    at = parse_half(at + 1, &low);
    if (at == NULL || *at != '\0') {
        return false;
    }
    *out = (Lsn)high << 32 | low;
    return true;
}

#define PAGE_SIZE 8192u         /* XLOG_BLCKSZ as it is built by default; a larger one is a multiple of it */
#define SEGMENT_SIZE (1u << 20) /* the smallest there is; the others are multiples of it */
#define PAGE_HEADER 24u
#define SEGMENT_HEADER 40u

Lsn lsn_end_before(Lsn lsn)
{
    return lsn % PAGE_SIZE == PAGE_HEADER         ? lsn - PAGE_HEADER
           : lsn % SEGMENT_SIZE == SEGMENT_HEADER ? lsn - SEGMENT_HEADER
                                                  : lsn;
}
