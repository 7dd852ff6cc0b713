/*
 * A text that is valid UTF-8 is taken for that: text of another encoding with characters beyond ASCII hardly ever is. So it does
 * not have to be known of each message which of the servers' sessions it comes from.
 *
 * The conversion is the C library's. Its names are not PostgreSQL's (pg_wchar.h), hence the table.
 */
#include "encoding.h"

#include <iconv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *postgres;
    const char *iconv;
} names[] = {
    {"LATIN1", "ISO-8859-1"},     {"LATIN2", "ISO-8859-2"},
    {"LATIN3", "ISO-8859-3"},     {"LATIN4", "ISO-8859-4"},
    {"LATIN5", "ISO-8859-9"},     {"LATIN6", "ISO-8859-10"},
    {"LATIN7", "ISO-8859-13"},    {"LATIN8", "ISO-8859-14"},
    {"LATIN9", "ISO-8859-15"},    {"LATIN10", "ISO-8859-16"},
    {"ISO_8859_5", "ISO-8859-5"}, {"ISO_8859_6", "ISO-8859-6"},
    {"ISO_8859_7", "ISO-8859-7"}, {"ISO_8859_8", "ISO-8859-8"},
    {"WIN1250", "CP1250"},        {"WIN1251", "CP1251"},
    {"WIN1252", "CP1252"},        {"WIN1253", "CP1253"},
    {"WIN1254", "CP1254"},        {"WIN1255", "CP1255"},
    {"WIN1256", "CP1256"},        {"WIN1257", "CP1257"},
    {"WIN1258", "CP1258"},        {"WIN866", "CP866"},
    {"WIN874", "CP874"},          {"KOI8R", "KOI8-R"},
    {"KOI8U", "KOI8-U"},          {"EUC_JP", "EUC-JP"},
    {"EUC_CN", "EUC-CN"},         {"EUC_KR", "EUC-KR"},
    {"EUC_TW", "EUC-TW"},         {"EUC_JIS_2004", "EUC-JISX0213"},
};

/* What fits of text, with \xNN for bytes that are no UTF-8. */
static void spell_out(const char *text, char *out, size_t size)
{
    char *end = out + size - 1;
    while (*text != '\0') {
        size_t length = encoding_character(text);
        size_t needed = length == 0 ? strlen("\\xNN") : length;
        if ((size_t)(end - out) < needed) {
            break;
        }
        if (length == 0) {
            snprintf(out, needed + 1, "\\x%02x", (unsigned char)*text);
        } else {
            memcpy(out, text, length);
        }
        out += needed;
        text += length == 0 ? 1 : length;
    }
    *out = '\0';
}

/* False when there is no such conversion, or text is not in that encoding. */
static bool convert(const char *text, char *out, size_t size, const char *encoding)
{
    const char *from = NULL;
    for (size_t i = 0; encoding != NULL && i < sizeof names / sizeof *names; i++) {
        from = strcmp(names[i].postgres, encoding) == 0 ? names[i].iconv : from;
    }
    iconv_t conversion = from != NULL ? iconv_open("UTF-8", from) : (iconv_t)-1;
    if (conversion == (iconv_t)-1) {
        return false;
    }
    char *in = (char *)text, *to = out;
    size_t left = strlen(text), room = size - 1;
    bool converted = iconv(conversion, &in, &left, &to, &room) != (size_t)-1 || room < 4;
    *to = '\0';
    iconv_close(conversion);
    return converted;
}

void encoding_to_utf8(char *text, size_t size, const char *encoding)
{
    if (encoding_is_utf8(text)) {
        return;
    }
    char *original = strdup(text);
    if (original == NULL) {
        abort();
    }
    if (!convert(original, text, size, encoding)) {
        spell_out(original, text, size);
    }
    free(original);
}

void encoding_error_to_utf8(Error *error, const char *encoding)
{
    encoding_to_utf8(error->message, sizeof error->message, encoding);
    encoding_to_utf8(error->hint, sizeof error->hint, encoding);
}
