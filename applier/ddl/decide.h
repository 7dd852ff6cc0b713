/*
 * What is to be done with a captured statement: from the message, the operator's decision and the table of classes. Asks no server.
 */
#pragma once

#include "classes.h"
#include "ddl.h"
#include "snapshot.h"

typedef enum DdlAction { DO_RUN, DO_LEAVE_OUT, DO_SKIP, DO_ASK } DdlAction;

typedef struct DdlPlan {
    DdlAction action;
    char reason[1024];      /* why it is left out, or asks */
    DdlStatement statement; /* when it was found; its text is what was written at the source */
    DdlVerdict verdict;
    bool edited;    /* sql is the operator's */
    bool as_target; /* ... and runs as the applier's own role */
    Text sql;       /* to be run */
} DdlPlan;

typedef struct DdlKnown {
    const Snapshot *dumped; /* what came with the dump; NULL: nothing */
    bool sealed;            /* the seal is right */
    const DdlDecided *decided;
} DdlKnown;

/* The caller frees *out with ddl_plan_free. */
void ddl_decide(const DdlMessage *message, const DdlKnown *known, DdlPlan *out);
void ddl_plan_free(DdlPlan *plan);
