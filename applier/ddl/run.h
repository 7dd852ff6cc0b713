/*
 * Running one statement on the target as it ran at the source: under its role, search_path and settings, and with the values that
 * existing rows got there.
 */
#pragma once

#include "decide.h"

typedef struct DdlRan {
    Text ran;      /* what was run, when it is not what was written at the source */
    Text recopied; /* tables that have to be copied anew, for people */
} DdlRan;

/* Whether it is of a kind that makes tables, which are those of its list then. */
bool ddl_makes_tables(const DdlMessage *message);

/* Inside an open transaction, which is aborted after an error. The caller frees *out with ddl_ran_free. */
int ddl_run(Database *target, const DdlPlace *place, const DdlMessage *message, DdlPlan *plan, DdlRan *out,
            Error *error) MUST_CHECK;
void ddl_ran_free(DdlRan *ran);
