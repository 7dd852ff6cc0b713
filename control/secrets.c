/*
 * Linux shows the memory that argv lies in: what is overwritten there is gone from /proc/PID/cmdline and from ps. It was there
 * for the moment before; ~/.pgpass, a service file or the settings file have no such moment.
 */
#include "secrets.h"

#include <string.h>

/* What is behind :// up to the last @ before the path is USER[:PASSWORD]. */
static void hide_in_uri(char *authority)
{
    char *end = authority + strcspn(authority, "/? \t\n");
    char *at = memrchr(authority, '@', (size_t)(end - authority));
    char *colon = at != NULL ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (colon != NULL) {
        memset(colon + 1, '*', (size_t)(at - colon - 1));
    }
}

static void hide_value(char *value)
{
    value += strspn(value, " \t");
    char quote = *value == '\'' ? *value++ : '\0';
    for (; *value != '\0'; value++) {
        if (quote != '\0' ? *value == quote : strchr(" \t\n&", *value) != NULL) {
            return;
        }
        if (quote != '\0' && *value == '\\' && value[1] != '\0') {
            *value++ = '*';
        }
        *value = '*';
    }
}

void secrets_hide(char *text)
{
    static const char uri[] = "://", password[] = "password";
    for (char *at = text; (at = strstr(at, uri)) != NULL; at += sizeof uri - 1) {
        hide_in_uri(at + sizeof uri - 1);
    }
    for (char *at = text; (at = strstr(at, password)) != NULL;) {
        at += sizeof password - 1;
        char *equals = at + strspn(at, " \t");
        if (*equals == '=') {
            hide_value(equals + 1);
        }
    }
}

char **secrets_take(int argc, char **argv, Arena *arena)
{
    char **copy = arena_zalloc(arena, ((size_t)argc + 1) * sizeof *copy);
    for (int i = 0; i < argc; i++) {
        copy[i] = arena_strndup(arena, argv[i], strlen(argv[i]));
        secrets_hide(argv[i]);
    }
    return copy;
}
