/*
 * The schema itself: is it there, make it, drop it; and what belongs to no single row of it, the locks.
 *
 * Which layout a schema has is written in its comment. After `finish --keep-journal` the comment says so, and
 * only the journal is left: for everyone else that is the same as no schema at all, and the next migration
 * builds on it.
 *
 * The locks are session-level advisory locks of the target database, so they vanish with the connection that
 * took them, whatever killed it. Their key is a hash of migration and role.
 */
#include "overview.h"

#include <stdlib.h>
#include <string.h>

#include "advisory.h"
#include "silence.h"

#define LAYOUT "Penstock state, layout 8"
#define LAYOUT_JOURNAL "Penstock journal, layout 2"

extern const char state_schema_sql[];

int state_exists(Database *target, bool *exists, Error *error)
{
    PGresult *result = NULL;
    *exists = false;
    if (database_query(target, &result, error,
                       "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace "
                       "WHERE nspname = 'penstock'",
                       0) != 0) {
        return error_context(error, "looking for schema penstock on the target");
    }
    bool found = PQntuples(result) > 0;
    bool ours = found && strcmp(PQgetvalue(result, 0, 0), LAYOUT) == 0;
    bool journal_only = found && strcmp(PQgetvalue(result, 0, 0), LAYOUT_JOURNAL) == 0;
    PQclear(result);
    if (found && !ours && !journal_only) {
        error_set(error, ERROR_STATE,
                  "schema penstock on the target was made by another version of Penstock or by someone else");
        return error_hint(error,
                          "End that migration with the version that began it, or drop or rename the schema.");
    }
    *exists = ours;
    return 0;
}

/*
 * SILENCE_EVENT_TRIGGERS for whoever may: the role need not be a superuser here. In a transaction, and right before DDL alone: foreign
 * keys do not act either.
 */
static int silence_if_allowed(Database *target, Error *error)
{
    return database_execute(target, error,
                            "SELECT pg_catalog.set_config('session_replication_role', 'replica', true)"
                            " FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper",
                            0);
}

static int create_unless_there(Database *target, Error *error)
{
    bool exists = false;
    if (database_execute(target, error,
                         "SELECT pg_advisory_xact_lock(hashtextextended('penstock:schema', 0))", 0) != 0 ||
        state_exists(target, &exists, error) != 0) {
        return -1;
    }
    if (exists) {
        return 0;
    }
    return silence_if_allowed(target, error) == 0 ? database_execute(target, error, state_schema_sql, 0) : -1;
}

/* Ends the open transaction: commits when status is 0, else rolls back and keeps the first error. */
static int end_transaction(Database *target, int status, Error *error)
{
    Error ignored;
    if (status == 0) {
        return database_execute(target, error, "COMMIT", 0);
    }
    if (database_execute(target, &ignored, "ROLLBACK", 0) != 0) {
        return -1;
    }
    return -1;
}

int state_create(Database *target, Error *error)
{
    if (database_execute(target, error, "BEGIN", 0) != 0 ||
        end_transaction(target, create_unless_there(target, error), error) != 0) {
        return error_context(error, "creating schema penstock on the target");
    }
    return 0;
}

int state_drop(Database *target, Error *error)
{
    if (database_execute(target, error,
                         "SET client_min_messages = warning; DROP SCHEMA IF EXISTS penstock CASCADE; "
                         "RESET client_min_messages",
                         0) != 0) {
        return error_context(error, "dropping schema penstock on the target");
    }
    return 0;
}

/* Each gives the statement that drops all of a kind, or NULL when there is none. */
static const char *const drop_all[] = {
    "SELECT CASE WHEN count(*) > 0 THEN format('DROP FUNCTION %s', string_agg(oid::regprocedure::text, ', "
    "')) END FROM pg_proc "
    "WHERE pronamespace = 'penstock'::regnamespace",
    "SELECT CASE WHEN count(*) > 0 THEN format('DROP VIEW %s', string_agg(format('penstock.%I', relname), "
    "', ')) END FROM pg_class "
    "WHERE relnamespace = 'penstock'::regnamespace AND relkind = 'v'",
    "SELECT CASE WHEN count(*) > 0 THEN format('DROP TABLE %s', string_agg(format('penstock.%I', relname), "
    "', ')) END FROM pg_class "
    "WHERE relnamespace = 'penstock'::regnamespace AND relkind = 'r' AND relname <> 'journal'",
};

/* Drops all but the journal. */
static int leave_journal(Database *target, Error *error)
{
    for (size_t i = 0; i < sizeof drop_all / sizeof *drop_all; i++) {
        char *drop = NULL;
        int status = database_value(target, &drop, error, drop_all[i], 0);
        if (status == 0 && drop != NULL) {
            status = database_execute(target, error, drop, 0);
        }
        free(drop);
        if (status != 0) {
            return -1;
        }
    }
    return database_execute(target, error, "COMMENT ON SCHEMA penstock IS '" LAYOUT_JOURNAL "'", 0);
}

/* Deletes the migration's rows; when it was the last one, the tables or the whole schema too. */
static int forget(Database *target, const char *name, bool keep_journal, Error *error)
{
    char *others = NULL;
    size_t triggers;
    if (state_unsilence(target, name, &triggers, error) != 0 ||
        database_execute(target, error, "DELETE FROM penstock.accepted WHERE migration = $1", 1, name) != 0 ||
        database_execute(target, error, "DELETE FROM penstock.migration WHERE name = $1", 1, name) != 0 ||
        (!keep_journal && database_execute(target, error, "DELETE FROM penstock.journal WHERE migration = $1",
                                           1, name) != 0) ||
        database_value(target, &others, error,
                       "SELECT EXISTS (SELECT FROM penstock.migration)::int + "
                       "2 * EXISTS (SELECT FROM penstock.journal)::int",
                       0) != 0) {
        return -1;
    }
    int left = (int)strtol(others, NULL, 10);
    free(others);
    if ((left & 1) != 0) {
        return 0;
    }
    return silence_if_allowed(target, error) != 0 ? -1
           : left == 0                            ? state_drop(target, error)
                                                  : leave_journal(target, error);
}

int state_forget(Database *target, const char *name, bool keep_journal, Error *error)
{
    if (database_execute(target, error, "BEGIN", 0) != 0 ||
        end_transaction(target, forget(target, name, keep_journal, error), error) != 0) {
        return error_context(error, "removing migration \"%s\" from schema penstock", name);
    }
    return 0;
}

#define LOCK_KEY "hashtextextended(concat('penstock:', $2::text, ':', $1::text), 0)"
#define HOLDER ADVISORY_HOLDERS(LOCK_KEY, " LEFT JOIN pg_stat_activity a ON a.pid = l.pid")

static int lock_refused(Database *target, const char *name, const char *role, Error *error)
{
    char *holder = NULL;
    if (database_value(target, &holder, error,
                       "SELECT format('process %s of the target server (%s, from %s)', l.pid, "
                       "coalesce(nullif(a.application_name, ''), 'no application name'), "
                       "CASE WHEN a.client_addr IS NULL THEN 'a local socket' ELSE format('%s port %s', "
                       "host(a.client_addr), a.client_port) END) "
                       "FROM " HOLDER,
                       2, name, role) != 0) {
        return -1;
    }
    error_set(error, ERROR_STATE, "another Penstock process has the %s lock of migration \"%s\": %s", role,
              name, holder != NULL ? holder : "it ended just now");
    error_hint(error, "Wait until it ends, or stop it; then run this again.");
    free(holder);
    return -1;
}

int state_lock(Database *target, const char *name, const char *role, Error *error)
{
    char *taken = NULL;
    if (database_value(target, &taken, error, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", 2, name, role) !=
        0) {
        return error_context(error, "taking the %s lock of migration \"%s\"", role, name);
    }
    bool have = taken != NULL && strcmp(taken, "t") == 0;
    free(taken);
    return have ? 0 : lock_refused(target, name, role, error);
}

int state_is_locked(Database *target, const char *name, const char *role, bool *locked, Error *error)
{
    return database_found(target, locked, error, "SELECT 1 FROM " ADVISORY_HOLDERS(LOCK_KEY, ""), 2, name,
                          role);
}

int state_end_holder(Database *target, const char *name, const char *role, int session, Error *error)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", session);
    if (database_execute(target, error,
                         "SELECT pg_terminate_backend(l.pid) FROM " HOLDER " AND l.pid = $3::int", 3, name,
                         role, pid) != 0) {
        return error_context(error, "ending the session that had the %s lock before", role);
    }
    return 0;
}

int state_is_holder(Database *target, const char *name, const char *role, int session, bool *holds,
                    Error *error)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", session);
    if (database_found(target, holds, error, "SELECT 1 FROM " HOLDER " AND l.pid = $3::int", 3, name, role,
                       pid) != 0) {
        return error_context(error, "looking for who has the %s lock", role);
    }
    return 0;
}
