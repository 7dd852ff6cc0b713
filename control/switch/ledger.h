/*
 * The second place of the journal: a file of whoever runs the switch, which does not die with the target.
 *
 *     ~/.local/state/penstock/MIGRATION@SYSTEM.switch     SYSTEM: the source's identifier; $XDG_STATE_HOME, where it is set,
 *                                                         stands for ~/.local/state
 *
 * One JSON object a line: first the head of the round (what is under way, and all that an undo needs to know when the target
 * cannot be asked), then a line for each event, in order: {"step", "event", "detail"}. Each is on disk before the call
 * returns. There are no secrets in it; only its owner reads it.
 *
 *     ledger_open → ledger_begin → ledger_add …          a round
 *     ledger_open → ledger_head, ledger_read             a run that carries on, or goes back
 *     ledger_remove                                      the round is over
 *
 * An open ledger is locked: a second run on this host is refused even while the target, which has the lock for all hosts, is
 * dead. A Ledger belongs to one thread.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "error.h"
#include "state.h"

typedef struct Ledger Ledger;

/* ERROR_STATE when another run has it, ERROR_SYSTEM when there can be no file. The caller frees *out with ledger_close. */
int ledger_open(const char *migration, const char *source_system, Ledger **out, Error *error) MUST_CHECK;
void ledger_close(Ledger *ledger);

const char *ledger_path(const Ledger *ledger);

/* The head of the round that is in it, borrowed; NULL: there is none. */
const json_t *ledger_head(const Ledger *ledger);

/* How many lines there are behind the head, and each of them, from the one with that number on. */
size_t ledger_lines(const Ledger *ledger);
void ledger_read(const Ledger *ledger, size_t from, JournalReader take, void *context);

/* Begins a round; what was there goes. head is borrowed. */
int ledger_begin(Ledger *ledger, const json_t *head, Error *error) MUST_CHECK;

/* Adds a line. detail may be NULL. */
int ledger_add(Ledger *ledger, const char *step, const char *event, const json_t *detail,
               Error *error) MUST_CHECK;

/* Empties it: nothing is under way. */
int ledger_remove(Ledger *ledger, Error *error) MUST_CHECK;
