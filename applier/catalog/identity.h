/*
 * Is a relation of the stream the table that was copied, with the columns that were copied? By OID and column numbers; see
 * state/definition.h.
 */
#pragma once

#include "definition.h"
#include "relation.h"
#include "text.h"

/* Its columns as penstock.relation.source_columns has them, an array literal. The caller frees *out. */
void identity_columns(const SourceRelation *source, Text *out);

/*
 * Notes columns that were not there when the table was copied, of tables that are the ones that were copied. found: how each of
 * sources stands to those (lookup.h).
 */
int identity_remember(Database *target, const SourceRelation *const *sources,
                      const DefinitionFound *const *found, size_t count, Error *error) MUST_CHECK;

/* ERROR_CONFLICT, with what to do, when it is not: its changes must not get to the rows that are there. */
int identity_check(const SourceRelation *source, const DefinitionFound *found, Error *error) MUST_CHECK;

/* Notes that the table of source's name is to be copied again, as source now is. */
int identity_note_replaced(Database *target, const char *migration, const SourceRelation *source,
                           Lsn commit_lsn, Error *error) MUST_CHECK;
