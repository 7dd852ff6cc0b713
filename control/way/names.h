/*
 * The names of the way back may be a user's, too, and nothing is dropped or changed that this migration did not make. Ours is
 *
 *     a publication    whose comment says so
 *     a subscription   of this database that takes just our two publications
 *     a slot           of this database and pgoutput (own_slot.h), once the journal has that a cutover began to make one
 *
 * Private to this folder but for reverse_check_names, which is in reverse.h.
 */
#pragma once

#include "reverse_parts.h"

#define NAMES_COMMENT "Penstock: the way back of a migration; rollback and finish take it away"

/* Of SQL: the subscription of ours that is called $1. */
#define NAMES_SUBSCRIPTION                                                                                   \
    " FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()"     \
    " WHERE s.subname = $1 AND s.subpublications = ARRAY[$1::text, replace($1::text, 'penstock_reverse_', "  \
    "'penstock_inserts_')]"

typedef enum NameOwner { NAME_FREE, NAME_OURS, NAME_FOREIGN } NameOwner;

int names_publication(Database *target, const char *name, NameOwner *out, Error *error) MUST_CHECK;

/* ERROR_STATE when one of that name is there that is not ours. */
int names_refuse_publication(Database *target, const char *name, Error *error) MUST_CHECK;

/* Whether a slot of our name, database and plugin may be of a cutover's making. */
int names_slot_was_made(Database *target, const Migration *migration, bool *made, Error *error) MUST_CHECK;
