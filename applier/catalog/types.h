/*
 * What the target says of data types: asked once for each type and remembered, together with the texts that many columns
 * share. One thread at a time; what it hands out lives until types_free.
 *
 *     types_new → types_load for each set of columns → types_find, types_castable → types_free
 *
 * It outlives the connection that it was filled through: the OIDs of types are those of one target database.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"

typedef struct Types Types;

typedef struct TargetType {
    uint32_t oid;
    uint32_t base;    /* the type beneath a domain */
    int32_t modifier; /* of the base, as the domain says it, or -1 */
    char base_kind;   /* typtype of it */
    bool takes_text;  /* its binary format is the text itself */
    const char *cast; /* its name, qualified and quoted */
    /* What makes a value of it out of text, behind "::": cast, with what common/text_cast.h says before it. */
    const char *text_cast;
    const char *output;   /* its output function, qualified and quoted */
    const char *equality; /* OPERATOR("schema".=) that has an answer for any two values, or NULL */
    /*
     * The operator of the index that makes values a key, or NULL. Rows (composite types), and arrays, have one whatever they are
     * made of; it fails where that has none, json for instance, but such a value gets into no index either.
     */
    const char *key_equality;
} TargetType;

Types *types_new(void);
void types_free(Types *types);

/* Forgets all that may be altered, before the next question. Nobody may be asking meanwhile. */
void types_forget(Types *types);

/* Asks the target for those of the types that are not known yet: one query at most. */
int types_load(Types *types, Database *target, const uint32_t *oids, size_t count, Error *error) MUST_CHECK;

/* A type that was loaded. */
const TargetType *types_find(const Types *types, uint32_t oid);

/* The array type of a built-in type, 0 when it has none; for any type after the first types_load. */
uint32_t types_array_of(const Types *types, uint32_t element);

/*
 * Whether a value of the built-in type from can be cast to the type of that name (TargetType.cast): tried on NULL, once
 * for each pair. 0 when it can; ERROR_CONFLICT in the server's words when not.
 */
int types_castable(Types *types, Database *target, uint32_t from, const char *cast, Error *error) MUST_CHECK;
