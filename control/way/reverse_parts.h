/*
 * What the files of the way back share. Private to them.
 */
#pragma once

#include "reverse.h"

/* False for a migration whose name is too long: it has no way back. */
bool reverse_possible(const Migration *migration);

/* The publication of all changes, after which slot and subscription are called, too; and that of inserts. */
void reverse_names(const Migration *migration, char all[64], char inserts[64]);

/* The statement that makes the subscription; keeps conninfo out of the log. Wants a transaction. rest is what follows
 * on CONNECTION. */
int reverse_create_subscription(Database *source, const char *name, const char *conninfo, const char *rest,
                                Error *error) MUST_CHECK;

/* Ends the transaction that failed with status, and keeps its error. */
int reverse_rollback(Database *database, int status);

/* Names the tables of the migration of which that much comes back, with separator between them; NULL for none. The
 * caller frees *out. */
int reverse_table_list(Database *target, const Migration *migration, const char *comes_back,
                       const char *separator, char **out, Error *error) MUST_CHECK;

/* What the publications have: a row of two arrays, schemas and names, and how many. The caller frees *out with PQclear. */
int reverse_published(Database *target, const Migration *migration, PGresult **out, Error *error) MUST_CHECK;

/* How many tables a statement locks at most: a server has locks for some thousand. Of SQL. */
#define REVERSE_PART "500"

/* The same names, a part of them in each row, with ", ONLY " between them. The caller frees *out with PQclear. */
int reverse_table_parts(Database *target, const Migration *migration, const char *comes_back, PGresult **out,
                        Error *error) MUST_CHECK;

/* How many tables of the migration there are on the target of which that much comes back. */
int reverse_table_count(Database *target, const Migration *migration, const char *comes_back, size_t *out,
                        Error *error) MUST_CHECK;

/* The tables of which not everything comes back, smallest first: name, comes_back ("inserts", "nothing"), file node, bytes. */
int reverse_limited_tables(Database *target, const Migration *migration, PGresult **out,
                           Error *error) MUST_CHECK;

/* The same as reverse_limits before there is a copy, of the tables of the source. */
int reverse_source_limits(Database *source, char *inserts, char *nothing, size_t size,
                          Error *error) MUST_CHECK;
