/*
 * What of a schema is left out because of what stays behind (left_behind.h): the relations themselves, whatever needs one of
 * them - its indexes, rights and comments, foreign keys that point to it, views that read it - and what needs those. Who needs
 * whom is what pg_dump says.
 *
 * A foreign key to a table of which rows stay behind is made NOT VALID: rows that are there keep pointing to what is not.
 * Where that cannot be, with a partitioned table's, it is left out, too.
 */
#pragma once

#include "left_behind.h"
#include "schema.h"
#include "script.h"

/*
 * Sets left and not_valid of the objects. source: a session in which left is hidden. ERROR_SOURCE when a table that is to be
 * moved cannot be made without one that stays behind.
 */
int leave_mark(Database *source, const LeftBehind *left, SchemaScript *pre, SchemaScript *post,
               Error *error) MUST_CHECK;
