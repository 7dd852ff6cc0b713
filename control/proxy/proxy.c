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

/* What follows a comma: `name=value`, or the whole where there is but one value. */
static const struct {
    const char *name;
    size_t offset; /* of a char *, or a bool */
    bool is_flag;
} settings[] = {
    {"config=", offsetof(ProxySpec, config), false},
    {"database=", offsetof(ProxySpec, database), false},
    {"logins=accept", offsetof(ProxySpec, accepts_untried), true},
    {"sessions=end", offsetof(ProxySpec, ends_sessions), true},
};

#define SETTINGS (sizeof settings / sizeof *settings)

/* Takes one of them; false when it is none of ours. */
static bool take_setting(ProxySpec *spec, const char *text)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        void *place = (char *)spec + settings[i].offset;
        size_t size = strlen(settings[i].name);
        if (settings[i].is_flag && strcmp(text, settings[i].name) == 0) {
            return *(bool *)place = true;
        }
        if (!settings[i].is_flag && strncmp(text, settings[i].name, size) == 0) {
            free(*(char **)place);
            *(char **)place = strdup(text + size);
            return true;
        }
    }
    return false;
}

char *proxy_spec_redact(const char *text)
{
    ProxySpec spec;
    Error ignored;
    Text out = {0};
    if (proxy_spec_parse(text, &spec, &ignored) != 0) {
        return strdup("");
    }
    char *uri = spec.admin_uri != NULL ? database_redact(spec.admin_uri) : NULL;
    text_printf(&out, "%s%s%s", spec.kind, uri != NULL ? ":" : "", uri != NULL ? uri : "");
    free(uri);
    for (size_t i = 0; i < SETTINGS; i++) {
        const void *place = (const char *)&spec + settings[i].offset;
        const char *value = settings[i].is_flag ? (*(const bool *)place ? "" : NULL) : *(char *const *)place;
        if (value != NULL) {
            text_printf(&out, ",%s%s", settings[i].name, value);
        }
    }
    proxy_spec_free(&spec);
    return out.data;
}

int proxy_spec_parse(const char *text, ProxySpec *out, Error *error)
{
    size_t kind = strcspn(text, ":,");
    *out = (ProxySpec){.kind = strndup(text, kind)};
    char *rest = strdup(text[kind] == ':' ? text + kind + 1 : text + kind);
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
