/*
 * Turns: many records of the WAL in one go while the reader is far behind.
 *
 * The walsender's loop takes one record and then asks the system whether the reader has said something and whether the
 * postmaster lives: two system calls for each record, most of what a large transaction costs it. And since it may tell
 * the reader of its position after each record, whatever committed has to be sent by then, one message for each
 * transaction. While there is much WAL, the decoder takes the records behind the one at hand itself:
 *
 *     loop ─► record r1 ─► filter_by_origin ─► turn: r1, r2 … rn, commits gathered in one frame ─► frame goes out
 *       ▲                                                                                            │
 *       └──── the server's position: behind rn ◄───── r1 again is filtered out: it has been taken ◄──┘
 *
 * What holds
 *
 * 1. The server's position stands still during a turn, and so does what keepalives say. All that committed in a turn has
 *    been sent when it ends, before the position moves.
 * 2. A turn reads only WAL that was flushed before it began, and ends TURN_MARGIN before the end of that: so it does not
 *    begin with waiting. A reader that keeps up sees no turns: each transaction is sent when it commits.
 * 3. A turn ends after `read_ahead` records, after TURN_TIME (20 ms), or as soon as a frame has been sent: so the walsender is
 *    back at its loop, with its timeouts and its reader, within milliseconds; a large transaction is sent with the server's
 *    own care for both.
 * 4. So what committed is held for TURN_TIME at most, and for the few records or the one change that are at hand then: no
 *    longer is it behind what without a turn would have come after it. It goes out before the decoder waits for WAL, in the
 *    middle of a transaction when that takes long, and before one that is large.
 *
 * Only a walsender that streams takes turns. Slots that are made, and the SQL functions, which stop at a record that the
 * caller names, go record by record.
 */
#pragma once

#include "compat.h"

struct Decoder;

typedef struct Turn {
    uint32 limit;             /* records in one turn; 0: no turns */
    bool running;             /* the records that come now belong to a turn */
    bool sent;                /* a frame went out in it */
    bool holds;               /* something that committed in it is in hand */
    XLogRecPtr held_lsn;      /* where the last of it ends */
    TimestampTz deadline;     /* when it is over */
    XLogPageReadCB read_page; /* the server's own */
    XLogRecPtr flushed;       /* all WAL before this has been flushed, and had been before the last record */
} Turn;

/* True in a turn that has gone on for too long. */
bool turn_is_late(const Turn *turn);

/*
 * For each record that filter_by_origin is asked about. True: a turn took it, and all that followed it, so that it is to be
 * filtered out. Raises the server's errors.
 */
bool turn_take(struct Decoder *decoder, LogicalDecodingContext *ctx);
