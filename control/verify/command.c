/*
 * `penstock verify`: the migration is looked up, a pass begun or gone on with, its pieces compared, then what is in no table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "ends.h"
#include "join_pass.h"
#include "left_behind.h"
#include "lock.h"
#include "option.h"
#include "pace.h"
#include "repair.h"
#include "text.h"
#include "verify.h"

enum {
    OPTION_CYCLE = 0x6000,
    OPTION_LIMIT,
    OPTION_HOLD,
    OPTION_SAMPLE,
    OPTION_ANEW,
    OPTION_ROWS_ONLY,
    OPTION_RATE,
    OPTION_FULL_SPEED,
    OPTION_JOIN,
    OPTION_REPAIR,
    OPTION_ONLY,
    OPTION_EXCLUDE,
};

static const struct argp_option argp_options[] = {
    {"jobs", 'j', "N", 0, "Pieces that are compared at the same time (default: 4)", 0},
    {"cycle", OPTION_CYCLE, "SECONDS", 0,
     "Take another pair of snapshots after so long: none is older (default: 300)", 0},
    {"rate", OPTION_RATE, "SIZE", 0,
     "Read at most so many bytes per second on each side, 20MB for instance, in short bursts that clients do "
     "not notice "
     "(default: as penstock throttle says)",
     0},
    {"full-speed", OPTION_FULL_SPEED, NULL, 0,
     "Do not step back for clients that are at work: the comparison takes the cores that it can get", 0},
    {"limit", OPTION_LIMIT, "N", 0, "List at most so many differing rows of each table (default: 10)", 0},
    {"hold", OPTION_HOLD, "MS", 0,
     "The applier is held at a point for so long at most, else another is tried (default: 3000)", 0},
    {"sample", OPTION_SAMPLE, "PERCENT", 0,
     "Compare only so many of the rows of each table, chosen by their keys", 0},
    {"join", OPTION_JOIN, NULL, 0,
     "Compare along with a comparison that was begun elsewhere: its pieces, under its snapshots, from this "
     "host",
     0},
    {"anew", OPTION_ANEW, NULL, 0, "Begin from the start, although an earlier run was interrupted", 0},
    {"repair", OPTION_REPAIR, NULL, 0,
     "Make rows that differ what they are at the source, and sequences, while both sides are written; then "
     "compare again",
     0},
    {"only", OPTION_ONLY, "PATTERN", 0,
     "Compare only tables and sequences that fit: SCHEMA or SCHEMA.NAME, with * and ? as in a shell. May be "
     "repeated",
     0},
    {"exclude", OPTION_EXCLUDE, "PATTERN", 0, "Compare none of these. May be repeated", 0},
    {"rows-only", OPTION_ROWS_ONLY, NULL, 0, "Leave out definitions, sequences and large objects", 0},
    {0},
};

static const OptionField fields[] = {
    OPTION_NUMBER('j', "jobs", VerifyOptions, jobs, 1, 64),
    OPTION_NUMBER(OPTION_CYCLE, "cycle", VerifyOptions, cycle, 1, 86400),
    OPTION_NUMBER(OPTION_LIMIT, "limit", VerifyOptions, limit, 0, 100000),
    OPTION_NUMBER(OPTION_HOLD, "hold", VerifyOptions, hold_ms, 50, 60000),
    OPTION_TEXT(OPTION_RATE, VerifyOptions, rate),
    OPTION_FLAG(OPTION_FULL_SPEED, VerifyOptions, full_speed),
    OPTION_FLAG(OPTION_JOIN, VerifyOptions, join),
    OPTION_FLAG(OPTION_ANEW, VerifyOptions, anew),
    OPTION_FLAG(OPTION_REPAIR, VerifyOptions, repair),
    OPTION_FLAG(OPTION_ROWS_ONLY, VerifyOptions, rows_only),
};

/* Percent, with two decimals. */
static int take_sample(const struct argp_state *state, const char *text)
{
    char *end = NULL;
    double percent = strtod(text, &end);
    if (end == text || *end != '\0' || !(percent >= 0.01 && percent <= 100)) {
        argp_error(state, "--sample takes a percentage from 0.01 to 100, not \"%s\"", text);
    }
    int of_10000 = (int)(percent * 100 + 0.5);
    return of_10000 < 10000 ? of_10000 : 0;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    VerifyOptions *options = state->input;
    Error error;
    switch (key) {
    case ARGP_KEY_INIT:
        *options = (VerifyOptions){.jobs = 4, .cycle = 300, .limit = 10, .hold_ms = 3000};
        return 0;
    case OPTION_ONLY:
    case OPTION_EXCLUDE:
        if (selection_add(&options->selection, key == OPTION_ONLY ? SELECTION_ONLY : SELECTION_EXCLUDE,
                          argument, &error) != 0) {
            argp_error(state, "%s", error.message);
        }
        return 0;
    case OPTION_SAMPLE:
        options->sample = take_sample(state, argument);
        return 0;
    default:
        return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, state->input)
                   ? 0
                   : ARGP_ERR_UNKNOWN;
    }
}

static const struct argp verify_argp = {
    .options = argp_options,
    .parser = parse_option,
    .doc =
        "Compares both sides exactly, at points at which they have to hold the same, while both are written: "
        "every row of every table, sequences, large objects, and definitions. Exit status 0: equal, 1: "
        "something differs, 3: it could not be done.\v"
        "The applier is held for some milliseconds at each point. When none runs, one is started for as long "
        "as this takes. Interrupted, it goes on where it stopped when it is run again.",
};

int verify_connect(const Settings *settings, DatabaseEnd end, const char *purpose, Database **out,
                   Error *error)
{
    const char *uri = end == DATABASE_SOURCE ? settings->source : settings->target;
    return database_connect_within(uri, end, purpose, (QueryLimits){.stop = interrupted}, out, error);
}

void verify_say(void *context, const char *line)
{
    const Verify *verify = context;
    log_line(&verify->settings->log, LOG_INFO, "%s", line);
}

int verify_open_pair(Verify *verify, ComparePair *pair, Error *error)
{
    const Settings *settings = verify->settings;
    const QueryLimits limits = {.stop = interrupted};
    pair->stop = interrupted;
    pair->say = verify_say;
    pair->context = verify;
    return pair_connect(settings->source, DATABASE_SOURCE, "verify", limits, &pair->source, error) == 0
               ? pair_connect(settings->target, DATABASE_TARGET, "verify", limits, &pair->target, error)
               : -1;
}

static int open_fresh(void *context, ComparePair *fresh, Error *error)
{
    return verify_open_pair(context, fresh, error);
}

void verify_renew_pair(Verify *verify, ComparePair *pair)
{
    pair_renew(pair, open_fresh, verify);
}

static int connect_both(Verify *verify, Error *error)
{
    const Settings *settings = verify->settings;
    bool exists = false;
    if (verify_connect(settings, DATABASE_SOURCE, "verify", &verify->source, error) != 0 ||
        verify_connect(settings, DATABASE_TARGET, "verify", &verify->target, error) != 0 ||
        ends_differ(verify->source, verify->target, error) != 0 ||
        state_exists(verify->target, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        error_set(error, ERROR_STATE, "nothing was copied to this target: it has no schema penstock");
        return error_hint(error, "penstock copy comes first");
    }
    if (load_migration(settings, verify->target, &verify->migration, error) != 0 ||
        left_behind_hide_known(verify->source, verify->target, settings->migration, error) != 0) {
        return -1;
    }
    return verify->options->join ? 0 : state_lock(verify->target, settings->migration, "verify", error);
}

static const struct {
    const char *operation, *last_step;
} roads[] = {{"cutover", "switched"}, {"rollback", "back"}};

/*
 * A switch that was cut short may have let clients write to the target while nothing brings that back yet: then the two sides
 * stand still for each other at one moment only, that of the switch, whose snapshots who carries on has (switch/moment.h).
 */
static int check_roads(Verify *verify, Error *error)
{
    for (size_t i = 0; i < sizeof roads / sizeof *roads; i++) {
        bool open;
        if (state_operation_open(verify->target, verify->settings->migration, roads[i].operation,
                                 roads[i].last_step, &open, error) != 0) {
            return -1;
        }
        if (open) {
            error_set(error, ERROR_STATE, "a %s of migration \"%s\" was begun and not ended",
                      roads[i].operation, verify->settings->migration);
            return error_hint(
                error,
                "penstock %s --resume carries on, and compares the moment of the switch where that "
                "was asked for (--verify); --undo goes back. Then again.",
                roads[i].operation);
        }
    }
    return 0;
}

/* There is something to compare, and this is where it comes from. */
static int check_phase(Verify *verify, Error *error)
{
    char system[32];
    Phase phase = verify->migration.phase;
    if (phase != PHASE_COPIED && phase != PHASE_SWITCHED) {
        error_set(error, ERROR_STATE,
                  "migration \"%s\" is %s: there are no two sides that have to be the same",
                  verify->settings->migration, state_phase_name(phase));
        return error_hint(error, phase == PHASE_ROLLED_BACK ? "penstock status says what comes next"
                                                            : "penstock copy comes first, and has to end");
    }
    if (check_roads(verify, error) != 0 || database_identify(verify->source, system, error) != 0) {
        return -1;
    }
    return strcmp(system, verify->migration.source_system) == 0
               ? 0
               : error_set(error, ERROR_STATE,
                           "this source is another server than migration \"%s\" was copied from",
                           verify->settings->migration);
}

/* What was to be compared, in words by which an interrupted run is known again. */
static void write_scope(const VerifyOptions *options, Text *out)
{
    text_append(out, "");
    selection_describe(&options->selection, out);
    if (options->sample > 0) {
        text_printf(out, "%ssample %d.%02d%%", out->size > 0 ? ", " : "", options->sample / 100,
                    options->sample % 100);
    }
    if (options->rows_only) {
        text_printf(out, "%srows only", out->size > 0 ? ", " : "");
    }
}

/* "r.id = ANY (…)" of the tables that fit, behind what is in out; nothing when all do. */
static int write_match(Verify *verify, Text *out, Error *error)
{
    PGresult *rows = NULL;
    Text ids = {0};
    const Selection *selection = &verify->options->selection;
    if (selection->count == 0) {
        return 0;
    }
    if (database_query(verify->target, &rows, error,
                       "SELECT id, schema_name, table_name FROM penstock.relation WHERE migration = $1", 1,
                       verify->settings->migration) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        if (verify_chooses(verify, PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2))) {
            text_array_add(&ids, PQgetvalue(rows, i, 0));
        }
    }
    PQclear(rows);
    int status = ids.size > 0 ? 0 : error_set(error, ERROR_USAGE, "no table fits --only and --exclude");
    text_array_end(&ids);
    text_printf(out, "r.id = ANY ('%s'::int8[])", ids.data);
    text_free(&ids);
    return status;
}

bool verify_chooses(const Verify *verify, const char *schema, const char *name)
{
    const Selection *selection = &verify->options->selection;
    return (!selection_has(selection, SELECTION_ONLY) ||
            selection_match(selection, SELECTION_ONLY, schema, name) != NULL) &&
           selection_match(selection, SELECTION_EXCLUDE, schema, name) == NULL;
}

static int begin_pass(Verify *verify, Error *error)
{
    Text scope = {0}, match = {0};
    write_scope(verify->options, &scope);
    if (write_match(verify, &match, error) != 0) {
        text_free(&scope);
        text_free(&match);
        return -1;
    }
    const PassScope asked = {.migration = verify->settings->migration,
                             .words = scope.data,
                             .match = match.data,
                             .sample = verify->options->sample,
                             .anew = verify->options->anew};
    int status = pass_begin(verify->target, &asked, &verify->pass, error);
    if (status == 0 && verify->pass.resumed) {
        log_line(&verify->settings->log, LOG_INFO,
                 "going on with an interrupted comparison: %lld of %lld pieces are done",
                 (long long)(verify->pass.jobs - verify->pass.jobs_left), (long long)verify->pass.jobs);
    }
    text_free(&scope);
    text_free(&match);
    return status;
}

int verify_open_pairs(Verify *verify, Error *error)
{
    const PairsOptions pairs = {.settings = verify->settings,
                                .switched = verify->migration.phase == PHASE_SWITCHED,
                                .pass = verify->pass.id,
                                .joined = verify->options->join,
                                .cycle = verify->options->cycle,
                                .limit_ms = verify->options->hold_ms,
                                .stop = interrupted};
    return pairs_new(&pairs, &verify->pairs, error);
}

static int run_pass(Verify *verify, bool *equal, Error *error)
{
    PairsSummary summary;
    if (begin_pass(verify, error) != 0 || verify_open_pairs(verify, error) != 0) {
        return -1;
    }
    int status = verify_rows(verify, error) == 0 ? verify_objects(verify, error) : -1;
    if (status == 0 && verify->options->repair) {
        status = verify_repair(verify, error);
    }
    if (verify->settings->terminal && !verify->settings->json) {
        printf("\r\033[K");
    }
    pairs_summary(verify->pairs, &summary);
    return status == 0 && pass_end(verify->target, &verify->pass, &summary, error) == 0
               ? verify_report(verify, equal, error)
               : -1;
}

/* The operation that goes on now, or has gone through since the comparison began; NULL: none, or it is not known. */
static const char *find_switch(const Verify *verify, Database *target)
{
    const char *name = verify->settings->migration;
    Migration now;
    Error ignored;
    for (size_t i = 0; i < sizeof roads / sizeof *roads; i++) {
        bool open = false;
        if (state_operation_open(target, name, roads[i].operation, roads[i].last_step, &open, &ignored) ==
                0 &&
            open) {
            return roads[i].operation;
        }
    }
    if (load_migration(verify->settings, target, &now, &ignored) != 0 ||
        now.phase == verify->migration.phase) {
        return NULL;
    }
    return roads[now.phase == PHASE_SWITCHED ? 0 : 1].operation;
}

/* A switch ends the sessions of the side that it closes, ours among them: then that is what happened. */
static void explain_end(const Verify *verify, Error *error)
{
    Database *target = NULL;
    Error ignored;
    if (strcmp(error->sqlstate, "57P01") != 0 ||
        verify_connect(verify->settings, DATABASE_TARGET, "verify", &target, &ignored) != 0) {
        return;
    }
    const char *operation = find_switch(verify, target);
    if (operation != NULL) {
        error_set(error, ERROR_STATE, "a %s of migration \"%s\" has ended the comparison", operation,
                  verify->settings->migration);
        error_hint(error, "when it has ended, or was undone, the same command goes on where it stopped");
    }
    database_close(target);
}

static ExitStatus command_run(const Settings *settings, void *input, Error *error)
{
    VerifyOptions *options = input;
    Verify verify = {.settings = settings, .options = options, .began = clock_seconds()};
    bool equal = false;
    verify.shown_at = verify.began;
    int status = connect_both(&verify, error) == 0 && check_phase(&verify, error) == 0 &&
                         pace_open(&verify, error) == 0
                     ? (options->join ? join_run_pass(&verify, options, &equal, error)
                                      : run_pass(&verify, &equal, error))
                     : -1;
    pace_close(&verify);
    pairs_free(verify.pairs);
    database_close(verify.source);
    database_close(verify.target);
    selection_free(&options->selection);
    if (status == 0) {
        return equal ? EXIT_DONE : EXIT_ANSWER_NO;
    }
    if (error->code == ERROR_INTERRUPTED) {
        error_hint(error, "run the same command again: it goes on where it stopped");
    }
    explain_end(&verify, error);
    return (ExitStatus)error_exit_status(error);
}

const Command command_verify = {
    .name = "verify",
    .summary = "Compare both sides exactly, while both are written",
    .argp = &verify_argp,
    .options_size = sizeof(VerifyOptions),
    .run = command_run,
};
