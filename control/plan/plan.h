/*
 * How what is moved is copied: read once from the source's catalogs, kept in penstock.relation, and cut into jobs.
 *
 *     source ──one query──► tables ──► penstock.relation ──► penstock.job, penstock.job_relation
 *
 * A job is a table; many small tables together; all leaves whose rows go through one partitioned table; or a range of keys of a
 * large one. A table is cut by the first column of its key, where that is of a type whose order is that of integers or of bytes.
 * When its rows lie in that order, a range is read by the index at the cost of reading that part of the table; when they do
 * not, each range is a scan of the table, and there are few. Where to cut is taken from the source's statistics, not from the
 * least and the greatest key: keys have gaps.
 */
#pragma once

#include <stdbool.h>

#include "database.h"
#include "error.h"

#define PLAN_PART_MB 512 /* unless it is said otherwise */

typedef struct PlanOptions {
    int part_mb;           /* a table is cut into parts of about so many megabytes when it has two or more */
    bool with_tablespaces; /* indexes of keys go into their tablespaces */
    const char *tablespaces_from,
        *tablespaces_to; /* array literals: or into these in the place of those; NULL: none */
} PlanOptions;

/*
 * Writes how each table that waits is copied, and the jobs. The tables themselves are listed already. Run again it adds what is
 * missing; tables that wait to be copied again get new jobs.
 */
int plan_write(Database *source, Database *target, const char *migration, const PlanOptions *options,
               Error *error) MUST_CHECK;

/*
 * Tables of the source that are many parts large and cannot be cut: a row each with name, bytes, and why. What stays behind is
 * hidden in source. The caller frees *rows.
 */
int plan_find_uncut(Database *source, Database *target, int part_mb, PGresult **rows,
                    Error *error) MUST_CHECK;
