/*
 * A snapshot that one session exports and others take over: they see the same, whatever is written meanwhile.
 *
 *     exported_take, by who holds it ──► exported_adopt, by who reads under it ──► COMMIT or ROLLBACK
 *
 * It can be adopted for as long as its holder's transaction is open, and lives on in whoever has adopted it.
 */
#pragma once

#include <stdbool.h>

#include "database.h"
#include "error.h"

#define EXPORTED_SIZE 64

/*
 * Begins a read-only transaction, behind what may be open still, and exports its snapshot as name. *seen says which transactions it
 * sees (txid_current_snapshot), and the caller frees it; seen may be NULL.
 */
int exported_take(Database *holder, char **seen, char name[EXPORTED_SIZE], Error *error) MUST_CHECK;

/* Begins a read-only transaction under that snapshot. */
int exported_adopt(Database *database, const char *name, Error *error) MUST_CHECK;

/* Whether exported_adopt failed because nobody has it exported any more. */
bool exported_is_gone(const Error *error);
