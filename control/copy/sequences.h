/*
 * Sequences: their values on the target made what they are on the source. Logical decoding does not carry
 * them, so this is done when the copy ends and again at cutover, when nothing advances them any more.
 *
 * Covers every permanent sequence of the database, owned by a column or not, but not those of schema penstock
 * and of extensions (except where the extension marks them as its user's data). last_value and is_called are
 * both taken from the sequence itself: pg_sequences hides last_value of a sequence that has not been called,
 * which setval(…, false) may have set. A few hundred sequences go in one query, so that many thousands take
 * seconds.
 *
 * Setting a sequence is not transactional: it stays set whatever becomes of the surrounding transaction, and
 * doing it again is harmless.
 */
#pragma once

#include <stddef.h>

#include "database.h"
#include "error.h"

/* Those sequences: schema and name, in that order. The caller frees *out with PQclear. */
int sequences_list(Database *source, PGresult **out, Error *error) MUST_CHECK;

/*
 * Sets each sequence on the target to the last_value and is_called that it has on the source; *count is how
 * many. ERROR_TARGET, naming the first, when sequences are missing on the target (the others of its batch are
 * set). Where they stand from then on is written down for the migration (penstock.sequence).
 */
int sequences_copy(Database *source, Database *target, const char *migration, size_t *count,
                   Error *error) MUST_CHECK;
