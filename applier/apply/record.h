/*
 * Conflicts as rows of penstock.conflict, queued in the transaction that settles them.
 */
#pragma once

#include "session.h"

typedef struct Settled {
    const char *problem;  /* refused, missing, several, transaction skipped */
    const char *sqlstate; /* or "" */
    const char *message;  /* or "" */
    const char *action;   /* overwritten, skipped */
} Settled;

/* Queues the record of one change. */
void record_change(Session *session, Arena *arena, const char *migration, const Change *change,
                   const Settled *settled);

/* Queues the record of a truncate that is left out. */
void record_truncate(Session *session, Arena *arena, const char *migration, const Batch *batch,
                     const Settled *settled);
