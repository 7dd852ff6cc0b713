/*
 * What the target's catalog says of the relations in the stream: which columns are where, how they are written, how rows
 * are found, how changes spread over lanes. One query per relation when it is first seen.
 *
 * Used on the event loop's thread only, over a connection of its own; results are immutable (see model/relation.h) and
 * owned by the catalog.
 */
#pragma once

#include "database.h"
#include "error.h"
#include "relation.h"

typedef struct Catalog Catalog;

/* target is borrowed for the catalog's life. The caller frees *out with catalog_free. */
int catalog_new(Database *target, const char *migration, Catalog **out, Error *error) MUST_CHECK;
void catalog_free(Catalog *catalog);

/*
 * The target's side of source. *out is NULL when the relation does not take part: it waits to be copied again, it is not in
 * penstock.relation because it belongs to an extension or to Penstock or is the root of a partitioned table, or it is
 * unknown (below). ERROR_CONFLICT, with what to do, when the target has no such table or lacks a column.
 *
 * The lane class is the one that penstock.relation remembers from the first time; (*out)->unsettled says that the table
 * has changed since and another would be right now.
 */
int catalog_resolve(Catalog *catalog, const SourceRelation *source, const ApplyRelation **out,
                    Error *error) MUST_CHECK;

/*
 * Looks again, and remembers the class that is right now. Only while every lane stands at one point of the stream and
 * nothing is under way: a lane elsewhere would meet changes of the table again, and in other lanes.
 */
int catalog_settle(Catalog *catalog, const SourceRelation *source, const ApplyRelation **out,
                   Error *error) MUST_CHECK;

/* Whether source, which was resolved, is a table that was made after the copy had listed the tables. */
bool catalog_is_unknown(const Catalog *catalog, const SourceRelation *source);

/* Notes durably that source, which is unknown, has to be copied. */
int catalog_note_unknown(Catalog *catalog, const SourceRelation *source, Lsn commit_lsn,
                         Error *error) MUST_CHECK;

/* Notes durably that source has to be copied again; see state_mark_recopy. What was resolved stays as it was. */
int catalog_mark_recopy(Catalog *catalog, const SourceRelation *source, Lsn commit_lsn, Lsn lsn,
                        const char *reason, bool *noted, Error *error) MUST_CHECK;
