/*
 * Connection strings, changed: libpq takes the string apart, and what is kept is put together again. For people, every
 * option is left out that libpq marks as a password: whatever it would have used as one is what we hide. A string that
 * libpq cannot take apart is not shown at all, since nobody knows where its password is.
 */
#include "database.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

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

static bool is_no_secret(const PQconninfoOption *option)
{
    return strchr(option->dispchar, '*') == NULL;
}

static bool is_no_replication(const PQconninfoOption *option)
{
    return strcmp(option->keyword, "replication") != 0;
}

static bool is_no_database(const PQconninfoOption *option)
{
    return strcmp(option->keyword, "dbname") != 0;
}

/* The options of uri that are kept, then more; NULL when libpq cannot take it apart. */
static char *rewrite(const char *uri, bool (*keep)(const PQconninfoOption *option), const char *more)
{
    char *text = NULL;
    size_t size = 0;
    PQconninfoOption *options = PQconninfoParse(uri != NULL ? uri : "", NULL);
    FILE *out = options != NULL ? open_memstream(&text, &size) : NULL;
    if (out == NULL) {
        PQconninfoFree(options);
        return NULL;
    }
    const char *gap = "";
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val != NULL && keep(option)) {
            fputs(gap, out);
            write_option(out, option->keyword, option->val);
            gap = " ";
        }
    }
    fprintf(out, "%s%s", *more != '\0' ? gap : "", more);
    fclose(out);
    PQconninfoFree(options);
    return text;
}

char *database_redact(const char *uri)
{
    char *text = rewrite(uri, is_no_secret, "");
    return text != NULL ? text : strdup("(unreadable connection string)");
}

char *database_replication(const char *uri)
{
    return rewrite(uri, is_no_replication, "replication=database");
}

char *conninfo_with_database(const char *uri, const char *database)
{
    char *name = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&name, &size);
    if (out == NULL) {
        return NULL;
    }
    write_option(out, "dbname", database);
    fclose(out);
    char *text = rewrite(uri, is_no_database, name);
    free(name);
    return text;
}

/* What libpq itself puts into quotes. */
static const char *const own_words[] = {
    "missing \"=\" after ",
    "missing key/value separator \"=\" in URI query parameter: ",
    "extra key/value separator \"=\" in URI query parameter: ",
};

/* libpq's message in one line; what it quotes of the string may be the password, or a part of it, quotes included. */
static void write_reason(const char *message, char *out, size_t size)
{
    size_t own = 0, length = strcspn(message, "\n");
    for (size_t i = 0; i < sizeof own_words / sizeof own_words[0]; i++) {
        if (strncmp(message, own_words[i], strlen(own_words[i])) == 0) {
            own = strlen(own_words[i]);
        }
    }
    const char *first = memchr(message + own, '"', length - own);
    const char *last = first != NULL ? memrchr(first + 1, '"', length - (size_t)(first + 1 - message)) : NULL;
    if (last != NULL) {
        snprintf(out, size, "%.*s\"…%.*s", (int)(first - message), message, (int)(message + length - last),
                 last);
    } else {
        snprintf(out, size, "%.*s", first != NULL ? (int)(first - message) : (int)length, message);
    }
}

int conninfo_check(const char *uri, const char *end_name, Error *error)
{
    char *message = NULL;
    char reason[300];
    PQconninfoOption *options = PQconninfoParse(uri, &message);
    if (options != NULL) {
        PQconninfoFree(options);
        return 0;
    }
    write_reason(message != NULL ? message : "out of memory", reason, sizeof reason);
    PQfreemem(message);
    error_set(error, ERROR_USAGE, "the connection string of the %s cannot be read: %s", end_name, reason);
    return error_hint(error,
                      "write postgresql://user@host:port/dbname or host=… port=… dbname=… user=…; in a URI, "
                      "special characters in a user name or password are written as %%XX");
}

char *conninfo_get(const char *uri, const char *keyword)
{
    PQconninfoOption *options = PQconninfoParse(uri != NULL ? uri : "", NULL);
    char *value = NULL;
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0 && option->val != NULL && *option->val != '\0') {
            value = strdup(option->val);
        }
    }
    PQconninfoFree(options);
    return value;
}

char *database_quote(const char *identifier)
{
    Text quoted = {0};
    text_name_add(&quoted, identifier);
    return quoted.data;
}
