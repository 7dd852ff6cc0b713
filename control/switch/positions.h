/*
 * The positions of sequences, many at a time: a look at all of them before clients are held, and in the hold only what has
 * moved since.
 *
 *     positions_set_ahead   reads every sequence of one side, sets the other's, and sees that they are equal there
 *     positions_set_rest    reads them again, and sets those that have moved; without a look before, that is all of them
 *
 * One statement reads many sequences (pg_sequence_last_value), for each of which it keeps a lock until its end; those that
 * were never called, which that function does not tell, are read one by one, some hundred in a statement. Where there are many,
 * of sequences or of tables, more sessions read with the one that leads: they are made by the first look, and the
 * second finds their caches warm. Nobody but us moves the sequences of the other side meanwhile: clients are not there.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "database.h"
#include "error.h"
#include "readers.h"

/* What a look has found; belongs to one thread. The caller frees it with positions_free. */
typedef struct Positions Positions;

/* Where more sessions of a server come from: see readers_open. */
typedef struct PositionsHelp {
    DatabaseEnd end;
    const char *uri, *purpose;
    int count;
} PositionsHelp;

/* *out is the look, which keeps the sessions that help until it is freed, or the rest was set. */
int positions_set_ahead(Database *from, const PositionsHelp *help, Database *to, Positions **out,
                        Error *error) MUST_CHECK;

/* before may be NULL; same: it is known that no sequence has come, gone or got another name since then. *count: all sequences; *moved:
 * those that were set now. */
int positions_set_rest(Database *from, Database *to, Positions *before, bool same, size_t *count,
                       size_t *moved, Error *error) MUST_CHECK;

/* The sessions that help, NULL for none: others may read with them meanwhile. Borrowed. */
Readers *positions_help(const Positions *positions);

/* One of them has failed: the rest is read without them. */
void positions_end_help(Positions *positions);

/* The pids of the sessions that help, as an array of SQL; borrowed. NULL has none. */
const char *positions_sessions(const Positions *positions);

/* The sessions that will help, NULL where there is little to read. The caller frees *out with readers_free. */
int positions_find_help(Database *from, const PositionsHelp *help, Readers **out, Error *error) MUST_CHECK;

/*
 * How long a look takes in the hold (the second one), and how many sequences there are; sets nothing. *readers are freed, and NULL,
 * when one of them fails.
 */
int positions_measure(Database *from, Readers **readers, size_t *count, double *seconds,
                      Error *error) MUST_CHECK;

size_t positions_count(const Positions *positions);
void positions_free(Positions *positions);
