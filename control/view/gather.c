/*
 * One look at both servers. The target's part is one statement (state/overview.h), the source's another; what
 * follows from both (lag, what Penstock made) is worked out here. The source may be away: then its part says why.
 *
 * Lag in bytes is measured from the source's current end of WAL to the low-water mark, since that is what is
 * durable on the target. Lag in seconds is 0 when that is nothing. Else it is the age, by the source's clock, of the newest
 * source time up to which the target is known to have everything: that of its newest commit, or of a heartbeat, which
 * stands for an idle source.
 *
 * Rates are the applier's own. One that does not run applies nothing, whatever it said last.
 */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#include "encoding.h"
#include "fence_sql.h"
#include "kinds.h"
#include "overview.h"
#include "text.h"

#define CLOSE_SECONDS 2.0 /* behind a source at work nobody is closer for long */

static const char source_sql[] =
    "SELECT json_build_object('reachable', true, 'version', current_setting('server_version'), "
    "'current_lsn', e.lsn, "
    "'lag_bytes', CASE WHEN $2 <> '' THEN greatest(pg_wal_lsn_diff(e.lsn, nullif($2, '')::pg_lsn), 0) END, "
    "'lag_seconds', CASE WHEN $3 <> '' THEN "
    "  round(greatest(extract(epoch FROM clock_timestamp() - nullif($3, '')::timestamptz), 0)::numeric, 3) "
    "END, "
    "'fenced', " FENCE_STANDS ", "
    "'finished', " FENCE_FINISHED_VALUE ", "
    "'slot', (SELECT json_build_object('name', slot_name, 'exists', true, 'active', active, "
    "  'active_pid', active_pid, 'restart_lsn', restart_lsn, 'confirmed_lsn', confirmed_flush_lsn, "
    "  'lag_bytes', pg_wal_lsn_diff(e.lsn, confirmed_flush_lsn), "
    "  'kept_bytes', pg_wal_lsn_diff(e.lsn, restart_lsn)) FROM pg_replication_slots WHERE slot_name = $1 "
    "  AND database = current_database()), "
    "'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'temporary', temporary, "
    "  'database', database) ORDER BY slot_name), '[]') FROM pg_replication_slots WHERE plugin = "
    "'penstock'), "
    "'event_triggers', (SELECT coalesce(json_agg(evtname ORDER BY evtname), '[]') FROM pg_event_trigger "
    "  WHERE evtname ~ '^penstock_ddl_'), "
    "'captures', (SELECT count(*) = 4 FROM pg_event_trigger WHERE evtname ~ '^penstock_ddl_' AND evtenabled "
    "= "
    "'A'), "
    "'subscriptions', (SELECT coalesce(json_agg(s.subname ORDER BY s.subname), '[]') FROM pg_subscription s "
    "  WHERE s.subname ~ '^penstock_reverse_' AND s.subdbid = "
    "  (SELECT oid FROM pg_database WHERE datname = current_database())))::text "
    "FROM (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END "
    "AS lsn) e";

/* The way back, $1 is the name of the slot of the way there: see reverse.h. */
static const char reverse_sql[] =
    "SELECT json_build_object("
    "'fenced', " FENCE_STANDS ", "
    "'slot', (SELECT json_build_object('name', slot_name, 'active', active, 'confirmed_lsn', "
    "  confirmed_flush_lsn, 'lag_bytes', greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), "
    "confirmed_flush_lsn), 0), "
    "  'kept_bytes', pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots "
    "  WHERE slot_name = concat('penstock_reverse_', substr($1, 10)) AND database = current_database()), "
    "'publications', (SELECT coalesce(json_agg(pubname ORDER BY pubname), '[]') FROM pg_publication "
    "  WHERE pubname ~ '^penstock_(reverse|inserts)_'))::text";

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
    return 0;
}

/* Names in a SQL_ASCII database are any bytes. */
char *view_valid_json(char *text)
{
    Text escaped = {0};
    if (text == NULL || encoding_is_utf8(text)) {
        return text;
    }
    for (const char *at = text; *at != '\0';) {
        size_t size = encoding_character(at);
        if (size == 0) {
            text_printf(&escaped, "\\u00%02x", (unsigned char)*at);
        } else {
            text_append_bytes(&escaped, at, size);
        }
        at += size == 0 ? 1 : size;
    }
    free(text);
    return escaped.data;
}

json_t *view_take_json(char *text)
{
    text = view_valid_json(text);
    json_t *value = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    free(text);
    return value != NULL ? value : json_null();
}

static json_t *unreachable(const Error *error)
{
    char number[ERROR_NUMBER_SIZE];
    json_t *source = json_pack("{s:b, s:s, s:s}", "reachable", 0, "error", error->message, "number",
                               error_number(error, number));
    return source != NULL ? source : json_pack("{s:b}", "reachable", 0);
}

static json_t *gather_source(ViewSession *session, const json_t *document)
{
    Error error = {.code = ERROR_NONE};
    char *text = NULL;
    if (ensure_connection(&session->source, session->settings->source, DATABASE_SOURCE, &error) != 0 ||
        database_value(session->source, &text, &error, source_sql, 3,
                       view_text(document, "migration.slot_name"),
                       view_text(document, "applier.low_water_lsn"),
                       view_text(document, "applier.complete_until")) != 0) {
        return unreachable(&error);
    }
    return view_take_json(text);
}

static json_t *no_migration(const char *name)
{
    return json_pack("{s:s, s:s}", "name", name, "phase", "none");
}

/* For what is logged from here on, by who looks again and again. */
static void log_where(const ViewSession *session, const json_t *document)
{
    Lsn lsn = LSN_INVALID;
    const char *phase = NULL;
    for (Phase one = PHASE_CREATED; one <= PHASE_FINISHED; one++) {
        if (strcmp(state_phase_name(one), view_text(document, "phase")) == 0) {
            phase = state_phase_name(one);
        }
    }
    if (!lsn_parse(view_text(document, "applier.low_water_lsn"), &lsn)) {
        lsn = LSN_INVALID;
    }
    log_stands(&session->settings->log, phase, lsn);
}

static int gather_state(ViewSession *session, json_t **document, Error *error)
{
    const char *name = session->settings->migration;
    bool exists = false;
    char *text = NULL, *tables = NULL, *schema = NULL;
    if (ensure_connection(&session->target, session->settings->target, DATABASE_TARGET, error) != 0 ||
        database_value(session->target, &schema, error, "SELECT to_regnamespace('penstock')::text", 0) != 0 ||
        state_exists(session->target, &exists, error) != 0 ||
        (exists && state_overview(session->target, name, &text, error) != 0) ||
        (exists && session->tables &&
         state_tables(session->target, name, session->all_tables ? 0 : VIEW_TABLES, &tables, error) != 0)) {
        free(schema);
        free(text);
        return -1;
    }
    json_t *state = exists ? view_take_json(text) : json_object();
    bool known = json_is_object(json_object_get(state, "migration"));
    *document = no_migration(name);
    json_object_set_new(*document, "schema", json_boolean(schema != NULL));
    free(schema);
    if (known) {
        json_object_update(*document, state);
        json_object_set(*document, "phase", json_object_get(json_object_get(state, "migration"), "phase"));
    }
    log_where(session, *document);
    json_object_set(*document, "others", json_object_get(state, "others"));
    json_decref(state);
    if (tables != NULL) {
        json_object_set_new(*document, "tables", view_take_json(tables));
    }
    return 0;
}

static int gather_reverse(ViewSession *session, json_t *document, Error *error)
{
    char *text = NULL;
    if (database_value(session->target, &text, error, reverse_sql, 1,
                       view_text(document, "migration.slot_name")) != 0) {
        return -1;
    }
    json_object_set_new(document, "reverse", view_take_json(text));
    return 0;
}

/* Moves the slot out of the source's part to the top. */
static void place_slot(json_t *document)
{
    json_t *source = json_object_get(document, "source");
    const char *name = view_text(document, "migration.slot_name");
    json_t *slot = json_object_get(source, "slot");
    if (json_is_object(slot)) {
        json_object_set(document, "slot", slot);
    } else {
        json_t *exists = view_true(source, "reachable") ? json_false() : json_null();
        json_object_set_new(document, "slot", json_pack("{s:s, s:o}", "name", name, "exists", exists));
    }
    json_object_del(source, "slot");
}

static void add_rates(json_t *document)
{
    static const char *const names[] = {
        "window_seconds", "transactions_per_second",  "rows_per_second",        "rows_per_batch",
        "reduction",      "applied_bytes_per_second", "source_bytes_per_second"};
    json_t *said = json_object_get(json_object_get(document, "applier"), "rates");
    json_t *rates = json_object();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *value = json_object_get(said, names[i]);
        json_object_set_new(rates, names[i],
                            view_applying(document) && value != NULL ? json_incref(value) : json_integer(0));
    }
    json_object_set_new(document, "rates", rates);
    json_object_del(json_object_get(document, "applier"), "rates");
}

/* When the lag will be gone if both servers go on as they do now; -1: not known, or never. */
static double catch_up(const json_t *document, double bytes, double seconds)
{
    double gained = view_number(document, "rates.applied_bytes_per_second") -
                    view_number(document, "rates.source_bytes_per_second");
    if (bytes == 0 || (view_applying(document) && seconds >= 0 && seconds < CLOSE_SECONDS)) {
        return 0;
    }
    bool blocked = json_array_size(view_at(document, "applier.blocked")) > 0;
    return bytes > 0 && gained > 0 && !blocked ? bytes / gained : -1;
}

static json_t *number_or_null(double value)
{
    return value >= 0 ? json_real(value) : json_null();
}

static void add_lag(json_t *document)
{
    json_t *source = json_object_get(document, "source");
    double bytes = view_number(source, "lag_bytes");
    double seconds = view_number(source, "lag_seconds");
    const char *by = view_text(document, "applier.complete_by");
    if (!view_true(source, "reachable")) {
        seconds = view_number(document, "applier.complete_age_seconds");
    }
    if (bytes == 0) {
        seconds = 0;
        by = "position";
    }
    if (view_stream_is_over(document)) {
        bytes = -1;
        seconds = -1;
    }
    json_t *lag = json_object();
    json_object_set_new(lag, "bytes", bytes >= 0 ? json_integer((json_int_t)bytes) : json_null());
    json_object_set_new(lag, "seconds", number_or_null(seconds));
    json_object_set_new(lag, "seconds_by", seconds >= 0 ? json_string(by) : json_null());
    json_object_set_new(lag, "catch_up_seconds", number_or_null(catch_up(document, bytes, seconds)));
    json_object_set_new(document, "lag", lag);
    json_object_del(json_object_get(document, "applier"), "complete_age_seconds");
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
        snprintf(what, sizeof what, "%sreplication slot %s", view_true(slot, "temporary") ? "temporary " : "",
                 view_text(slot, "name"));
        add_made(made, "source", what);
    }
    json_array_foreach(json_object_get(json_object_get(document, "source"), "event_triggers"), index, name)
    {
        snprintf(what, sizeof what,
                 "event trigger %s, which captures DDL, with its function in schema penstock",
                 json_string_value(name));
        add_made(made, "source", what);
    }
    if (view_true(document, "source.fenced")) {
        add_made(made, "source", "fence: connection limit 0 and read-only by default on the database");
    }
    json_array_foreach(view_at(document, "reverse.publications"), index, name)
    {
        snprintf(what, sizeof what, "publication %s", json_string_value(name));
        add_made(made, "target", what);
    }
    if (json_is_object(view_at(document, "reverse.slot"))) {
        snprintf(what, sizeof what, "replication slot %s", view_text(document, "reverse.slot.name"));
        add_made(made, "target", what);
    }
    if (view_true(document, "reverse.fenced")) {
        add_made(made, "target", "fence: connection limit 0 and read-only by default on the database");
    }
    if (view_true(document, "schema")) {
        add_made(made, "target", "schema penstock");
    }
    json_object_set_new(document, "made", made);
    json_object_del(document, "schema");
    json_object_del(json_object_get(document, "source"), "slots");
    json_object_del(json_object_get(document, "source"), "event_triggers");
    json_object_del(json_object_get(document, "source"), "subscriptions");
}

int view_gather(ViewSession *session, json_t **document, Error *error)
{
    if (gather_state(session, document, error) != 0 || gather_reverse(session, *document, error) != 0 ||
        view_gather_files(session, *document, error) != 0) {
        return -1;
    }
    json_t *source = gather_source(session, *document);
    json_object_set_new(*document, "source", source);
    if (strcmp(view_text(*document, "phase"), "none") != 0) {
        place_slot(*document);
        add_rates(*document);
        add_lag(*document);
    }
    json_object_del(source, "slot");
    json_object_del(source, "lag_bytes");
    json_object_del(source, "lag_seconds");
    list_made(*document);
    if (view_gather_schema(session, *document, error) != 0) {
        json_decref(*document);
        *document = NULL;
        return -1;
    }
    json_object_set_new(*document, "health", view_health(*document));
    json_object_set_new(*document, "may_cut_over", view_ready(*document));
    json_object_set_new(*document, "next", json_string(view_next(*document)));
    return 0;
}

void view_close(ViewSession *session)
{
    database_close(session->target);
    database_close(session->source);
}
