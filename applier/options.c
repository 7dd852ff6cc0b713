/*
 * Numbers with a range are rows of a table: key, where they go, limits. Sizes take kB, MB and GB behind the number, and
 * are powers of 1024 as PostgreSQL's own settings are.
 */
#include "options.h"

#include <argp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applier_argp.h"

/* argp, in the C library, looks for it by name. */
__attribute__((visibility("default"))) const char *argp_program_version =
    "penstock-applier " PENSTOCK_VERSION;

enum Key {
    KEY_UNTIL = 256,
    KEY_MEMORY,
    KEY_SOURCE_MEMORY,
    KEY_TARGET_MEMORY,
    KEY_SOURCE_READ_AHEAD,
    KEY_BATCH_ROWS,
    KEY_BATCH_BYTES,
    KEY_COPY_ROWS,
    KEY_SESSION_TABLES,
    KEY_LINGER,
    KEY_STATUS_INTERVAL,
    KEY_TIMEOUT,
    KEY_START_LIMIT,
    KEY_RETRY_LIMIT,
    KEY_ON_CONFLICT,
    KEY_SKIP_LSN,
    KEY_ON_UNDECODABLE,
    KEY_LOSSY_TYPES,
    KEY_LOG_LEVEL,
    KEY_LOG_FORMAT,
    KEY_DUMP,
};

static const struct argp_option rows[] = {
    {"source", 's', "URI", 0, "the PostgreSQL 11 database (or PENSTOCK_SOURCE)", 1},
    {"target", 't', "URI", 0, "the PostgreSQL 14 database (or PENSTOCK_TARGET)", 1},
    {"migration", 'm', "NAME", 0, "name of the migration (\"default\")", 1},
    {"workers", 'w', "N", 0, "connections that apply at a time (number of processors)", 2},
    {"until", KEY_UNTIL, "LSN", 0, "stop when everything up to LSN is on the target", 2},
    {"memory", KEY_MEMORY, "SIZE", 0, "changes held in memory at most (256MB)", 2},
    {"target-memory", KEY_TARGET_MEMORY, "SIZE", 0,
     "memory that the target's processes of all workers may take together for what they know of tables, "
     "before "
     "connections are made anew (1GB)",
     2},
    {"source-memory", KEY_SOURCE_MEMORY, "SIZE", 0,
     "memory that the source's walsender may fill with unfinished transactions before it spills them to its "
     "disk (256MB; 0: the server's own rule)",
     2},
    {"source-read-ahead", KEY_SOURCE_READ_AHEAD, "RECORDS", 0,
     "records of the WAL that the source's walsender takes in one go while there is much of it (4096; 0: one "
     "by one)",
     2},
    {"batch-rows", KEY_BATCH_ROWS, "N", 0, "changes in one target transaction at most (5000)", 2},
    {"batch-bytes", KEY_BATCH_BYTES, "SIZE", 0, "bytes in one target transaction at most (8MB)", 2},
    {"copy-rows", KEY_COPY_ROWS, "N", 0,
     "so many inserts of one table in one target transaction go by COPY instead of INSERT (3000)", 2},
    {"session-tables", KEY_SESSION_TABLES, "N", 0,
     "a connection that has written to so many tables is made anew, whatever they take of --target-memory "
     "(1000000)",
     2},
    {"linger", KEY_LINGER, "MS", 0, "how long a change may wait for others to share a transaction (20)", 2},
    {"status-interval", KEY_STATUS_INTERVAL, "MS", 0, "between status updates to the source (1000)", 2},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0,
     "a server that has not answered for so long is taken as lost (60; 0: never)", 2},
    {"start-limit", KEY_START_LIMIT, "SECONDS", 0,
     "at the start, give up when a server cannot be reached for so long (10)", 2},
    {"retry-limit", KEY_RETRY_LIMIT, "SECONDS", 0,
     "give up when a lost server has not come back for so long (0: never)", 2},
    {"on-conflict", KEY_ON_CONFLICT, "[SCHEMA.TABLE=]POLICY", 0,
     "what to do with a change that does not fit the target's rows: stop, overwrite them, or skip it (stop); "
     "for "
     "one table or for all, may be repeated; what was done is in penstock.conflict",
     2},
    {"skip-lsn", KEY_SKIP_LSN, "LSN", 0,
     "leave out what is left of the source transaction at LSN, which the applier stopped at", 2},
    {"on-undecodable", KEY_ON_UNDECODABLE, "error|recopy", 0,
     "what to do when the source cannot send a change, or a row comes of a table made after the copy: stop, "
     "or "
     "go on without the table until `penstock copy` has copied it (error)",
     2},
    {"lossy-types", KEY_LOSSY_TYPES, "SCHEMA.TABLE|all", 0,
     "values of this table may change on their way, where the target's columns have other types; may be "
     "repeated",
     2},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "debug, info, warning or error (info)", 3},
    {"log-format", KEY_LOG_FORMAT, "FORMAT", 0, "text, logfmt or json (text; or PENSTOCK_LOG_FORMAT)", 3},
    {"dump", KEY_DUMP, "FILE", 0,
     "print the frames in FILE (\"-\": standard input) as text, and end: what pg_recvlogical wrote, or lines "
     "of hex",
     3},
    {0},
};

/* Numbers: where they go and what they may be. */
typedef enum NumberKind { NUMBER_INT, NUMBER_SIZE } NumberKind;

static const struct Number {
    int key;
    const char *name;
    NumberKind kind;
    size_t offset;
    unsigned long long minimum;
    unsigned long long maximum;
} numbers[] = {
    {'w', "workers", NUMBER_INT, offsetof(ApplierOptions, workers), 1, 128},
    {KEY_MEMORY, "memory", NUMBER_SIZE, offsetof(ApplierOptions, memory), 8 << 20, 1ULL << 40},
    {KEY_TARGET_MEMORY, "target-memory", NUMBER_SIZE, offsetof(ApplierOptions, target_memory), 16 << 20,
     1ULL << 40},
    {KEY_SOURCE_MEMORY, "source-memory", NUMBER_SIZE, offsetof(ApplierOptions, source_memory), 0, INT_MAX},
    {KEY_SOURCE_READ_AHEAD, "source-read-ahead", NUMBER_INT, offsetof(ApplierOptions, source_read_ahead), 0,
     65536},
    {KEY_BATCH_ROWS, "batch-rows", NUMBER_SIZE, offsetof(ApplierOptions, batch_rows), 1, 1000000},
    {KEY_BATCH_BYTES, "batch-bytes", NUMBER_SIZE, offsetof(ApplierOptions, batch_bytes), 1024, 1 << 30},
    {KEY_COPY_ROWS, "copy-rows", NUMBER_SIZE, offsetof(ApplierOptions, copy_rows), 1, 1000000},
    {KEY_SESSION_TABLES, "session-tables", NUMBER_SIZE, offsetof(ApplierOptions, session_tables), 1, 1000000},
    {KEY_LINGER, "linger", NUMBER_INT, offsetof(ApplierOptions, linger_ms), 0, 60000},
    {KEY_STATUS_INTERVAL, "status-interval", NUMBER_INT, offsetof(ApplierOptions, status_interval_ms), 10,
     60000},
    {KEY_TIMEOUT, "timeout", NUMBER_INT, offsetof(ApplierOptions, timeout_s), 0, 86400},
    {KEY_START_LIMIT, "start-limit", NUMBER_INT, offsetof(ApplierOptions, start_limit_s), 0, 1000000},
    {KEY_RETRY_LIMIT, "retry-limit", NUMBER_INT, offsetof(ApplierOptions, retry_limit_s), 0, 1000000},
};

static bool parse_number(const char *text, bool with_unit, unsigned long long *out)
{
    static const char *const units[] = {"kB", "MB", "GB"};
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    *out = strtoull(text, &end, 10);
    for (int i = 0; with_unit && i < 3; i++) {
        if (strcmp(end, units[i]) == 0 && *out < (ULLONG_MAX >> 30)) {
            *out <<= 10 * (i + 1);
            return true;
        }
    }
    return *end == '\0';
}

static void set_number(const struct Number *number, char *text, ApplierOptions *options,
                       struct argp_state *state)
{
    unsigned long long value;
    if (!parse_number(text, number->kind == NUMBER_SIZE, &value) || value < number->minimum ||
        value > number->maximum) {
        argp_error(state, "--%s: \"%s\" is not a number from %llu to %llu", number->name, text,
                   number->minimum, number->maximum);
        return;
    }
    char *member = (char *)options + number->offset;
    if (number->kind == NUMBER_INT) {
        *(int *)member = (int)value;
    } else {
        *(size_t *)member = (size_t)value;
    }
}

static void set_level(const char *text, ApplierOptions *options, struct argp_state *state)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, levels[i]) == 0) {
            options->log.level = (LogLevel)i;
            return;
        }
    }
    argp_error(state, "--log-level: \"%s\" is not one of debug, info, warning, error", text);
}

static void set_format(const char *text, ApplierOptions *options, struct argp_state *state)
{
    if (!log_format_parse(text, &options->log.format)) {
        argp_error(state, "--log-format: \"%s\" is not one of text, logfmt, json", text);
    }
}

static void add_policy(const char *text, ApplierOptions *options, struct argp_state *state)
{
    Error error;
    if (policies_add(&options->policies, text, &error) != 0) {
        argp_error(state, "--on-conflict: %s", error.message);
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    ApplierOptions *options = state->input;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].key == key) {
            set_number(&numbers[i], argument, options, state);
            return 0;
        }
    }
    switch (key) {
    case 's':
        options->source = argument;
        return 0;
    case 't':
        options->target = argument;
        return 0;
    case 'm':
        options->migration = argument;
        return 0;
    case KEY_UNTIL:
        if (!lsn_parse(argument, &options->until)) {
            argp_error(state, "--until: \"%s\" is not an LSN like 16/B374D848", argument);
        }
        return 0;
    case KEY_ON_CONFLICT:
        add_policy(argument, options, state);
        return 0;
    case KEY_SKIP_LSN:
        if (!lsn_parse(argument, &options->policies.skip_lsn)) {
            argp_error(state, "--skip-lsn: \"%s\" is not an LSN like 16/B374D848", argument);
        }
        return 0;
    case KEY_LOSSY_TYPES:
        fit_add_lossy(&options->lossy, argument);
        return 0;
    case KEY_ON_UNDECODABLE:
        options->recopy = strcmp(argument, "recopy") == 0;
        if (!options->recopy && strcmp(argument, "error") != 0) {
            argp_error(state, "--on-undecodable: \"%s\" is not one of error, recopy", argument);
        }
        return 0;
    case KEY_LOG_LEVEL:
        set_level(argument, options, state);
        return 0;
    case KEY_LOG_FORMAT:
        set_format(argument, options, state);
        return 0;
    case KEY_DUMP:
        options->dump = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > 128 ? 128 : (int)count;
}

const struct argp applier_argp = {
    .options = rows,
    .parser = parse,
    .doc = "Applies the changes of a PostgreSQL 11 database to PostgreSQL 14 as they arrive, from where "
           "it stopped "
           "last.\vWhat it does is in the migration's state on the target: penstock status shows it.\n"
           "Exit status: 0 stopped as asked, or by a cutover, 2 wrong usage, 3 failed.",
};

void options_parse(int argc, char **argv, ApplierOptions *out)
{
    *out = (ApplierOptions){
        .source = getenv("PENSTOCK_SOURCE"),
        .target = getenv("PENSTOCK_TARGET"),
        .migration = "default",
        .workers = processors(),
        .memory = 256 << 20,
        .source_memory = 256 << 20,
        .source_read_ahead = 4096,
        .batch_rows = 5000,
        .batch_bytes = 8 << 20,
        .copy_rows = 3000,
        .target_memory = (size_t)1 << 30,
        .session_tables = 1000000,
        .linger_ms = 20,
        .status_interval_ms = 1000,
        .timeout_s = 60,
        .start_limit_s = 10,
        .log = {.level = LOG_INFO, .journal = log_is_journal(), .place = &out->place},
        .place = {.program = "penstock-applier"},
    };
    const char *format = getenv("PENSTOCK_LOG_FORMAT");
    if (format != NULL && !log_format_parse(format, &out->log.format)) {
        out->log.format = LOG_TEXT; /* whoever set it may have meant a later version */
    }
    argp_err_exit_status = 2;
    argp_parse(&applier_argp, argc, argv, 0, NULL, out);
    out->place.migration = out->migration;
}
