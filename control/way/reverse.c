/*
 * Publications and subscription.
 *
 * Names are made of the migration's, which has no characters that would need quotes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "query.h"
#include "reverse_parts.h"
#include "silence.h"
#include "text.h"

/* What a part may take at least, on the way back too. */
#define PART_MS 5000

bool reverse_possible(const Migration *migration)
{
    return strlen(migration->slot_name) + strlen("reverse_") <= 63;
}

void reverse_names(const Migration *migration, char all[64], char inserts[64])
{
    const char *name = migration->slot_name + strlen("penstock_");
    snprintf(all, 64, "penstock_reverse_%.46s", name);
    snprintf(inserts, 64, "penstock_inserts_%.46s", name);
}

int reverse_name(const Migration *migration, char out[64], Error *error)
{
    if (!reverse_possible(migration)) {
        error_set(error, ERROR_USAGE, "the migration's name is too long for the slot of the way back");
        return error_hint(error, "46 characters at most; or go without a way back: --no-reverse.");
    }
    char inserts[64];
    reverse_names(migration, out, inserts);
    return 0;
}

/* --- publications --- */

static int add_part(Database *target, const char *name, const char *part, const WatchedWait *wait,
                    Error *error)
{
    char *sql = NULL;
    int size = asprintf(&sql, SILENCE_EVENT_TRIGGERS "ALTER PUBLICATION %s ADD TABLE ONLY %s", name, part);
    int status = size < 0 ? error_set(error, ERROR_SYSTEM, "out of memory")
                          : watched_run(target, sql, "publishing tables", wait, error);
    free(sql);
    return status;
}

/* Each part has as long as the whole was given, at most PART_MS: what goes on is not given up. */
static void renew_limit(Database *target)
{
    QueryLimits limits = database_limits(target), part = query_within(PART_MS);
    if (limits.deadline != 0 && limits.deadline < part.deadline) {
        limits.deadline = part.deadline;
        database_limit(target, limits);
    }
}

/*
 * DROP PUBLICATION keeps a lock for each of its tables (deleteDependentObjects: the row of pg_publication_rel is an object),
 * for which a server has not locks enough when there are many. So all but the last few leave it before. That locks the tables
 * themselves, which without need it should not: a small publication is dropped as it is.
 */
static int drop_one(Database *target, const char *name, Error *error)
{
    PGresult *parts;
    NameOwner owner;
    if (names_publication(target, name, &owner, error) != 0) {
        return -1;
    }
    if (owner != NAME_OURS) {
        return 0; /* gone already, or a user's, which stays */
    }
    if (database_query(
            target, &parts, error,
            "SELECT string_agg(name, ', ONLY ') FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name,"
            "  (row_number() OVER (ORDER BY c.oid) - 1) / " REVERSE_PART " AS part"
            "  FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid "
            "= r.prrelid"
            "   JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1) s GROUP BY part ORDER BY "
            "part DESC",
            1, name) != 0) {
        return -1;
    }
    int status = 0;
    for (int i = 0; status == 0 && i < PQntuples(parts) - 1; i++) {
        Text sql = {0};
        text_printf(&sql, SILENCE_EVENT_TRIGGERS "ALTER PUBLICATION %s DROP TABLE ONLY %s", name,
                    PQgetvalue(parts, i, 0));
        renew_limit(target);
        status = database_execute(target, error, sql.data, 0);
        text_free(&sql);
    }
    PQclear(parts);
    char sql[192];
    snprintf(sql, sizeof sql,
             SILENCE_EVENT_TRIGGERS "SET client_min_messages = warning; DROP PUBLICATION IF EXISTS %s", name);
    return status == 0 ? database_execute(target, error, sql, 0) : -1;
}

static int publish_one(Database *target, const Migration *migration, const char *name, const char *comes_back,
                       const char *options, const WatchedWait *wait, Error *error)
{
    PGresult *parts;
    char sql[512];
    snprintf(sql, sizeof sql,
             SILENCE_EVENT_TRIGGERS
             "CREATE PUBLICATION %s WITH (publish = '%s'); COMMENT ON PUBLICATION %s IS "
             "'" NAMES_COMMENT "'",
             name, options, name);
    if (names_refuse_publication(target, name, error) != 0 ||
        reverse_table_parts(target, migration, comes_back, &parts, error) != 0) {
        return -1;
    }
    int status = drop_one(target, name, error) == 0 ? database_execute(target, error, sql, 0) : -1;
    for (int i = 0; status == 0 && i < PQntuples(parts); i++) {
        status = add_part(target, name, PQgetvalue(parts, i, 0), wait, error);
    }
    PQclear(parts);
    return status;
}

int reverse_publish(Database *target, const Migration *migration, const WatchedWait *wait, Error *error)
{
    char all[64], inserts[64];
    reverse_names(migration, all, inserts);
    if (publish_one(target, migration, all, "all", "insert, update, delete, truncate", wait, error) != 0) {
        return -1;
    }
    return publish_one(target, migration, inserts, "inserts", "insert, truncate", wait, error);
}

int reverse_unpublish(Database *target, const Migration *migration, Error *error)
{
    char all[64], inserts[64];
    reverse_names(migration, all, inserts);
    if (!reverse_possible(migration)) {
        return 0;
    }
    return drop_one(target, all, error) == 0 ? drop_one(target, inserts, error) : -1;
}

/* --- subscription --- */

/*
 * The statement holds conninfo's password. That it is not logged, kept by pg_stat_statements, or shown in pg_stat_activity has to
 * be settled by a statement before it: what is sent together is logged together, and before it is run.
 */
static const char discretion[] =
    "SET LOCAL log_statement = none; SET LOCAL log_min_duration_statement = -1;"
    " SET LOCAL log_min_error_statement = panic; SET LOCAL pg_stat_statements.track = none;"
    " SET LOCAL track_activities = off; " SILENCE_EVENT_TRIGGERS;

int reverse_create_subscription(Database *source, const char *name, const char *conninfo, const char *rest,
                                Error *error)
{
    char *literal = PQescapeLiteral(database_connection(source), conninfo, strlen(conninfo));
    char *sql = NULL;
    if (literal == NULL ||
        asprintf(&sql, "CREATE SUBSCRIPTION %s CONNECTION %s %s", name, literal, rest) < 0) {
        PQfreemem(literal);
        return error_set(error, ERROR_SYSTEM, "out of memory");
    }
    int status = database_execute(source, error, discretion, 0);
    if (status == 0) {
        status = database_execute(source, error, sql, 0);
    }
    PQfreemem(literal);
    free(sql);
    return status;
}

int reverse_rollback(Database *database, int status)
{
    Error ignored;
    return database_execute(database, &ignored, "ROLLBACK", 0) == 0 ? status : -1;
}

static int subscription_exists(Database *source, const char *name, bool *exists, Error *error)
{
    return database_found(source, exists, error, "SELECT 1" NAMES_SUBSCRIPTION, 1, name);
}

int reverse_published(Database *target, const Migration *migration, PGresult **out, Error *error)
{
    char all[64], inserts[64];
    reverse_names(migration, all, inserts);
    return database_query(
        target, out, error,
        "SELECT coalesce(array_agg(schemaname), '{}'), coalesce(array_agg(tablename), '{}'), count(*)"
        "  FROM pg_publication_tables WHERE pubname IN ($1, $2)",
        2, all, inserts);
}

/*
 * The tables of the subscription, each as one that is up to date. CREATE and REFRESH would ask the target for them and lock
 * each on the source until the end of their transaction, for which a server has not locks enough when there are many; so
 * they are written into the catalog as AddSubscriptionRelState (11 to 14) does, with a position that is none: up to 12 the
 * column may not be null for SQL. Superusers may.
 */
static int add_tables(Database *source, const char *name, const PGresult *tables, Error *error)
{
    PGresult *added;
    if (database_query(
            source, &added, error,
            "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate, srsublsn)"
            " SELECT s.oid, c.oid, 'r', '0/0' FROM unnest($2::text[], $3::text[]) AS t (schema, name)"
            "   JOIN pg_namespace n ON n.nspname = t.schema"
            "   JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind = 'r'"
            "   JOIN pg_subscription s ON s.subname = $1"
            "   JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()",
            3, name, PQgetvalue(tables, 0, 0), PQgetvalue(tables, 0, 1)) != 0) {
        return -1;
    }
    bool all = strcmp(PQcmdTuples(added), PQgetvalue(tables, 0, 2)) == 0;
    int status =
        all ? 0
            : error_set(error, ERROR_STATE, "the way back: of %s tables of the target the source has %s",
                        PQgetvalue(tables, 0, 2), PQcmdTuples(added));
    PQclear(added);
    return status;
}

static int make_subscription(Database *source, const char *name, const char *inserts, const char *conninfo,
                             const PGresult *tables, Error *error)
{
    char rest[320];
    snprintf(rest, sizeof rest,
             "PUBLICATION %s, %s WITH (connect = false, slot_name = %s, synchronous_commit = off)", name,
             inserts, name);
    if (database_execute(source, error, "BEGIN", 0) != 0) {
        return -1;
    }
    if (reverse_create_subscription(source, name, conninfo, rest, error) != 0 ||
        add_tables(source, name, tables, error) != 0) {
        return reverse_rollback(source, -1);
    }
    return database_execute(source, error, "COMMIT", 0);
}

/* One that is there is of an earlier try, and may lack tables. */
int reverse_subscribe(Database *source, Database *target, const Migration *migration, const char *conninfo,
                      Error *error)
{
    char name[64], inserts[64];
    PGresult *tables;
    reverse_names(migration, name, inserts);
    if (reverse_unsubscribe(source, migration, error) != 0 ||
        reverse_published(target, migration, &tables, error) != 0) {
        return -1;
    }
    int status = make_subscription(source, name, inserts, conninfo, tables, error);
    PQclear(tables);
    return status;
}

/* A subscription's origin is called by its OID (subscriptioncmds.c), and its worker asks for what lies behind it (worker.c). */
int reverse_begin_at(Database *source, const Migration *migration, Lsn begins, Error *error)
{
    char name[64], inserts[64], lsn[LSN_TEXT_SIZE];
    reverse_names(migration, name, inserts);
    return database_execute(
        source, error,
        "SELECT pg_replication_origin_advance(concat('pg_', s.oid), $2::pg_lsn)" NAMES_SUBSCRIPTION, 2, name,
        lsn_format(begins, lsn));
}

static int set_enabled(Database *source, const char *name, bool enabled, Error *error)
{
    char sql[192];
    snprintf(sql, sizeof sql, SILENCE_EVENT_TRIGGERS "ALTER SUBSCRIPTION %s %s", name,
             enabled ? "ENABLE" : "DISABLE");
    return database_execute(source, error, sql, 0);
}

int reverse_subscription(Database *source, const Migration *migration, bool *exists, bool *enabled,
                         Error *error)
{
    char name[64], inserts[64];
    char *text = NULL;
    reverse_names(migration, name, inserts);
    if (database_value(source, &text, error, "SELECT s.subenabled" NAMES_SUBSCRIPTION, 1, name) != 0) {
        return -1;
    }
    *exists = text != NULL;
    *enabled = *exists && *text == 't';
    free(text);
    return 0;
}

int reverse_enable(Database *source, const Migration *migration, Error *error)
{
    char name[64], inserts[64];
    reverse_names(migration, name, inserts);
    return set_enabled(source, name, true, error);
}

int reverse_stand(Database *source, const Migration *migration, bool still, Error *error)
{
    char name[64], inserts[64];
    bool otherwise;
    reverse_names(migration, name, inserts);
    if (!reverse_possible(migration)) {
        return 0;
    }
    if (database_found(source, &otherwise, error,
                       "SELECT 1" NAMES_SUBSCRIPTION " AND s.subenabled = $2::bool", 2, name,
                       still ? "true" : "false") != 0) {
        return -1;
    }
    return otherwise ? set_enabled(source, name, !still, error) : 0;
}

int reverse_unsubscribe(Database *source, const Migration *migration, Error *error)
{
    char name[64], inserts[64], sql[384];
    bool exists;
    reverse_names(migration, name, inserts);
    if (!reverse_possible(migration)) {
        return 0;
    }
    if (subscription_exists(source, name, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        return 0;
    }
    snprintf(
        sql, sizeof sql,
        SILENCE_EVENT_TRIGGERS
        "ALTER SUBSCRIPTION %s DISABLE; ALTER SUBSCRIPTION %s SET (slot_name = NONE); DROP SUBSCRIPTION %s",
        name, name, name);
    return database_execute(source, error, sql, 0);
}
