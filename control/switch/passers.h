/*
 * Who passes a fence by design, and what can be done about each:
 *
 *     apply workers of subscriptions   they write behind it: their subscriptions are disabled
 *     COMMIT PREPARED                  no fence stops it: prepared transactions are refused
 *     roles with a read-only default   a role's setting wins over the database's: the role gets one for this database, which
 *     of their own                     wins over that
 *     background workers               ended; one that begins again reads the fence's settings
 *     superusers                       ended; they come back read-only, and may say otherwise. prove.h sees what they write
 *
 * What is changed of roles and subscriptions is in the fence's detail: {"roles": [{"role", "value"}], "subscriptions": [name]}.
 * Subscriptions of our own (penstock_…) are no concern of these functions.
 */
#pragma once

#include <jansson.h>

#include "database.h"
#include "error.h"

/* Adds to detail what passers_restore needs. */
int passers_remember(Database *database, json_t *detail, Error *error) MUST_CHECK;

/* Stops the subscriptions and roles of detail. */
int passers_stop(Database *database, const json_t *detail, Error *error) MUST_CHECK;

/* Of these the roles alone. */
int passers_stop_roles(Database *database, const json_t *detail, Error *error) MUST_CHECK;

/* The other way. A role or subscription that is gone is no error. */
int passers_restore(Database *database, const json_t *detail, Error *error) MUST_CHECK;

/* ERROR_STATE, naming them, when there are prepared transactions, or a subscription that is enabled. */
int passers_check(Database *database, const char *side, Error *error) MUST_CHECK;
int passers_check_prepared(Database *database, const char *side, Error *error) MUST_CHECK;
int passers_check_subscriptions(Database *database, const char *side, Error *error) MUST_CHECK;

/* Background workers, and roles with a default of their own; NULL: none. The caller frees *who. */
int passers_name(Database *database, char **who, Error *error) MUST_CHECK;

/* SQL for pg_stat_activity: a session that a fence ends. Walsenders and our own apply worker go on. */
#define PASSERS_ENDED                                                                                        \
    " datname = current_database() AND pid <> pg_backend_pid()"                                              \
    " AND backend_type NOT IN ('walsender', 'autovacuum launcher', 'autovacuum worker', 'parallel worker')"  \
    " AND pid NOT IN (SELECT s.pid FROM pg_stat_subscription s"                                              \
    "                  WHERE s.pid IS NOT NULL AND s.subname ~ '^penstock_')"
