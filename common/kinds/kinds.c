/*
 * Some hundred rows are gone through for each error that is shown: errors are few.
 */
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern const ErrorSection error_section_general, error_section_usage, error_section_servers,
    error_section_proxy, error_section_copy, error_section_stream, error_section_rows, error_section_ddl,
    error_section_switch, error_section_verify, error_section_machine;

static const ErrorSection *const sections[] = {
    &error_section_general, &error_section_usage,  &error_section_servers, &error_section_proxy,
    &error_section_copy,    &error_section_stream, &error_section_rows,    &error_section_ddl,
    &error_section_switch,  &error_section_verify, &error_section_machine,
};

const ErrorSection *const *error_sections(size_t *count)
{
    *count = sizeof sections / sizeof *sections;
    return sections;
}

static bool has_words(const ErrorKind *kind, const char *format)
{
    for (const char *const *words = kind->words; words != NULL && *words != NULL; words++) {
        if (strstr(format, *words) != NULL) {
            return true;
        }
    }
    return false;
}

static bool has_sqlstate(const ErrorKind *kind, const char *sqlstate)
{
    const char *at = kind->sqlstates != NULL ? kind->sqlstates : "";
    while (*at != '\0') {
        size_t length = strcspn(at, " ");
        if (strncmp(at, sqlstate, length) == 0) {
            return true;
        }
        at += length + (at[length] == ' ');
    }
    return false;
}

typedef enum By { BY_WORDS, BY_SQLSTATE, BY_CODE, BY_NOTHING } By;

static bool fits(const ErrorKind *kind, const Error *error, By by)
{
    switch (by) {
    case BY_WORDS:
        return error->format != NULL && has_words(kind, error->format);
    case BY_SQLSTATE:
        return error->sqlstate[0] != '\0' && has_sqlstate(kind, error->sqlstate);
    default:
        return kind->code == error->code;
    }
}

static const ErrorKind *find(const Error *error, By by)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        for (size_t j = 0; j < sections[i]->count; j++) {
            if (fits(&sections[i]->kinds[j], error, by)) {
                return &sections[i]->kinds[j];
            }
        }
    }
    return NULL;
}

const ErrorKind *error_kind(const Error *error)
{
    const ErrorKind *kind = NULL;
    for (By by = BY_WORDS; error->code != ERROR_NONE && kind == NULL && by < BY_NOTHING; by++) {
        kind = find(error, by);
    }
    return kind;
}

const char *error_number(const Error *error, char out[ERROR_NUMBER_SIZE])
{
    const ErrorKind *kind = error_kind(error);
    out[0] = '\0';
    if (kind != NULL) {
        snprintf(out, ERROR_NUMBER_SIZE, "PST-%04d", kind->number);
    }
    return out;
}

const ErrorKind *error_kind_named(const char *text)
{
    char *end;
    const char *digits = strncasecmp(text, "PST-", 4) == 0 ? text + 4 : text;
    long number = strtol(digits, &end, 10);
    if (end == digits || *end != '\0') {
        return NULL;
    }
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        for (size_t j = 0; j < sections[i]->count; j++) {
            if (sections[i]->kinds[j].number == number) {
                return &sections[i]->kinds[j];
            }
        }
    }
    return NULL;
}
