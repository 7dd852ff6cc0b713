/*
 * --tablespace OLD=NEW: what was in a tablespace of the source's goes into another one on the target. "OLD=" is its default one.
 */
#pragma once

#include <argp.h>
#include <stddef.h>

#include "text.h"

#define MOST_TABLESPACES 64

typedef struct Tablespace {
    char *from, *to;
    char *set;           /* the statement for a session: "SET default_tablespace = \"new\";" */
    char *bare, *quoted; /* what pg_restore may have written for from */
} Tablespace;

typedef struct Tablespaces {
    Tablespace list[MOST_TABLESPACES];
    size_t count;
} Tablespaces;

/* A child argp with the one option, whose input is a Tablespaces. */
extern const struct argp tablespaces_argp;

/* The name that a tablespace of the source has on the target: from itself, unless it is mapped; "" for the default. Borrowed. */
const char *tablespaces_map(const Tablespaces *tablespaces, const char *from);

/* The statement in the place of pg_restore's SET default_tablespace, which may be NULL. Borrowed. */
const char *tablespaces_set(const Tablespaces *tablespaces, const char *statement);

/* Two array literals: the names, and what they are mapped to (pg_default for the default). The caller frees them. */
void tablespaces_arrays(const Tablespaces *tablespaces, Text *from, Text *to);
void tablespaces_free(Tablespaces *tablespaces);
