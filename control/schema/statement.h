/*
 * What a statement of a schema script says, and what it is to say when the stream goes on beside. Pure.
 *
 * All of it reads the texts that pg_dump makes, with quotes and nested parentheses; what looks otherwise is left alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* The statements by which an index is built while its table is written to. */
typedef struct StatementPair {
    Text settings; /* before build, in the same session; may be empty (data NULL) */
    Text build;    /* by itself, outside of a transaction */
    Text rest;     /* within one; may be empty */
    Text relation; /* "public.orders", as it stands there */
    Text index;    /* its name, not quoted */
} StatementPair;

/*
 * Makes them of the statements of an INDEX, or of a CONSTRAINT that is UNIQUE or PRIMARY KEY. False, with nothing in *out, for all
 * else: an exclusion constraint, an index ON ONLY a partitioned table. The caller frees with statement_pair_free.
 */
bool statement_pair(const char *sql, StatementPair *out);
void statement_pair_free(StatementPair *pair);

/*
 * "ALTER TABLE ONLY public.child VALIDATE CONSTRAINT child_p_fkey" of the statement that adds it, behind what is in out. False when
 * it adds none.
 */
bool statement_validate(const char *sql, Text *out);

/*
 * The statements with NOT VALID behind the constraint that they add, behind what is in out. False when it is there already, or
 * when the constraint is a foreign key of a partitioned table, which cannot be so (14: ATAddForeignKeyConstraint).
 */
bool statement_not_valid(const char *sql, Text *out);

/* Whether it adds the constraint, or makes the index or trigger, that the server has by this definition (pg_get_…def). */
bool statement_defines(const char *sql, const char *definition);
