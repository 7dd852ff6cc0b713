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

/* Asks for all of them at a time. The caller clears found with definitions_clear, also after an error. */
int identity_look(Database *target, const char *migration, const SourceRelation *const *sources, size_t count,
                  DefinitionFound *found, Error *error) MUST_CHECK;

/* ERROR_CONFLICT, with what to do, when it is not: its changes must not get to the rows that are there. */
int identity_check(const SourceRelation *source, const DefinitionFound *found, Error *error) MUST_CHECK;

/* Notes that the table of source's name is to be copied again, as source now is. */
int identity_note_replaced(Database *target, const char *migration, const SourceRelation *source,
                           Lsn commit_lsn, Error *error) MUST_CHECK;
