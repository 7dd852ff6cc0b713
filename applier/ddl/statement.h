/*
 * SQL taken apart by PostgreSQL's own parser (libpg_query): which statement of a string a message is about, and what it is. Pure.
 *
 *     ddl_statement_find ──► kind, text, tree ──► ddl_classify (classes.h) ──► ddl_statement_free
 */
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include "error.h"
#include "message.h"
#include "text.h"

typedef struct DdlStatement {
    PgQuery__ParseResult *tree; /* of text alone */
    const PgQuery__Node *node;  /* its one statement */
    Text text;                  /* as it was written */
} DdlStatement;

/*
 * Finds the statement that message is about. ERROR_STATE, saying why, when that cannot be told with certainty. The caller frees
 * *out with ddl_statement_free, also after an error.
 */
int ddl_statement_find(const DdlMessage *message, DdlStatement *out, Error *error) MUST_CHECK;

/* Parses text, which must be one statement. */
int ddl_statement_parse(const char *text, DdlStatement *out, Error *error) MUST_CHECK;
void ddl_statement_free(DdlStatement *statement);

/* The SQL of the tree as it is now. The caller frees *out with text_free. */
int ddl_statement_write(const DdlStatement *statement, Text *out, Error *error) MUST_CHECK;

/* Takes the word CONCURRENTLY out of the statement's text, and nothing else. */
int ddl_statement_drop_concurrently(const DdlStatement *statement, Text *out, Error *error) MUST_CHECK;
