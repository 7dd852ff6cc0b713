/*
 * The argument of --proxy is read from its end: what follows a comma is taken off where it is one of our own
 * settings. What is left is the console's connection string, which may hold commas of its own (several hosts), as
 * may a setting (a command).
 */
#include "proxy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const ProxyOperations *const kinds[] = {&proxy_pgbouncer, &proxy_pgcat, &proxy_none};

#define KINDS (sizeof kinds / sizeof *kinds)

const ProxyOperations *proxy_operations(const ProxySpec *spec, Error *error)
{
    Text known = {0};
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, spec->kind) == 0) {
            text_free(&known);
            return kinds[i];
        }
        text_printf(&known, "%s%s", i == 0 ? "" : ", ", kinds[i]->name);
    }
    error_set(error, ERROR_USAGE, "there is no proxy adapter \"%s\"", spec->kind);
    error_hint(error, "The adapters are: %s.", known.data);
    text_free(&known);
    return NULL;
}

int proxy_found(const ProxyContext *context, int status, Error *error)
{
    if (status == 0) {
        return 0;
    }
    if (context->problem == NULL || error->code == ERROR_CONNECTION || error->code == ERROR_INTERRUPTED) {
        return -1;
    }
    context->problem(context->problem_context, error);
    *error = (Error){.code = ERROR_NONE};
    return 0;
}

void proxy_warn(ProxyReport *report, const char *format, ...)
{
    size_t used = strlen(report->warning);
    va_list arguments;
    if (used > 0 && used < sizeof report->warning - 3) {
        used += (size_t)snprintf(report->warning + used, sizeof report->warning - used, "; ");
    }
    va_start(arguments, format);
    vsnprintf(report->warning + used, sizeof report->warning - used, format, arguments);
    va_end(arguments);
}

/* Takes one `name=value`; false when it is none of ours. */
static bool take_setting(ProxySpec *spec, const char *text)
{
    struct {
        const char *name; /* the whole, where there is but one value */
        char **value;
        bool *flag;
    } const settings[] = {
        {"config=", &spec->config, NULL},
        {"database=", &spec->database, NULL},
        {"logins=accept", NULL, &spec->accepts_untried},
        {"sessions=end", NULL, &spec->ends_sessions},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        size_t size = strlen(settings[i].name);
        if (settings[i].flag != NULL && strcmp(text, settings[i].name) == 0) {
            return *settings[i].flag = true;
        }
        if (settings[i].value != NULL && strncmp(text, settings[i].name, size) == 0) {
            free(*settings[i].value);
            *settings[i].value = strdup(text + size);
            return true;
        }
    }
    return false;
}

int proxy_spec_parse(const char *text, ProxySpec *out, Error *error)
{
    size_t kind = strcspn(text, ":");
    *out = (ProxySpec){.kind = strndup(text, kind)};
    char *rest = strdup(text[kind] == ':' ? text + kind + 1 : "");
    /* A value may hold commas of its own: it begins at the last comma that one of our names follows. */
    for (char *at = rest + strlen(rest); at-- > rest;) {
        if (*at == ',' && take_setting(out, at + 1)) {
            *at = '\0';
        }
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
