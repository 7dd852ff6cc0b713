/*
 * The argument of --proxy is read from its end: as long as what follows the last comma is one of our own
 * settings, it is taken off. What is left is the console's connection string, which may hold commas of its
 * own (several hosts).
 */
#include "proxy.h"

#include <stdlib.h>
#include <string.h>

static const ProxyOperations *const kinds[] = {&proxy_pgbouncer, &proxy_pgcat, &proxy_none};

#define KINDS (sizeof kinds / sizeof *kinds)

const ProxyOperations *proxy_kind(size_t number)
{
    return number < KINDS ? kinds[number] : NULL;
}

const ProxyOperations *proxy_operations(const ProxySpec *spec, Error *error)
{
    char known[128] = "";
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, spec->kind) == 0) {
            return kinds[i];
        }
        strncat(known, i == 0 ? "" : ", ", sizeof known - strlen(known) - 1);
        strncat(known, kinds[i]->name, sizeof known - strlen(known) - 1);
    }
    error_set(error, ERROR_USAGE, "there is no proxy adapter \"%s\"", spec->kind);
    error_hint(error, "The adapters are: %s.", known);
    return NULL;
}

/* Where the value of `,name=` goes; NULL when it is none of ours. */
static char **setting(ProxySpec *spec, const char *text, size_t *prefix)
{
    static const char config[] = "config=", database[] = "database=";
    if (strncmp(text, config, sizeof config - 1) == 0) {
        *prefix = sizeof config - 1;
        return &spec->config;
    }
    if (strncmp(text, database, sizeof database - 1) == 0) {
        *prefix = sizeof database - 1;
        return &spec->database;
    }
    return NULL;
}

int proxy_spec_parse(const char *text, ProxySpec *out, Error *error)
{
    size_t kind = strcspn(text, ":");
    *out = (ProxySpec){.kind = strndup(text, kind)};
    char *rest = strdup(text[kind] == ':' ? text + kind + 1 : "");
    char *comma;
    size_t prefix;
    while ((comma = strrchr(rest, ',')) != NULL) {
        char **value = setting(out, comma + 1, &prefix);
        if (value == NULL) {
            break;
        }
        free(*value);
        *value = strdup(comma + 1 + prefix);
        *comma = '\0';
    }
    if (*rest != '\0') {
        out->admin_uri = rest;
    } else {
        free(rest);
    }
    if (*out->kind != '\0') {
        return 0;
    }
    proxy_spec_free(out);
    error_set(error, ERROR_USAGE, "--proxy names no adapter");
    return error_hint(error,
                      "Write --proxy 'pgbouncer:ADMIN_URI,config=/path/pgbouncer.ini' or --proxy none.");
}

void proxy_spec_free(ProxySpec *spec)
{
    free(spec->kind);
    free(spec->admin_uri);
    free(spec->config);
    free(spec->database);
    *spec = (ProxySpec){0};
}
