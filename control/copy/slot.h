/*
 * Making logical replication slots on the source. A new slot waits until every transaction that was running
 * when it was asked for has ended; this wait is bounded, and whoever it waits for is named.
 */
#pragma once

#include <stdbool.h>
#include <stdatomic.h>

#include "database.h"
#include "error.h"
#include "lsn.h"
#include "progress.h"

typedef struct SlotRequest {
    const char *name;
    int timeout_seconds;
    Progress *progress; /* told who is waited for; or NULL */
    const atomic_bool *stop;
} SlotRequest;

/* What a wait for the transactions that run is about. */
typedef struct SlotWait {
    const char *what; /* "slot x": what waits */
    int timeout_seconds;
    Progress *progress; /* told who is waited for; or NULL */
} SlotWait;

/*
 * One turn of such a wait, which began at start (clock_seconds): says who is waited for, and ERROR_LIMIT, with their names,
 * when the time is over. source is a plain connection.
 */
int slot_check_wait(Database *source, const SlotWait *wait, double start, Error *error) MUST_CHECK;

typedef struct Slot {
    Lsn consistent_point;
} Slot;

/*
 * Makes a slot with plugin penstock over replication; source is a plain connection to the same server.
 * ERROR_LIMIT, naming pids, users, ages and queries, when transactions that it must wait for run longer than
 * the timeout. After any error the replication connection is of no more use, and once it is closed no slot is
 * left.
 */
int slot_create(Database *replication, Database *source, const SlotRequest *request, Slot *out,
                Error *error) MUST_CHECK;
