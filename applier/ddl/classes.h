/*
 * What becomes of each kind of DDL: one table, in classes.c, which docs/ddl.md shows.
 *
 *     applied     runs on the target, at its place in the stream
 *     left out    does not concern the target
 *     asks        the applier stops, and the operator decides: penstock ddl apply | skip | edit
 *
 * That a table is to be copied anew after the statement, because the stream does not have the values that it was filled with, is a
 * matter of what the source says happened, not of the kind alone: ddl_rewrite_is_repeatable.
 */
#pragma once

#include <stdbool.h>

#include "statement.h"

typedef enum DdlClass { DDL_APPLIED, DDL_LEFT_OUT, DDL_ASKS } DdlClass;

typedef struct DdlVerdict {
    DdlClass class;
    const char *why;           /* of DDL_LEFT_OUT and DDL_ASKS; a text of ours */
    bool without_concurrently; /* to be run without that word */
    bool from_columns;         /* CREATE TABLE AS: made of the columns that the source says */
} DdlVerdict;

/* Whether an event trigger fires for a statement of that kind: they are counted in a string of several. */
bool ddl_fires(const PgQuery__Node *node);

/* Whether a message with this tag can be about the statement. */
bool ddl_fits_tag(const PgQuery__Node *node, const char *tag);

DdlVerdict ddl_classify(const PgQuery__Node *node);

/* Whether it does nothing but drop: objects, or constraints of a table. */
bool ddl_only_drops(const PgQuery__Node *node);

/* Whether the statement says which triggers or rules act, or may make some that act on what the stream brings. */
bool ddl_sets_triggers(const PgQuery__Node *node);

/*
 * Whether what a rewrite for these reasons (table_rewrite's, utils: AT_REWRITE_*) put into the rows is known on the target, too, by
 * running the statement there. *functions: names of functions that must be immutable for that, one after the other with NUL ends;
 * *plain, an array literal: columns that are added without a default, whose type must not bring one.
 */
bool ddl_rewrite_is_repeatable(const PgQuery__Node *node, int reasons, Text *functions, Text *plain);
