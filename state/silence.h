/*
 * Triggers and rules that act on replicated rows, too: ENABLE ALWAYS and ENABLE REPLICA fire under
 * session_replication_role = replica (trigger.c, rewriteHandler.c, event_trigger.c, all majors). What they did at the source
 * is in the stream; on the target they would do it once more. So those that the copy brought are switched off for as long as
 * the stream is applied, and are what they were when clients come.
 *
 *     state_silence       after the copy has made them: remembered, then disabled
 *     state_silence_again when an applier starts: disabled, if a cutover that was undone had enabled them
 *     state_unsilence     by the cutover, when nothing more comes, and by finish
 *
 * One that somebody makes on the target afterwards is left alone: it is there to act. Where the process dies in between, each
 * may be run again.
 */
#pragma once

#include <stddef.h>

#include "database.h"
#include "error.h"

/*
 * Before DDL of our own, in one string with it or in its transaction: event triggers of the database's that are ENABLE (and no
 * more) do not act on it. What they write down of what applications do is in the stream, or for the way back.
 */
#define SILENCE_EVENT_TRIGGERS "SET LOCAL session_replication_role = 'replica'; "

/* *count says how many are disabled by now. */
int state_silence(Database *target, const char *migration, size_t *count, Error *error) MUST_CHECK;

/* Disables those that are remembered, whatever a cutover does: for its undo. */
int state_silence_known(Database *target, const char *migration, Error *error) MUST_CHECK;

/* Does nothing once a cutover has noted its last position: what is enabled then stays so. */
int state_silence_again(Database *target, const char *migration, Error *error) MUST_CHECK;

/*
 * For a statement that says which triggers of these tables are enabled (a JSON array of {schema, name}): before it, they are
 * what they were, and no longer remembered; behind it, state_silence. Inside one transaction.
 */
int state_unsilence_tables(Database *target, const char *migration, const char *tables,
                           Error *error) MUST_CHECK;

/* *count says how many there are. They stay remembered. */
int state_unsilence(Database *target, const char *migration, size_t *count, Error *error) MUST_CHECK;
