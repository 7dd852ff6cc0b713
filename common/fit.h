/*
 * Does a value keep its meaning when it goes from a column of the source into one of the target? Not "can it be cast":
 * 19.99 can be cast to int, and a numeric(12,4) goes into a numeric(12,2) without a word. Pure; asked for the rows that are
 * copied and for those of the stream.
 *
 * What ends as an error when it does not fit, a number out of range for instance, is no loss.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings are borrowed. */
typedef struct FitSource {
    uint32_t type;
    uint32_t base_type; /* beneath a domain; else type */
    int32_t typmod;     /* the column's; -1: none, as a column of a domain has none */
    const char *type_schema;
    const char *type_name;
    bool is_text; /* its values are sent as text */
} FitSource;

typedef struct FitTarget {
    uint32_t base_type;
    int32_t typmod;   /* the column's, or its domain's; -1: none */
    const char *cast; /* "schema"."type", each in quotes */
    bool takes_text;  /* its type's binary format is the text itself */
} FitTarget;

/* Tables whose values may change on the way, because the operator said so: "schema.table", not quoted; borrowed. */
typedef struct LossyTables {
    const char *const *names;
    size_t count;
    bool all;
} LossyTables;

/* lossy may be NULL. */
bool fit_may_lose(const LossyTables *lossy, const char *schema, const char *table);

/* Adds what an option says: "all", or a name, which is borrowed. The caller frees names. */
void fit_add_lossy(LossyTables *lossy, const char *text);

/* Both types in words, "pg_catalog.numeric(12,4) … ", when values may change; the caller frees it. NULL: they do not. */
char *fit_loss(const FitSource *source, const FitTarget *target);
