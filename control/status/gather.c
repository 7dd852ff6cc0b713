/*
 * One look at both servers. The target's part is one statement (state/overview.h), the source's another; what
 * follows from both (lag, rates, what Penstock made) is worked out here. The source may be away: then its
 * part says why.
 *
 * Lag in bytes is measured from the source's current end of WAL to the low-water mark, since that is what is
 * durable on the target. Lag in seconds is the age of the newest commit that is durable there; on an idle
 * source that would grow for ever, so it counts only while bytes are missing.
 */
#include "status.h"

#include <stdlib.h>
#include <string.h>

#include "overview.h"

#define IDLE_BYTES (64 << 10)

static const char source_sql[] =
    "SELECT json_build_object('reachable', true, 'version', current_setting('server_version'), "
    "'current_lsn', e.lsn, 'low_water_lag_bytes', pg_wal_lsn_diff(e.lsn, nullif($2, '')::pg_lsn), "
    "'fenced', (SELECT datconnlimit = 0 FROM pg_database WHERE datname = current_database()) "
    "  AND EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = "
    "  (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "  AND 'default_transaction_read_only=on' = ANY (setconfig)), "
    "'slot', (SELECT json_build_object('name', slot_name, 'exists', true, 'active', active, "
    "  'active_pid', active_pid, 'restart_lsn', restart_lsn, 'confirmed_lsn', confirmed_flush_lsn, "
    "  'lag_bytes', pg_wal_lsn_diff(e.lsn, confirmed_flush_lsn), "
    "  'kept_bytes', pg_wal_lsn_diff(e.lsn, restart_lsn)) FROM pg_replication_slots WHERE slot_name = $1), "
    "'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'temporary', temporary, "
    "  'database', database) ORDER BY slot_name), '[]') FROM pg_replication_slots WHERE plugin = "
    "'penstock'), "
    "'subscriptions', (SELECT coalesce(json_agg(s.subname ORDER BY s.subname), '[]') FROM pg_subscription s "
    "  WHERE s.subname LIKE 'penstock\\_reverse\\_%' AND s.subdbid = "
    "  (SELECT oid FROM pg_database WHERE datname = current_database())))::text "
    "FROM (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END "
    "AS lsn) e";

/* The way back, $1 is the name of the slot of the way there: see reverse.h. */
static const char reverse_sql[] =
    "SELECT json_build_object("
    "'fenced', (SELECT datconnlimit = 0 FROM pg_database WHERE datname = current_database()) "
    "  AND EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = "
    "  (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "  AND 'default_transaction_read_only=on' = ANY (setconfig)), "
    "'slot', (SELECT json_build_object('name', slot_name, 'active', active, 'confirmed_lsn', "
    "  confirmed_flush_lsn, 'lag_bytes', greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), "
    "confirmed_flush_lsn), 0), "
    "  'kept_bytes', pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots "
    "  WHERE slot_name = 'penstock_reverse_' || substr($1, 10)), "
    "'publications', (SELECT coalesce(json_agg(pubname ORDER BY pubname), '[]') FROM pg_publication "
    "  WHERE pubname LIKE 'penstock\\_reverse\\_%' OR pubname LIKE 'penstock\\_inserts\\_%'))::text";

/* An open connection whose server answers, or NULL in *database. */
static int ensure_connection(Database **database, const char *uri, DatabaseEnd end, Error *error)
{
    if (*database != NULL && PQstatus(database_connection(*database)) == CONNECTION_OK) {
        return 0;
    }
    database_close(*database);
    *database = NULL;
    if (database_connect(uri, end, "status", database, error) != 0) {
        *database = NULL;
        return -1;
    }
    PQsetClientEncoding(database_connection(*database), "UTF8");
    return 0;
}

static json_t *take_json(char *text)
{
    json_t *value = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    free(text);
    return value != NULL ? value : json_null();
}

static json_t *unreachable(const Error *error)
{
    json_t *source = json_pack("{s:b, s:s}", "reachable", 0, "error", error->message);
    return source != NULL ? source : json_pack("{s:b}", "reachable", 0);
}

static json_t *gather_source(StatusSession *session, const char *slot, const char *low_water)
{
    Error error = {.code = ERROR_NONE};
    char *text = NULL;
    if (ensure_connection(&session->source, session->settings->source, DATABASE_SOURCE, &error) != 0 ||
        database_value(session->source, &text, &error, source_sql, 2, slot, low_water) != 0) {
        return unreachable(&error);
    }
    return take_json(text);
}

static json_t *no_migration(const char *name)
{
    return json_pack("{s:s, s:s}", "name", name, "phase", "none");
}

static int gather_state(StatusSession *session, json_t **document, Error *error)
{
    const char *name = session->settings->migration;
    bool exists = false;
    char *text = NULL, *tables = NULL, *schema = NULL;
    if (ensure_connection(&session->target, session->settings->target, DATABASE_TARGET, error) != 0 ||
        database_value(session->target, &schema, error, "SELECT to_regnamespace('penstock')::text", 0) != 0 ||
        state_exists(session->target, &exists, error) != 0 ||
        (exists && state_overview(session->target, name, &text, error) != 0) ||
        (exists && session->tables && state_tables(session->target, name, &tables, error) != 0)) {
        free(schema);
        free(text);
        return -1;
    }
    json_t *state = exists ? take_json(text) : json_object();
    bool known = json_is_object(json_object_get(state, "migration"));
    *document = no_migration(name);
    json_object_set_new(*document, "schema", json_boolean(schema != NULL));
    free(schema);
    if (known) {
        json_object_update(*document, state);
        json_object_set(*document, "phase", json_object_get(json_object_get(state, "migration"), "phase"));
    }
    json_decref(state);
    if (tables != NULL) {
        json_object_set_new(*document, "tables", take_json(tables));
    }
    return 0;
}

static int gather_reverse(StatusSession *session, json_t *document, Error *error)
{
    char *text = NULL;
    if (database_value(session->target, &text, error, reverse_sql, 1,
                       status_text(document, "migration.slot_name")) != 0) {
        return -1;
    }
    json_object_set_new(document, "reverse", take_json(text));
    return 0;
}

/* Moves the slot out of the source's part to the top. */
static void place_slot(json_t *document)
{
    json_t *source = json_object_get(document, "source");
    const char *name = status_text(document, "migration.slot_name");
    json_t *slot = json_object_get(source, "slot");
    if (json_is_object(slot)) {
        json_object_set(document, "slot", slot);
    } else {
        json_t *exists = status_true(source, "reachable") ? json_false() : json_null();
        json_object_set_new(document, "slot", json_pack("{s:s, s:o}", "name", name, "exists", exists));
    }
    json_object_del(source, "slot");
}

static void add_lag(json_t *document)
{
    double bytes = status_number(document, "source.low_water_lag_bytes");
    double seconds = status_number(document, "applier.commit_age_seconds");
    bool known = bytes >= 0 && status_at(document, "source.low_water_lag_bytes") != NULL;
    json_t *lag = json_object();
    if (known) {
        json_object_set_new(lag, "bytes", json_integer((json_int_t)bytes));
    }
    if (seconds >= 0) {
        json_object_set_new(lag, "seconds", json_real(known && bytes < IDLE_BYTES ? 0.0 : seconds));
    }
    json_object_set_new(document, "lag", lag);
    json_object_del(json_object_get(document, "source"), "low_water_lag_bytes");
}

/* What the counter at path gained per second since the earlier look; per second of its whole run without one. */
static double rate(const json_t *previous, const json_t *document, const char *path)
{
    double seconds = status_number(document, "applier.running_seconds");
    double count = status_number(document, path);
    bool same_run = previous != NULL && strcmp(status_text(previous, "applier.started_at"),
                                               status_text(document, "applier.started_at")) == 0;
    if (same_run) {
        seconds -= status_number(previous, "applier.running_seconds");
        count -= status_number(previous, path);
    }
    return seconds > 0 ? count / seconds : -1;
}

static void add_rates(const json_t *previous, json_t *document)
{
    static const struct {
        const char *name;
        const char *path;
    } rows[] = {{"transactions_per_second", "applier.transactions"},
                {"changes_per_second", "applier.changes"}};
    json_t *rates = json_object();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double value = rate(previous, document, rows[i].path);
        if (value >= 0) {
            json_object_set_new(rates, rows[i].name, json_real(value));
        } else if (previous != NULL && status_number(previous, "applier.transactions") >= 0) {
            /* The applier has not reported since: what was true then still is what we know. */
            json_object_set(rates, rows[i].name,
                            json_object_get(json_object_get(previous, "rates"), rows[i].name));
        }
    }
    json_object_set_new(document, "rates", rates);
}

static void add_made(json_t *made, const char *where, const char *what)
{
    json_array_append_new(made, json_pack("{s:s, s:s}", "where", where, "what", what));
}

/* Everything that Penstock made and that finish, or a person, has to take away again. */
static void list_made(json_t *document)
{
    json_t *made = json_array(), *slot, *name;
    size_t index;
    char what[160];
    json_array_foreach(json_object_get(json_object_get(document, "source"), "subscriptions"), index, name)
    {
        snprintf(what, sizeof what, "subscription %s", json_string_value(name));
        add_made(made, "source", what);
    }
    json_array_foreach(json_object_get(json_object_get(document, "source"), "slots"), index, slot)
    {
        snprintf(what, sizeof what, "%sreplication slot %s",
                 status_true(slot, "temporary") ? "temporary " : "", status_text(slot, "name"));
        add_made(made, "source", what);
    }
    if (status_true(document, "source.fenced")) {
        add_made(made, "source", "fence: connection limit 0 and read-only by default on the database");
    }
    json_array_foreach(status_at(document, "reverse.publications"), index, name)
    {
        snprintf(what, sizeof what, "publication %s", json_string_value(name));
        add_made(made, "target", what);
    }
    if (json_is_object(status_at(document, "reverse.slot"))) {
        snprintf(what, sizeof what, "replication slot %s", status_text(document, "reverse.slot.name"));
        add_made(made, "target", what);
    }
    if (status_true(document, "reverse.fenced")) {
        add_made(made, "target", "fence: connection limit 0 and read-only by default on the database");
    }
    if (status_true(document, "schema")) {
        add_made(made, "target", "schema penstock");
    }
    json_object_set_new(document, "made", made);
    json_object_del(document, "schema");
    json_object_del(json_object_get(document, "source"), "slots");
    json_object_del(json_object_get(document, "source"), "subscriptions");
}

int status_gather(StatusSession *session, const json_t *previous, json_t **document, Error *error)
{
    if (gather_state(session, document, error) != 0 || gather_reverse(session, *document, error) != 0) {
        return -1;
    }
    json_object_set_new(*document, "source",
                        gather_source(session, status_text(*document, "migration.slot_name"),
                                      status_text(*document, "applier.low_water_lsn")));
    bool known = strcmp(status_text(*document, "phase"), "none") != 0;
    if (known) {
        place_slot(*document);
        add_lag(*document);
        add_rates(previous, *document);
    } else {
        json_object_del(json_object_get(*document, "source"), "low_water_lag_bytes");
        json_object_del(json_object_get(*document, "source"), "slot");
    }
    list_made(*document);
    json_object_set_new(*document, "next", json_string(status_next(*document)));
    return 0;
}

void status_close(StatusSession *session)
{
    database_close(session->target);
    database_close(session->source);
}
