/*
 * Connection strings as people may see them: libpq takes the string apart, and every option that it marks as
 * a password is left out of what is put together again. So whatever libpq would have used as a password is
 * what we hide. A string that libpq cannot take apart is not shown at all, since nobody knows where its
 * password is.
 */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* keyword='value', with ' and \ escaped where the value needs quotes. */
static void write_option(FILE *out, const char *keyword, const char *value)
{
    bool plain = *value != '\0' && strpbrk(value, " \t\r\n\f\v'\\=") == NULL;
    fprintf(out, "%s=", keyword);
    if (plain) {
        fputs(value, out);
        return;
    }
    fputc('\'', out);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\') {
            fputc('\\', out);
        }
        fputc(*value, out);
    }
    fputc('\'', out);
}

char *database_redact(const char *uri)
{
    char *text = NULL;
    size_t size = 0;
    PQconninfoOption *options = PQconninfoParse(uri != NULL ? uri : "", NULL);
    FILE *out = options != NULL ? open_memstream(&text, &size) : NULL;
    if (out == NULL) {
        PQconninfoFree(options);
        return strdup("(unreadable connection string)");
    }
    const char *gap = "";
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val != NULL && strchr(option->dispchar, '*') == NULL) {
            fputs(gap, out);
            write_option(out, option->keyword, option->val);
            gap = " ";
        }
    }
    fclose(out);
    PQconninfoFree(options);
    return text;
}

char *database_quote(const char *identifier)
{
    char *quoted = malloc(2 * strlen(identifier) + 3);
    if (quoted == NULL) {
        abort();
    }
    char *at = quoted;
    *at++ = '"';
    for (; *identifier != '\0'; identifier++) {
        if (*identifier == '"') {
            *at++ = '"';
        }
        *at++ = *identifier;
    }
    *at++ = '"';
    *at = '\0';
    return quoted;
}
