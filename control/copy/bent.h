/*
 * While rows are copied: may a value have changed on its way, because the target's column is of another type? The same question as
 * the applier asks for what the stream brings (fit.h). Right after the schema was made both sides are the same; not so when a
 * copy goes on later, or a table is copied again after somebody has changed one of the sides.
 */
#pragma once

#include "database.h"
#include "fit.h"

/*
 * tables: schema and name of each in the columns 0 and 1 of rows, or of the target's where it has another one in the columns 2
 * and 3; NULL otherwise. ERROR_CONFLICT, with what to do, for the first column whose values may change; not of tables that are
 * among lossy.
 */
int bent_check(Database *source, Database *target, const PGresult *tables, const int columns[4],
               const LossyTables *lossy, Error *error) MUST_CHECK;
