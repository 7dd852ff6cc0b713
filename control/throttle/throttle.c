/*
 * penstock throttle, pause, resume: what they set is a row on the target, which everybody who copies reads once a second. So they
 * are for a copy that runs, on whatever hosts, and hold for the next run as well.
 *
 * NAME=VALUE and not options: the settings file gives a command the options that it has lines for, and what is set here has to be
 * meant when it is said. Sizes are read by the target (pg_size_bytes).
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "database.h"
#include "settings.h"
#include "state.h"
#include "text.h"

typedef struct Entry {
    const char *name;
    const char *column; /* of penstock.throttle */
    const char *read;   /* SQL of the value $2 that is given */
    const char *least;  /* a number below it is none, or NULL */
    const char *doc;
} Entry;

#define AS_SIZE "pg_catalog.pg_size_bytes($2)"
#define AS_COUNT "$2::int8"

static const Entry entries[] = {
    {"jobs", "jobs", AS_COUNT, "1", "tables and parts at a time, in each process that copies or compares"},
    {"rate", "bytes_per_second", AS_SIZE, "1", "bytes per second that each process carries"},
    {"max-wal", "max_wal", AS_SIZE, "0",
     "nothing is begun while the source keeps more WAL than this for the slot"},
    {"max-lag", "max_lag", AS_SIZE, "0",
     "slower while a standby is further behind than so many bytes of WAL"},
    {"standbys", "standbys", "pg_catalog.string_to_array($2, ',')", NULL,
     "whose lag that is: application_name, with commas between; one that is not connected counts as far "
     "behind"},
    {"max-sessions", "max_sessions", AS_COUNT, "0",
     "slower while more sessions of applications are active at the source"},
    {"max-xmin-age", "max_xmin_age", AS_COUNT, "0",
     "slower while the source's oldest snapshot is more transactions old than this"},
    {"min-free", "min_free", AS_SIZE, "0",
     "slower while less than this is free on the target's disk (needs pg_execute_server_program there)"},
};

#define ENTRIES (sizeof entries / sizeof *entries)

typedef struct ThrottleOptions {
    const char *values[ENTRIES]; /* as given; "off": no limit */
} ThrottleOptions;

static error_t set_value(ThrottleOptions *options, const char *argument, struct argp_state *state)
{
    const char *names[ENTRIES], *value = strchr(argument, '=');
    for (size_t i = 0; i < ENTRIES; i++) {
        names[i] = entries[i].name;
        if (value != NULL && strlen(names[i]) == (size_t)(value - argument) &&
            strncmp(argument, names[i], (size_t)(value - argument)) == 0) {
            options->values[i] = value + 1;
            return 0;
        }
    }
    const char *nearest = settings_nearest(argument, names, ENTRIES);
    argp_error(state, "\"%s\" is nothing that can be set%s%s; NAME=VALUE, as in rate=20MB, or rate=off",
               argument, nearest != NULL ? ": the nearest is " : "", nearest != NULL ? nearest : "");
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    return key == ARGP_KEY_ARG ? set_value(state->input, argument, state) : ARGP_ERR_UNKNOWN;
}

static int open_target(const Settings *settings, Database **out, Error *error)
{
    Migration migration;
    return database_connect(settings->target, DATABASE_TARGET, "throttle", out, error) == 0
               ? state_load(*out, settings->migration, &migration, error)
               : -1;
}

static int make_row(Database *target, const char *migration, Error *error)
{
    return database_execute(target, error,
                            "INSERT INTO penstock.throttle (migration) VALUES ($1) ON CONFLICT DO NOTHING", 1,
                            migration);
}

/* A limit of less than nothing would be shown and never be kept; no jobs at all would be a pause that nobody names. */
static int check_one(Database *target, const char *migration, const Entry *entry, const char *value,
                     Error *error)
{
    Text sql = {0};
    char *answer = NULL;
    text_printf(&sql, "SELECT %s < %s FROM penstock.throttle WHERE migration = $1", entry->column,
                entry->least);
    int status = database_value(target, &answer, error, sql.data, 1, migration);
    if (status == 0 && answer != NULL && answer[0] == 't') {
        status = error_set(error, ERROR_USAGE, "%s cannot be %s: %s is the least", entry->name, value,
                           entry->least);
        status = error_hint(error, "%s=off takes the limit back; penstock pause lets nothing more begin",
                            entry->name);
    }
    free(answer);
    text_free(&sql);
    return status;
}

static int set_one(Database *target, const char *migration, const Entry *entry, const char *value,
                   Error *error)
{
    Text sql = {0};
    bool off = strcmp(value, "off") == 0;
    text_printf(
        &sql,
        "UPDATE penstock.throttle SET %s = CASE WHEN $3::bool THEN NULL ELSE %s END WHERE migration = $1",
        entry->column, entry->read);
    int status = database_execute(target, error, sql.data, 3, migration, off ? NULL : value, off ? "t" : "f");
    text_free(&sql);
    if (status == 0 && entry->least != NULL) {
        return check_one(target, migration, entry, value, error);
    }
    return status == 0 ? 0 : error_context(error, "setting %s to \"%s\"", entry->name, value);
}

static int set_all(Database *target, const char *migration, const ThrottleOptions *options, Error *error)
{
    if (database_execute(target, error, "BEGIN", 0) != 0 || make_row(target, migration, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        if (options->values[i] != NULL &&
            set_one(target, migration, &entries[i], options->values[i], error) != 0) {
            return -1;
        }
    }
    return database_execute(target, error, "COMMIT", 0);
}

static const char show_sql[] =
    "SELECT t.jobs, t.bytes_per_second, t.max_wal, t.max_lag, pg_catalog.array_to_string(t.standbys, ','),"
    "       t.max_sessions, t.max_xmin_age, t.min_free, coalesce(t.paused, false), t.held_since IS NOT NULL, "
    "t.reason"
    "  FROM penstock.migration m LEFT JOIN penstock.throttle t ON t.migration = m.name WHERE m.name = $1";

enum { PAUSED = ENTRIES, HELD, REASON };

static void print_json(const PGresult *row, bool runs)
{
    json_t *document = json_object();
    for (size_t i = 0; i < ENTRIES; i++) {
        const char *value = PQgetvalue(row, 0, (int)i);
        bool text = strcmp(entries[i].name, "standbys") == 0;
        json_object_set_new(document, entries[i].column,
                            PQgetisnull(row, 0, (int)i) ? json_null()
                            : text                      ? json_string(value)
                                                        : json_integer(strtoll(value, NULL, 10)));
    }
    json_object_set_new(document, "paused", json_boolean(PQgetvalue(row, 0, PAUSED)[0] == 't'));
    json_object_set_new(document, "held", json_boolean(runs && PQgetvalue(row, 0, HELD)[0] == 't'));
    json_object_set_new(document, "reason",
                        !runs || PQgetisnull(row, 0, REASON) ? json_null()
                                                             : json_string(PQgetvalue(row, 0, REASON)));
    json_dumpf(document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
}

static void print_text(const PGresult *row, bool runs)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        printf("%-13s %-12s  %s\n", entries[i].name,
               PQgetisnull(row, 0, (int)i) ? "off" : PQgetvalue(row, 0, (int)i), entries[i].doc);
    }
    if (PQgetvalue(row, 0, PAUSED)[0] == 't') {
        puts("The copy is paused: penstock resume lets it go on.");
    } else if (runs && !PQgetisnull(row, 0, REASON)) {
        printf("The copy is %s: %s.\n", PQgetvalue(row, 0, HELD)[0] == 't' ? "held" : "slowed down",
               PQgetvalue(row, 0, REASON));
    }
}

/* What held up a copy or a comparison stays written down when that is killed: then nobody is held up. */
static int find_runner(const Settings *settings, Database *target, bool *runs, Error *error)
{
    if (state_is_locked(target, settings->migration, "control", runs, error) != 0) {
        return -1;
    }
    return *runs ? 0 : state_is_locked(target, settings->migration, "verify", runs, error);
}

static int show(const Settings *settings, Database *target, Error *error)
{
    PGresult *row = NULL;
    bool runs = false;
    if (find_runner(settings, target, &runs, error) != 0 ||
        database_query(target, &row, error, show_sql, 1, settings->migration) != 0) {
        return -1;
    }
    (settings->json ? print_json : print_text)(row, runs);
    PQclear(row);
    return 0;
}

static ExitStatus run_throttle(const Settings *settings, void *input, Error *error)
{
    const ThrottleOptions *options = input;
    Database *target = NULL;
    bool sets = false;
    for (size_t i = 0; i < ENTRIES; i++) {
        sets |= options->values[i] != NULL;
    }
    int status = open_target(settings, &target, error);
    if (status == 0 && sets) {
        status = set_all(target, settings->migration, options, error);
    }
    if (status == 0) {
        status = show(settings, target, error);
    }
    database_close(target);
    return status == 0 ? EXIT_DONE : (ExitStatus)error_exit_status(error);
}

static ExitStatus set_paused(const Settings *settings, bool paused, const char *words, Error *error)
{
    Database *target = NULL;
    int status = open_target(settings, &target, error);
    if (status == 0) {
        status = database_execute(target, error,
                                  "INSERT INTO penstock.throttle (migration, paused) VALUES ($1, $2::bool)"
                                  " ON CONFLICT (migration) DO UPDATE SET paused = excluded.paused",
                                  2, settings->migration, paused ? "t" : "f");
    }
    if (status == 0 && !settings->json) {
        puts(words);
    }
    database_close(target);
    return status == 0 ? EXIT_DONE : (ExitStatus)error_exit_status(error);
}

static ExitStatus run_pause(const Settings *settings, void *options, Error *error)
{
    (void)options;
    return set_paused(settings, true,
                      "The copy, or a comparison, begins nothing more; what is at work comes to its end, and "
                      "the stream goes on. "
                      "penstock resume lets it go on.",
                      error);
}

static ExitStatus run_resume(const Settings *settings, void *options, Error *error)
{
    (void)options;
    return set_paused(settings, false, "The copy goes on.", error);
}

static const struct argp throttle_argp = {
    .parser = parse,
    .args_doc = "[NAME=VALUE...]",
    .doc = "\vShows what slows the copy down, and sets it while the copy runs: jobs=4 rate=20MB max-wal=50GB "
           "max-lag=100MB "
           "standbys=a,b max-sessions=40 max-xmin-age=1000000 min-free=20GB; NAME=off takes it back. Every "
           "process that copies "
           "looks at it once a second.",
};

static const struct argp pause_argp = {
    .doc = "\vThe copy begins no further table or part, until penstock resume; the stream goes on."};
static const struct argp resume_argp = {.doc = "\vA copy that was paused goes on."};

const Command command_throttle = {
    .name = "throttle",
    .summary = "Show and set what slows the copy down, while it runs",
    .argp = &throttle_argp,
    .options_size = sizeof(ThrottleOptions),
    .run = run_throttle,
};

const Command command_pause = {
    .name = "pause",
    .summary = "Let the copy begin nothing more",
    .argp = &pause_argp,
    .run = run_pause,
};

const Command command_resume = {
    .name = "resume",
    .summary = "Let a copy that was paused go on",
    .argp = &resume_argp,
    .run = run_resume,
};
