/*
 * What a run opens before its first step, and closes after its last: both servers, the migration with its lock, the
 * proxies. Two sides have two names each: source and target, which stay, and leaving and entering, which the road
 * decides.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cutover.h"
#include "kept.h"
#include "left_behind.h"
#include "ledger.h"
#include "lock.h"
#include "ours.h"
#include "positions.h"
#include "records.h"
#include "text.h"

static void endpoint_of(Database *database, Endpoint *out)
{
    PGconn *connection = database_connection(database);
    snprintf(out->host, sizeof out->host, "%s", PQhost(connection));
    snprintf(out->port, sizeof out->port, "%s", PQport(connection));
    snprintf(out->database, sizeof out->database, "%s", PQdb(connection));
}

static int set_address(const Road *road, const char *address, Endpoint *to, Error *error)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == '\0' || strlen(colon + 1) >= sizeof to->port ||
        (size_t)(colon - address) >= sizeof to->host) {
        return error_set(error, ERROR_USAGE, "--%s-address wants HOST:PORT, not \"%s\"", road->to, address);
    }
    snprintf(to->host, sizeof to->host, "%.*s", (int)(colon - address), address);
    snprintf(to->port, sizeof to->port, "%s", colon + 1);
    return 0;
}

int cutover_open_proxy(Cutover *cutover, const char *text, Error *error)
{
    CutoverProxy *proxy = &cutover->proxies[cutover->proxy_count];
    if (proxy_spec_parse(text, &proxy->spec, error) != 0) {
        return -1;
    }
    cutover->proxy_count++;
    proxy->operations = proxy_operations(&proxy->spec, error);
    if (proxy->operations == NULL ||
        proxy->operations->open(&proxy->spec, cutover->settings->migration, cutover->context.from.database,
                                &proxy->proxy, error) != 0) {
        return -1;
    }
    cutover->holds = cutover->holds || proxy->operations->holds;
    return 0;
}

static int open_proxies(Cutover *cutover, Error *error)
{
    for (size_t i = 0; i < cutover->options->proxy_count; i++) {
        if (cutover_open_proxy(cutover, cutover->options->proxies[i], error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* --- servers --- */

void cutover_assign_sides(Cutover *cutover)
{
    bool forward = cutover->road->leaving == DATABASE_SOURCE;
    cutover->leaving = forward ? cutover->source : cutover->target;
    cutover->entering = forward ? cutover->target : cutover->source;
    cutover->context.source = cutover->leaving;
    cutover->context.target = cutover->entering;
}

/* That --source is the source of this migration and not some other server. */
static int check_identity(Cutover *cutover, Error *error)
{
    const Migration *migration = &cutover->migration;
    bool same = strcmp(cutover->source_system, migration->source_system) == 0 &&
                strcmp(PQdb(database_connection(cutover->source)), migration->source_database) == 0;
    return same ? 0
                : error_set(error, ERROR_USAGE,
                            "--source is not the database that migration \"%s\" came from", migration->name);
}

static bool changes(const Cutover *cutover)
{
    CutoverMode mode = cutover->options->mode;
    return mode != CUTOVER_PLAN && mode != CUTOVER_DRY_RUN;
}

/* The lock went with the connection that had it; who undoes cannot wait for a session that hangs to lose it. */
static int lock_again(Cutover *cutover, Error *error)
{
    bool locked = state_lock(cutover->target, cutover->settings->migration, "control", error) == 0;
    if (!locked && cutover->regime != REGIME_UNDO) {
        return -1;
    }
    if (!changes(cutover)) {
        return 0;
    }
    /* One that began without the target has it as soon as it can. */
    return locked && !cutover->taken ? ours_take(cutover, error) : ours_check(cutover, error);
}

/* What the copy left behind is passed over, in each session on the source; without a target nobody looks at relations there. */
static int hide_left_behind(Cutover *cutover, Error *error)
{
    return cutover->target == NULL || cutover->migration.name[0] == '\0'
               ? 0
               : left_behind_hide_known(cutover->source, cutover->target, cutover->migration.name, error);
}

int cutover_connect(Cutover *cutover, DatabaseEnd end, QueryLimits limits, Error *error)
{
    bool source = end == DATABASE_SOURCE;
    Database **database = source ? &cutover->source : &cutover->target;
    if (database_connect_within(source ? cutover->settings->source : cutover->settings->target, end,
                                cutover->road->operation, limits, database, error) != 0) {
        return -1;
    }
    cutover_assign_sides(cutover);
    if (source) {
        return database_identify(*database, cutover->source_system, error) == 0 &&
                       (cutover->migration.name[0] == '\0' || check_identity(cutover, error) == 0)
                   ? hide_left_behind(cutover, error)
                   : -1;
    }
    return cutover->migration.name[0] != '\0' ? lock_again(cutover, error) : 0;
}

static int open_target(Cutover *cutover, QueryLimits limits, Error *error)
{
    const char *name = cutover->settings->migration;
    bool exists;
    if (cutover_connect(cutover, DATABASE_TARGET, limits, error) != 0 ||
        state_exists(cutover->target, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        error_set(error, ERROR_STATE, "there is no migration on the target");
        return error_hint(error, "penstock copy begins one.");
    }
    if (lock_control(cutover->target, name, error) != 0 ||
        load_migration(cutover->settings, cutover->target, &cutover->migration, error) != 0 ||
        (changes(cutover) && ours_take(cutover, error) != 0)) {
        return -1;
    }
    cutover->final_lsn = cutover->migration.final_lsn;
    return 0;
}

/* A server that is down, or hangs: not one that refuses what we ask of it. */
static bool is_gone(const Error *error)
{
    return error->code == ERROR_CONNECTION || error->code == ERROR_TRANSIENT || error->code == ERROR_LIMIT;
}

/* Whoever carries on, or goes back, does so with the side that is there. */
static bool may_miss(const Cutover *cutover, const Error *error)
{
    CutoverMode mode = cutover->options->mode;
    return (mode == CUTOVER_RESUME || mode == CUTOVER_UNDO) && is_gone(error);
}

/* The target cannot be asked: what the ledger says has to do. */
static int take_from_ledger(Cutover *cutover, const Error *why, Error *error)
{
    const json_t *head = cutover->ledger != NULL ? ledger_head(cutover->ledger) : NULL;
    const char *operation = json_string_value(json_object_get(head, "operation"));
    if (operation == NULL || strcmp(operation, cutover->road->operation) != 0) {
        *error = *why;
        return error_hint(
            error,
            "The target has the journal, and its second copy, %.200s, has no %s that is under way: run it on "
            "the host and as the user of the first call.",
            cutover->ledger != NULL ? ledger_path(cutover->ledger) : "a file", cutover->road->operation);
    }
    kept_read_migration(json_object_get(head, "migration"), &cutover->migration);
    return cutover->source != NULL ? check_identity(cutover, error) : 0;
}

/*
 * The ledger goes by the source's identifier. Where there can be none, the journal in the target has to do, but not for a
 * run that has only the ledger.
 */
static int open_ledger(Cutover *cutover, Error *error)
{
    const char *system = cutover->migration.source_system[0] != '\0' ? cutover->migration.source_system
                                                                     : cutover->source_system;
    CutoverMode mode = cutover->options->mode;
    if (mode == CUTOVER_PLAN || mode == CUTOVER_DRY_RUN ||
        ledger_open(cutover->settings->migration, system, &cutover->ledger, error) == 0) {
        return 0;
    }
    if (error->code == ERROR_STATE || cutover->target == NULL) {
        return -1;
    }
    cutover_warn(cutover, "the journal has no second copy, which would be there when the target is not: %s",
                 error->message);
    *error = (Error){.code = ERROR_NONE};
    return 0;
}

static int open_servers(Cutover *cutover, Error *error)
{
    Error no_target = {.code = ERROR_NONE}, no_source = {.code = ERROR_NONE};
    QueryLimits limits = cutover_limits(cutover);
    if (open_target(cutover, limits, &no_target) != 0) {
        database_close(cutover->target);
        cutover->target = NULL;
        if (!may_miss(cutover, &no_target)) {
            *error = no_target;
            return -1;
        }
    }
    if (cutover_connect(cutover, DATABASE_SOURCE, limits, &no_source) != 0) {
        database_close(cutover->source);
        cutover->source = NULL;
        if (cutover->target == NULL || !may_miss(cutover, &no_source)) {
            *error = no_source;
            return -1;
        }
        cutover_warn(cutover, "%s", no_source.message);
    }
    cutover_assign_sides(cutover);
    if (open_ledger(cutover, error) != 0) {
        return -1;
    }
    if (cutover->target != NULL) {
        return 0;
    }
    cutover_warn(cutover, "%s", no_target.message);
    return take_from_ledger(cutover, &no_target, error);
}

/* How the source reaches the target, when it is not said: as we do. The caller frees it. */
static char *default_conninfo(Cutover *cutover)
{
    if (cutover->settings->target != NULL && *cutover->settings->target != '\0') {
        return strdup(cutover->settings->target);
    }
    const PGconn *connection = database_connection(cutover->target);
    Text text = {0};
    text_conninfo_add(&text, "host", PQhost(connection));
    text_conninfo_add(&text, "port", PQport(connection));
    text_conninfo_add(&text, "dbname", PQdb(connection));
    text_conninfo_add(&text, "user", PQuser(connection));
    return text.data;
}

/* What --reverse-conninfo leaves out, libpq would take from the name of the user: another database of the same server. */
static int take_conninfo(Cutover *cutover, const char *given, Error *error)
{
    char *database = conninfo_get(given, "dbname"), *service = conninfo_get(given, "service");
    const char *wanted = cutover->target != NULL ? PQdb(database_connection(cutover->target)) : NULL;
    int status = 0;
    if (wanted == NULL || (database == NULL && service != NULL)) {
        cutover->reverse_conninfo = strdup(given); /* a service file of the source's server may say it */
    } else if (database == NULL) {
        cutover->reverse_conninfo = conninfo_with_database(given, wanted);
    } else if (strcmp(database, wanted) != 0) {
        error_set(error, ERROR_USAGE, "--reverse-conninfo leads to database \"%s\", and the target is \"%s\"",
                  database, wanted);
        status = error_hint(error, "Write dbname=%s in it, or leave dbname out.", wanted);
    } else {
        cutover->reverse_conninfo = strdup(given);
    }
    free(service);
    free(database);
    return status;
}

static int choose_conninfo(Cutover *cutover, Error *error)
{
    const char *given = cutover->options->reverse_conninfo;
    if (given == NULL) {
        cutover->reverse_conninfo = cutover->target != NULL ? default_conninfo(cutover) : NULL;
        return 0;
    }
    return conninfo_check(given, "reverse-conninfo", error) == 0 ? take_conninfo(cutover, given, error) : -1;
}

/* Where a side is: as we reach it, or as the run that began this round did. */
static int find_endpoint(const Cutover *cutover, DatabaseEnd end, Endpoint *out, Error *error)
{
    Database *database = end == DATABASE_SOURCE ? cutover->source : cutover->target;
    if (database != NULL) {
        endpoint_of(database, out);
        return 0;
    }
    return kept_endpoint(cutover->kept, end, out)
               ? 0
               : error_set(error, ERROR_STATE, "nobody knows where the %s is, which does not answer",
                           database_end_name(end));
}

int cutover_choose_sides(Cutover *cutover, Error *error)
{
    const CutoverOptions *options = cutover->options;
    bool forward = cutover->road->leaving == DATABASE_SOURCE;
    if (choose_conninfo(cutover, error) != 0 ||
        (options->probe != NULL && conninfo_check(options->probe, "probe", error) != 0)) {
        return -1;
    }
    ProxyContext *context = &cutover->context;
    context->drain_limit_ms = (int)(options->drain_limit * 1000);
    context->hold_limit_ms = (int)(options->hold_limit * 1000);
    context->stop = interrupted;
    if (find_endpoint(cutover, DATABASE_SOURCE, forward ? &context->from : &context->to, error) != 0 ||
        find_endpoint(cutover, DATABASE_TARGET, forward ? &context->to : &context->from, error) != 0) {
        return -1;
    }
    if (options->address != NULL && set_address(cutover->road, options->address, &context->to, error) != 0) {
        return -1;
    }
    if (cutover->entering != NULL) {
        return database_identify(cutover->entering, cutover->entering_system, error);
    }
    const char *system = json_string_value(json_object_get(cutover->kept, "entering_system"));
    snprintf(cutover->entering_system, sizeof cutover->entering_system, "%s", system != NULL ? system : "");
    return 0;
}

static int refuse_without_proxy(Error *error)
{
    error_set(error, ERROR_USAGE, "--proxy is missing");
    return error_hint(error,
                      "Write --proxy 'pgbouncer:ADMIN_URI,config=/path/pgbouncer.ini' or --proxy none.");
}

/* What an earlier run of this round had done, and how it was called. A road that was gone to its end may be gone again. */
static int load_round(Cutover *cutover, CutoverOptions *options, Error *error)
{
    if (records_load_round(cutover, error) != 0) {
        return -1;
    }
    CutoverMode mode = options->mode;
    if (mode == CUTOVER_RESUME || mode == CUTOVER_UNDO) {
        cutover->kept = json_deep_copy(cutover->records[0].detail);
    }
    kept_fill(cutover->kept, options);
    /* With nothing under way, that is what has to be said. */
    bool begun = machine_has_begun(cutover->records, (size_t)cutover->road->count);
    return options->proxy_count > 0 || !begun ? 0 : refuse_without_proxy(error);
}

int cutover_open(Cutover *cutover, CutoverOptions *options, Error *error)
{
    if (options->proxy_count == 0 && options->mode != CUTOVER_RESUME && options->mode != CUTOVER_UNDO) {
        return refuse_without_proxy(error);
    }
    cutover->regime = options->mode == CUTOVER_UNDO ? REGIME_UNDO : REGIME_BEFORE;
    cutover->source_regime = cutover->target_regime = REGIMES;
    return open_servers(cutover, error) == 0 && load_round(cutover, options, error) == 0 &&
                   cutover_choose_sides(cutover, error) == 0
               ? open_proxies(cutover, error)
               : -1;
}

void cutover_close_proxies(Cutover *cutover)
{
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (cutover->proxies[i].proxy != NULL) {
            cutover->proxies[i].operations->close(cutover->proxies[i].proxy);
        }
        proxy_spec_free(&cutover->proxies[i].spec);
    }
}

void cutover_close(Cutover *cutover)
{
    cutover_close_proxies(cutover);
    database_close(cutover->guard);
    database_close(cutover->counting);
    /* What was to be compared, and was not, may be yet: by --resume. */
    (cutover->released && cutover->moment.source[0] != '\0' ? moment_leave : moment_end)(cutover->keeper);
    database_close(cutover->source);
    database_close(cutover->target);
    ledger_close(cutover->ledger);
    positions_free(cutover->positions);
    step_records_free(cutover->records, MAX_STEPS);
    json_decref(cutover->kept);
    json_decref(cutover->told);
    free(cutover->reverse_conninfo);
}
