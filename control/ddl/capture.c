/*
 * All that is made is made in one transaction: capture is there whole or not at all. The key of the seal is made once and stays:
 * messages that were sealed with it may still be in the WAL.
 */
#include "capture.h"

#include <errno.h>
#include <string.h>

#include "random.h"
#include "silence.h"

extern const char control_capture_sql[];

static const char *const names[] = {
    [DDL_UNSET] = "", [DDL_CAPTURE] = "capture", [DDL_WATCH] = "watch", [DDL_OFF] = "off"};

bool ddl_mode_parse(const char *text, DdlMode *out)
{
    for (size_t i = DDL_CAPTURE; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (DdlMode)i;
            return true;
        }
    }
    return false;
}

const char *ddl_mode_name(DdlMode mode)
{
    return names[mode];
}

/* Event triggers take a superuser (commands/event_trigger.c, all majors). A schema penstock is ours when its comment says so. */
static int look(Database *source, bool *superuser, bool *foreign, Error *error)
{
    PGresult *row = NULL;
    if (database_query(source, &row, error,
                       "SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), "
                       "EXISTS (SELECT FROM "
                       "pg_catalog.pg_namespace n WHERE n.nspname = 'penstock' AND "
                       "coalesce(pg_catalog.obj_description(n.oid, 'pg_namespace'), '') !~ '^Penstock')",
                       0) != 0) {
        return error_context(error, "looking whether DDL can be captured at the source");
    }
    *superuser = PQgetvalue(row, 0, 0)[0] == 't';
    *foreign = PQgetvalue(row, 0, 1)[0] == 't';
    PQclear(row);
    return 0;
}

int capture_choose(Database *source, DdlMode *out, const char **why, Error *error)
{
    bool superuser = false, foreign = false;
    *why = NULL;
    if (look(source, &superuser, &foreign, error) != 0) {
        return -1;
    }
    *out = superuser && !foreign ? DDL_CAPTURE : DDL_WATCH;
    if (!superuser) {
        *why = "the role of --source is no superuser, which event triggers take";
    } else if (foreign) {
        *why = "the source has a schema penstock that is not ours";
    }
    return 0;
}

static int check(Database *source, Error *error)
{
    bool superuser = false, foreign = false;
    if (look(source, &superuser, &foreign, error) != 0) {
        return -1;
    }
    if (foreign) {
        error_set(error, ERROR_SOURCE,
                  "DDL cannot be captured: the source has a schema penstock that is not ours");
        return error_hint(error, "Rename that schema, or give --ddl watch.");
    }
    if (!superuser) {
        error_set(
            error, ERROR_SOURCE,
            "DDL cannot be captured: event triggers take a superuser, which the role of --source is not");
        return error_hint(error, "Name a superuser for copy and finish, or give --ddl watch, which compares "
                                 "the two schemas instead.");
    }
    return 0;
}

/* No event trigger fires for that (commands/event_trigger.c). */
static const char drop_triggers[] = "DROP EVENT TRIGGER IF EXISTS penstock_ddl_start;"
                                    "DROP EVENT TRIGGER IF EXISTS penstock_ddl_end;"
                                    "DROP EVENT TRIGGER IF EXISTS penstock_ddl_drop;"
                                    "DROP EVENT TRIGGER IF EXISTS penstock_ddl_rewrite";

/* The triggers go first: what is made here is not to be told of by those that are there still. */
static int make(Database *source, Error *error)
{
    char token[RANDOM_NAME_SIZE];
    return random_name(token, error) == 0 && database_execute(source, error, drop_triggers, 0) == 0 &&
                   database_execute(source, error,
                                    "CREATE SCHEMA IF NOT EXISTS penstock; COMMENT ON SCHEMA penstock IS "
                                    "'Penstock: captures the DDL "
                                    "of a migration; penstock finish removes it'",
                                    0) == 0 &&
                   database_execute(source, error, control_capture_sql, 0) == 0 &&
                   database_execute(
                       source, error,
                       "INSERT INTO penstock.penstock_ddl_seal SELECT pg_catalog.decode($1, 'hex')"
                       " WHERE NOT EXISTS (SELECT FROM penstock.penstock_ddl_seal)",
                       1, token) == 0
               ? 0
               : -1;
}

/* A superuser's. Event triggers of the user's that are ENABLE, and refuse or write down what is defined, do not act on it. */
static int in_transaction(Database *source, int (*work)(Database *source, Error *error), Error *error)
{
    Error ignored;
    int status = database_execute(source, error, "BEGIN READ WRITE; " SILENCE_EVENT_TRIGGERS, 0) == 0
                     ? work(source, error)
                     : -1;
    if (status == 0) {
        return database_execute(source, error, "COMMIT", 0);
    }
    (void)!database_execute(source, &ignored, "ROLLBACK", 0);
    return -1;
}

int capture_install(Database *source, Error *error)
{
    if (check(source, error) != 0) {
        return -1;
    }
    return in_transaction(source, make, error) == 0
               ? 0
               : error_context(error, "making the event triggers that capture DDL");
}

int capture_is_there(Database *source, bool *there, Error *error)
{
    return database_found(
               source, there, error,
               "SELECT 1 FROM pg_catalog.pg_event_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.evtfoid"
               " WHERE p.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'penstock')"
               "   AND t.evtname IN ('penstock_ddl_start', 'penstock_ddl_end', "
               "'penstock_ddl_drop', 'penstock_ddl_rewrite')"
               "   AND t.evtenabled = 'A' HAVING pg_catalog.count(*) = 4",
               0) == 0
               ? 0
               : error_context(error, "looking for the event triggers that capture DDL");
}

int capture_token(Database *source, char **out, Error *error)
{
    return database_value(source, out, error,
                          "SELECT pg_catalog.encode(token, 'hex') FROM penstock.penstock_ddl_seal", 0) == 0
               ? 0
               : error_context(error, "reading the key of captured DDL");
}

/* The schema goes only when nothing else is in it, and it is ours. */
static int drop(Database *source, Error *error)
{
    if (database_execute(source, error, drop_triggers, 0) != 0) {
        return -1;
    }
    return database_execute(source, error,
                            "DROP FUNCTION IF EXISTS penstock.penstock_ddl_start();"
                            "DROP FUNCTION IF EXISTS penstock.penstock_ddl_tell();"
                            "DROP FUNCTION IF EXISTS penstock.penstock_ddl_rewrite();"
                            "DROP FUNCTION IF EXISTS penstock.penstock_ddl_write(text, text, text, text);"
                            "DROP FUNCTION IF EXISTS penstock.penstock_ddl_table(oid, text);"
                            "DROP FUNCTION IF EXISTS penstock.penstock_ddl_keep(jsonb);"
                            "DROP FUNCTION IF EXISTS penstock.penstock_ddl_kept();"
                            "DROP TABLE IF EXISTS penstock.penstock_ddl_seal;"
                            "DO $$ BEGIN"
                            "  IF NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE refclassid = "
                            "'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid = "
                            "'penstock'::pg_catalog.regnamespace) THEN"
                            "    DROP SCHEMA penstock;"
                            "  END IF; END $$",
                            0);
}

int capture_remove(Database *source, const char *slot, bool *removed, bool *kept, Error *error)
{
    *removed = *kept = false;
    bool there = false;
    if (database_found(source, &there, error,
                       "SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.nspname = 'penstock' AND "
                       "pg_catalog.obj_description(n.oid, 'pg_namespace') LIKE 'Penstock: captures%'",
                       0) != 0) {
        return error_context(error, "looking for the event triggers that capture DDL");
    }
    if (!there) {
        return 0;
    }
    if (database_found(source, kept, error,
                       "SELECT 1 FROM pg_catalog.pg_replication_slots WHERE plugin = 'penstock'"
                       " AND database = pg_catalog.current_database() AND slot_name <> $1 LIMIT 1",
                       1, slot) != 0) {
        return error_context(error, "looking for other migrations of the source");
    }
    if (*kept) {
        return 0;
    }
    if (in_transaction(source, drop, error) != 0) {
        return error_context(error, "removing the event triggers that capture DDL");
    }
    *removed = true;
    return 0;
}
