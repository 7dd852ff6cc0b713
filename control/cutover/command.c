/*
 * penstock cutover and penstock rollback: reads the options, connects, and lets the machine run forward, carry on, or go back. What a run that
 * was killed had begun is in the journal; a new one refuses to start over it.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "cutover.h"
#include "fence.h"
#include "records.h"
#include "text.h"

#define DEFAULT_DRAIN_LIMIT 10.0
#define DEFAULT_HOLD_LIMIT 30.0
#define DEFAULT_MAX_LAG (8LL * 1024 * 1024)
#define DEFAULT_TRANSACTION_AGE 60.0
#define DEFAULT_JOBS 4

enum {
    OPTION_PROXY = 0x200,
    OPTION_PROBE,
    OPTION_DRAIN_LIMIT,
    OPTION_HOLD_LIMIT,
    OPTION_MAX_AGE,
    OPTION_MAX_LAG,
    OPTION_JOBS,
    OPTION_YES,
    OPTION_PLAN,
    OPTION_RESUME,
    OPTION_UNDO,
    OPTION_VERIFY,
    OPTION_TARGET_ADDRESS,
    OPTION_NO_REVERSE,
    OPTION_REVERSE_CONNINFO,
    OPTION_SOURCE_ADDRESS,
    OPTION_ACCEPT_LOSS,
};

static const struct argp_option common_options[] = {
    {"proxy", OPTION_PROXY, "KIND:…", 0,
     "What holds and leads the clients: pgbouncer:ADMIN_URI[,config=FILE][,database=NAME], the same with "
     "pgcat, or none. May be "
     "repeated",
     0},
    {"probe", OPTION_PROBE, "URI", 0,
     "A connection through the proxy, to look at the target after the switch", 0},
    {"drain-limit", OPTION_DRAIN_LIMIT, "SECONDS", 0, "How long to wait for open transactions (10)", 0},
    {"hold-limit", OPTION_HOLD_LIMIT, "SECONDS", 0, "How long clients may be held in all (30)", 0},
    {"max-lag", OPTION_MAX_LAG, "BYTES", 0, "Do not start when the applier is further behind (8388608)", 0},
    {"max-transaction-age", OPTION_MAX_AGE, "SECONDS", 0, "Do not start when a transaction is older (60)", 0},
    {"plan", OPTION_PLAN, NULL, 0, "Print what would be done, with all values, and end", 1},
    {"yes", OPTION_YES, NULL, 0, "Do not ask", 1},
    {"resume", OPTION_RESUME, NULL, 0, "Carry on with one that was killed", 1},
    {"undo", OPTION_UNDO, NULL, 0, "Undo one that was killed, as long as clients were not released", 1},
    {0}};

static const struct argp_option cutover_options[] = {
    {"target-address", OPTION_TARGET_ADDRESS, "HOST:PORT", 0,
     "The target as the proxy reaches it (default: as --target says)", 0},
    {"verify", OPTION_VERIFY, NULL, 0, "Compare both sides at the switch point, after the release", 0},
    {"jobs", OPTION_JOBS, "N", 0, "Tables compared at the same time (4)", 0},
    {"reverse-conninfo", OPTION_REVERSE_CONNINFO, "CONNINFO", 0,
     "The target as the server of the source reaches it, for the way back; stays in pg_subscription there "
     "(default: as --target says)",
     0},
    {"no-reverse", OPTION_NO_REVERSE, NULL, 0, "Go without a way back: there will be no rollback", 0},
    {0}};

static const struct argp_option rollback_options[] = {
    {"source-address", OPTION_SOURCE_ADDRESS, "HOST:PORT", 0,
     "The source as the proxy reaches it (default: as --source says)", 0},
    {"accept-loss", OPTION_ACCEPT_LOSS, NULL, 0,
     "Go back although updates and deletes of some tables cannot come back", 0},
    {0}};

static double read_number(const char *text, const char *option, struct argp_state *state)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0) || value > 1e15) {
        argp_error(state, "--%s wants a number above 0, not \"%s\"", option, text);
    }
    return value;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    CutoverOptions *options = state->input;
    switch (key) {
    case OPTION_PROXY:
        if (options->proxy_count == MAX_PROXIES) {
            argp_error(state, "at most %d proxies", MAX_PROXIES);
        }
        options->proxies[options->proxy_count++] = argument;
        return 0;
    case OPTION_TARGET_ADDRESS:
    case OPTION_SOURCE_ADDRESS:
        options->address = argument;
        return 0;
    case OPTION_NO_REVERSE:
        options->no_reverse = true;
        return 0;
    case OPTION_REVERSE_CONNINFO:
        options->reverse_conninfo = argument;
        return 0;
    case OPTION_ACCEPT_LOSS:
        options->accept_loss = true;
        return 0;
    case ARGP_KEY_INIT:
        if (state->root_argp != NULL && state->child_inputs != NULL) {
            state->child_inputs[0] = options;
        }
        return 0;
    case OPTION_PROBE:
        options->probe = argument;
        return 0;
    case OPTION_DRAIN_LIMIT:
        options->drain_limit = read_number(argument, "drain-limit", state);
        return 0;
    case OPTION_HOLD_LIMIT:
        options->hold_limit = read_number(argument, "hold-limit", state);
        return 0;
    case OPTION_MAX_AGE:
        options->max_transaction_age = read_number(argument, "max-transaction-age", state);
        return 0;
    case OPTION_MAX_LAG:
        options->max_lag = (int64_t)read_number(argument, "max-lag", state);
        return 0;
    case OPTION_JOBS:
        options->jobs = (int)read_number(argument, "jobs", state);
        return 0;
    case OPTION_VERIFY:
        options->verify = true;
        return 0;
    case OPTION_YES:
        options->yes = true;
        return 0;
    case OPTION_PLAN:
    case OPTION_RESUME:
    case OPTION_UNDO:
        if (options->mode != CUTOVER_RUN) {
            argp_error(state, "--plan, --resume and --undo exclude each other");
        }
        options->mode = key == OPTION_PLAN     ? CUTOVER_PLAN
                        : key == OPTION_RESUME ? CUTOVER_RESUME
                                               : CUTOVER_UNDO;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp common_argp = {.options = common_options, .parser = parse_option};
static const struct argp_child common_children[] = {{.argp = &common_argp}, {0}};
static const struct argp cutover_argp = {
    .options = cutover_options, .parser = parse_option, .children = common_children};
static const struct argp rollback_argp = {
    .options = rollback_options, .parser = parse_option, .children = common_children};

bool cutover_interrupted(void)
{
    return interrupted();
}

static bool machine_stop(void *context)
{
    (void)context;
    return interrupted();
}

static void set_defaults(CutoverOptions *options)
{
    options->drain_limit = options->drain_limit > 0 ? options->drain_limit : DEFAULT_DRAIN_LIMIT;
    options->hold_limit = options->hold_limit > 0 ? options->hold_limit : DEFAULT_HOLD_LIMIT;
    options->max_transaction_age =
        options->max_transaction_age > 0 ? options->max_transaction_age : DEFAULT_TRANSACTION_AGE;
    options->max_lag = options->max_lag > 0 ? options->max_lag : DEFAULT_MAX_LAG;
    options->jobs = options->jobs > 0 ? options->jobs : DEFAULT_JOBS;
}

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

static int open_proxies(Cutover *cutover, Error *error)
{
    for (size_t i = 0; i < cutover->options->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        if (proxy_spec_parse(cutover->options->proxies[i], &proxy->spec, error) != 0) {
            return -1;
        }
        cutover->proxy_count++;
        proxy->operations = proxy_operations(&proxy->spec, error);
        if (proxy->operations == NULL || proxy->operations->open(&proxy->spec, cutover->context.from.database,
                                                                 &proxy->proxy, error) != 0) {
            return -1;
        }
        cutover->holds = cutover->holds || proxy->operations->holds;
    }
    return 0;
}

/* No statement of ours may wait for longer than clients may be held. */
static int bound_statements(Database *database, const CutoverOptions *options, Error *error)
{
    char sql[128];
    int ms = (int)(options->hold_limit * 1000);
    snprintf(sql, sizeof sql, "SET statement_timeout = %d; SET lock_timeout = %d", ms, ms / 2);
    return database_execute(database, error, sql, 0);
}

static int open_target(Cutover *cutover, Error *error)
{
    bool exists;
    if (database_connect(cutover->settings->target, DATABASE_TARGET, cutover->road->operation,
                         &cutover->target, error) != 0 ||
        (cutover->road->leaving == DATABASE_TARGET && fence_pass(cutover->target, error) != 0) ||
        state_exists(cutover->target, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        error_set(error, ERROR_STATE, "there is no migration on the target");
        return error_hint(error, "penstock copy begins one.");
    }
    if (state_load(cutover->target, cutover->settings->migration, &cutover->migration, error) != 0 ||
        state_lock(cutover->target, cutover->migration.name, "control", error) != 0 ||
        bound_statements(cutover->target, cutover->options, error) != 0) {
        return -1;
    }
    cutover->final_lsn = cutover->migration.final_lsn;
    return 0;
}

/* The probe must meet the side that clients go to. */
static int identify_entering(Cutover *cutover, Error *error)
{
    char *identifier = NULL;
    int status = database_value(cutover->entering, &identifier, error,
                                "SELECT system_identifier FROM pg_control_system()", 0);
    snprintf(cutover->entering_system, sizeof cutover->entering_system, "%s",
             identifier != NULL ? identifier : "");
    free(identifier);
    return status;
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

/* That --source is the source of this migration and not some other server. */
static int check_identity(Cutover *cutover, Error *error)
{
    char *identifier = NULL;
    if (database_value(cutover->source, &identifier, error,
                       "SELECT system_identifier FROM pg_control_system()", 0) != 0) {
        return -1;
    }
    bool same = identifier != NULL && strcmp(identifier, cutover->migration.source_system) == 0 &&
                strcmp(PQdb(database_connection(cutover->source)), cutover->migration.source_database) == 0;
    free(identifier);
    return same
               ? 0
               : error_set(error, ERROR_USAGE, "--source is not the database that migration \"%s\" came from",
                           cutover->migration.name);
}

static int open_all(Cutover *cutover, Error *error)
{
    if (cutover->options->proxy_count == 0) {
        error_set(error, ERROR_USAGE, "--proxy is missing");
        return error_hint(error,
                          "Write --proxy 'pgbouncer:ADMIN_URI,config=/path/pgbouncer.ini' or --proxy none.");
    }
    if (open_target(cutover, error) != 0 ||
        database_connect(cutover->settings->source, DATABASE_SOURCE, cutover->road->operation,
                         &cutover->source, error) != 0 ||
        check_identity(cutover, error) != 0 || fence_pass(cutover->source, error) != 0 ||
        bound_statements(cutover->source, cutover->options, error) != 0) {
        return -1;
    }
    bool forward = cutover->road->leaving == DATABASE_SOURCE;
    cutover->leaving = forward ? cutover->source : cutover->target;
    cutover->entering = forward ? cutover->target : cutover->source;
    cutover->reverse_conninfo = cutover->options->reverse_conninfo != NULL
                                    ? strdup(cutover->options->reverse_conninfo)
                                    : default_conninfo(cutover);
    if (identify_entering(cutover, error) != 0) {
        return -1;
    }
    ProxyContext *context = &cutover->context;
    *context = (ProxyContext){.source = cutover->leaving,
                              .target = cutover->entering,
                              .drain_limit_ms = (int)(cutover->options->drain_limit * 1000),
                              .hold_limit_ms = (int)(cutover->options->hold_limit * 1000),
                              .stop = cutover_interrupted};
    endpoint_of(cutover->leaving, &context->from);
    endpoint_of(cutover->entering, &context->to);
    if (cutover->options->address != NULL &&
        set_address(cutover->road, cutover->options->address, &context->to, error) != 0) {
        return -1;
    }
    return open_proxies(cutover, error);
}

static void close_all(Cutover *cutover)
{
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (cutover->proxies[i].proxy != NULL) {
            cutover->proxies[i].operations->close(cutover->proxies[i].proxy);
        }
        proxy_spec_free(&cutover->proxies[i].spec);
    }
    database_close(cutover->guard);
    database_close(cutover->snapshot_holder);
    database_close(cutover->source_holder);
    database_close(cutover->source);
    database_close(cutover->target);
    json_decref(cutover->told);
    free(cutover->reverse_conninfo);
}

static int check_phase(const Cutover *cutover, bool begun, Error *error)
{
    Phase phase = cutover->migration.phase;
    const char *name = cutover->migration.name;
    if (phase == PHASE_ROLLED_BACK) {
        error_set(error, ERROR_STATE, "migration \"%s\" has been rolled back", name);
        return error_hint(error,
                          "Clients are on the source. penstock finish removes what the migration made; "
                          "then it can begin anew.");
    }
    if (phase == PHASE_SWITCHED && cutover->road == &road_cutover) {
        error_set(error, ERROR_STATE, "migration \"%s\" has been switched already", name);
        return error_hint(error,
                          "penstock finish removes what the migration made; penstock rollback goes back.");
    }
    if (phase != PHASE_SWITCHED && cutover->road == &road_rollback && !begun) {
        error_set(error, ERROR_STATE, "migration \"%s\" is in phase %s: there is nothing to go back from",
                  name, state_phase_name(phase));
        return error_hint(error, "A cutover that was cut short is undone by penstock cutover --undo.");
    }
    return 0;
}

static int check_mode(const Cutover *cutover, const StepRecord *records, Error *error)
{
    const Road *road = cutover->road;
    bool begun = machine_has_begun(records, (size_t)road->count);
    CutoverMode mode = cutover->options->mode;
    if (check_phase(cutover, begun, error) != 0) {
        return -1;
    }
    if (mode == CUTOVER_RUN && begun) {
        error_set(error, ERROR_STATE, "a %s of migration \"%s\" was begun and not ended", road->operation,
                  cutover->migration.name);
        return error_hint(error, "Carry on with --resume, or go back with --undo.");
    }
    if ((mode == CUTOVER_RESUME || mode == CUTOVER_UNDO) && !begun) {
        return error_set(error, ERROR_STATE, "no %s of migration \"%s\" is under way: nothing to %s",
                         road->operation, cutover->migration.name,
                         mode == CUTOVER_RESUME ? "resume" : "undo");
    }
    if (mode == CUTOVER_UNDO && machine_has_committed(road->steps, records, (size_t)road->count)) {
        error_set(error, ERROR_STATE, "clients have been released to the %s: that cannot be undone",
                  road->to);
        return error_hint(error, "Carry on with --resume.");
    }
    return 0;
}

static int confirm(const Cutover *cutover, Error *error)
{
    char answer[16] = "";
    if (cutover->options->yes || cutover->options->mode == CUTOVER_UNDO ||
        cutover->options->mode == CUTOVER_RESUME) {
        return 0;
    }
    if (!isatty(STDIN_FILENO) || cutover->settings->json) {
        error_set(error, ERROR_USAGE, "there is nobody to ask");
        return error_hint(error, "--yes says that it is meant.");
    }
    cutover_print_plan(cutover);
    printf("\nGo on? Type yes: ");
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) == NULL || strcmp(answer, "yes\n") != 0) {
        return error_set(error, ERROR_INTERRUPTED, "not confirmed: nothing was done");
    }
    printf("\n");
    return 0;
}

static void print_end(const Cutover *cutover, const char *result, json_t *comparison)
{
    double held = cutover->hold_ended > cutover->hold_started && cutover->hold_started > 0
                      ? (double)(cutover->hold_ended - cutover->hold_started) / 1000.0
                      : 0;
    if (cutover->settings->json) {
        json_t *all = json_pack("{s:s, s:s, s:s, s:f, s:O, s:o?}", "operation", cutover->road->operation,
                                "migration", cutover->migration.name, "result", result, "hold_seconds", held,
                                "steps", cutover->told, "comparison", comparison);
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(all);
        return;
    }
    if (strcmp(result, "rolled back") == 0) {
        printf("\nRolled back. %s%s:%s/%s is the database again, with everything that was written to the "
               "target. "
               "The target stays fenced; penstock finish ends the migration.\n",
               cutover->holds ? "" : "Point the applications at the source: ", cutover->context.to.host,
               cutover->context.to.port, cutover->context.to.database);
        if (cutover->holds) {
            printf("Clients were held for %.2f s.\n", held);
        }
    } else if (strcmp(result, "switched") == 0) {
        printf("\nSwitched. %s%s:%s/%s is now the database. The source stays fenced; penstock finish ends "
               "the migration.\n",
               cutover->holds ? "" : "Point the applications at the target: ", cutover->context.to.host,
               cutover->context.to.port, cutover->context.to.database);
        if (cutover->holds) {
            printf("Clients were held for %.2f s.\n", held);
        }
    } else if (strcmp(result, "undone") == 0) {
        printf("\nUndone: clients go on as before, on the %s%s.\n", cutover->road->from,
               cutover->holds ? "" : ", which takes them again");
    }
    json_decref(comparison);
}

static ExitStatus finish_forward(Cutover *cutover, Error *error)
{
    json_t *comparison = NULL;
    bool different = false;
    int status = 0;
    if (cutover->options->verify && cutover->snapshot[0] == '\0') {
        log_line(&cutover->settings->log, LOG_WARNING,
                 "the snapshot of the switch point died with the run that was killed: it cannot be compared "
                 "any more");
    } else if (cutover->options->verify) {
        status = cutover_verify(cutover, &comparison, &different, error);
    }
    print_end(cutover, state_phase_name(cutover->road->ends), comparison);
    return status != 0 ? (ExitStatus)error_exit_status(error) : different ? EXIT_ANSWER_NO : EXIT_DONE;
}

static ExitStatus run_machine(Cutover *cutover, StepRecord *records, Error *error)
{
    MachineHooks hooks = {
        .context = cutover, .journal = records_journal, .tell = cutover_tell, .stop = machine_stop};
    const Road *road = cutover->road;
    bool undo = cutover->options->mode == CUTOVER_UNDO;
    cutover->told = json_array();
    cutover->hold_started = clock_ms();
    MachineResult result = undo ? machine_undo(road->steps, (size_t)road->count, records, &hooks, error)
                                : machine_run(road->steps, (size_t)road->count, records, &hooks, error);
    if (result == MACHINE_DONE) {
        return finish_forward(cutover, error);
    }
    print_end(cutover, result == MACHINE_UNDONE ? "undone" : "stuck", NULL);
    if (result == MACHINE_UNDONE) {
        return undo ? EXIT_DONE : (ExitStatus)error_exit_status(error);
    }
    if (error->hint[0] == '\0' && machine_has_committed(road->steps, records, (size_t)road->count)) {
        error_hint(error,
                   "Clients have been released to the %s. See to the cause, then: penstock %s --resume",
                   road->to, road->operation);
    } else if (error->hint[0] == '\0') {
        error_hint(error, "Clients may still be held! See to the cause, then at once: penstock %s --undo",
                   road->operation);
    }
    return EXIT_FAILED;
}

static ExitStatus run(const Settings *settings, CutoverOptions *options, const Road *road, Error *error)
{
    set_defaults(options);
    Cutover cutover = {.settings = settings, .options = options, .road = road};
    StepRecord records[MAX_STEPS] = {0};
    ExitStatus status;
    for (int i = 0; i < MAX_STEPS; i++) {
        records[i].event = STEP_UNDONE;
    }
    if (open_all(&cutover, error) != 0) {
        status = (ExitStatus)error_exit_status(error);
    } else if (options->mode == CUTOVER_PLAN) {
        cutover_print_plan(&cutover);
        status = EXIT_DONE;
    } else if (records_load(&cutover, road, records, error) != 0 ||
               check_mode(&cutover, records, error) != 0 || confirm(&cutover, error) != 0) {
        status = (ExitStatus)error_exit_status(error);
    } else {
        status = run_machine(&cutover, records, error);
    }
    step_records_free(records, MAX_STEPS);
    close_all(&cutover);
    return status;
}

static ExitStatus run_cutover(const Settings *settings, void *options, Error *error)
{
    return run(settings, options, &road_cutover, error);
}

static ExitStatus run_rollback(const Settings *settings, void *options, Error *error)
{
    return run(settings, options, &road_rollback, error);
}

const Command command_cutover = {
    .name = "cutover",
    .summary = "Hold the clients, fence the source, and let them go on at the target",
    .argp = &cutover_argp,
    .options_size = sizeof(CutoverOptions),
    .run = run_cutover,
};

const Command command_rollback = {
    .name = "rollback",
    .summary = "The same way back, with everything that was written to the target",
    .argp = &rollback_argp,
    .options_size = sizeof(CutoverOptions),
    .run = run_rollback,
};
