/*
 * RFC 3629: no form that is longer than it has to be, no surrogate, nothing above U+10FFFF. The server's own rule is the same
 * (pg_utf8_islegal, all majors).
 */
#include "utf8.h"

#include <stdint.h>

size_t encoding_character(const char *at)
{
    const unsigned char *text = (const unsigned char *)at;
    size_t more = text[0] < 0x80 ? 0 : text[0] < 0xc2 ? 9 : text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
    uint32_t code = more == 0 ? text[0] : text[0] & (0x3f >> more);
    if (more > 3 || text[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3f);
    }
    bool too_long = (more == 2 && code < 0x800) || (more == 3 && (code < 0x10000 || code > 0x10ffff));
    return too_long || (code >= 0xd800 && code < 0xe000) ? 0 : more + 1;
}

bool encoding_is_utf8(const char *text)
{
    for (size_t size; *text != '\0'; text += size) {
        size = encoding_character(text);
        if (size == 0) {
            return false;
        }
    }
    return true;
}
