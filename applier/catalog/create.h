/*
 * A table whose rows come in the stream before its definition is told of: CREATE TABLE AS, SELECT INTO.
 */
#pragma once

#include "database.h"
#include "relation.h"

/*
 * Makes it on the target as the source's decoder describes it, and writes down that it has no row from before the transaction;
 * both or none. Nothing when that has been done before. What is not described (collations, options, the owner) comes with its
 * definition.
 */
int create_table(Database *target, const char *migration, const SourceRelation *source, Lsn commit_lsn,
                 Error *error) MUST_CHECK;
