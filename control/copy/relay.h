/*
 * Carrying the rows of a COPY from one connection to another.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "brake.h"
#include "oids.h"
#include "session.h"

typedef struct RelayCount {
    int64_t rows; /* as both servers count them */
    int64_t bytes;
} RelayCount;

/*
 * By what another thread tells a relay that its target has refused a row. It reads number, asks the server whether the
 * transaction on that connection has failed, and if so sets refused to the number that it read: should another COPY run on the
 * connection by then, that one has another number.
 */
typedef struct RelayWatch {
    atomic_int pid;    /* of the target's server process; 0: no COPY runs */
    atomic_int number; /* raised before each COPY begins */
    atomic_int refused;
    atomic_int session; /* its process whether a COPY runs or not; 0: not connected */
} RelayWatch;

/*
 * Rows that go into a table of their own first, in binary, and from there to their place: a piece at a time, so that what lies
 * there twice has a bound.
 */
typedef struct RelayPieces {
    const char *begin; /* COPY ... FROM STDIN; for the first piece the caller has run it */
    const char *move;  /* INSERT ... SELECT: it has to say as many rows as the COPY */
    const char *empty;
    int64_t bytes; /* of a piece, after the row that reaches it */
} RelayPieces;

typedef struct RelayRoute {
    const SessionWait *wait;   /* limit_seconds bounds the time without a byte */
    _Atomic int64_t *moving;   /* raised by the bytes carried as they go */
    _Atomic int64_t *rows;     /* and by the rows, one more for the end of a COPY in binary; or NULL */
    RelayWatch *watch;         /* or NULL */
    Brake *brake;              /* bounds the bytes per second; or NULL */
    const Oids *oids;          /* changes the OIDs of types in rows that are binary; or NULL */
    const RelayPieces *pieces; /* or NULL: rows go straight to their place */
    bool
        more; /* both COPYs are one of several statements of a query, whose other results stay unread; not with pieces */
} RelayRoute;

/*
 * source is in COPY OUT, target in COPY IN. Carries everything over and ends both COPYs; or ends the target's with its
 * words, soon after it has refused a row. Memory: one chunk of 256
 * KiB, or one row where that is larger, on each side. After an error source is to be closed; target is in a failed transaction
 * where it has refused something, else to be closed as well.
 */
int relay_rows(Database *source, Database *target, const RelayRoute *route, RelayCount *out,
               Error *error) MUST_CHECK;
