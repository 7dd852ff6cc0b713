/*
 * penstock copy: the initial copy, from an empty target to one that only needs the stream.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ddl_step.h"
#include "option.h"
#include "plan.h"
#include "jobs.h"
#include "join.h"
#include "roles.h"
#include "selection_options.h"
#include "session.h"
#include "standby.h"
#include "start.h"
#include "steps.h"
#include "teller.h"
#include "yard.h"

#define MOST_SECONDS 86400

enum OptionKey {
    OPTION_JOBS = 'j',
    OPTION_LANES = 0x100,
    OPTION_SLOT_TIMEOUT,
    OPTION_CYCLE,
    OPTION_PART_SIZE,
    OPTION_FOLLOW,
    OPTION_JOIN,
    OPTION_STALL_TIMEOUT,
    OPTION_READ_FROM,
    OPTION_MAX_WAL,
    OPTION_MEMORY,
    OPTION_PARALLEL,
    OPTION_NO_OWNER,
    OPTION_NO_PRIVILEGES,
    OPTION_NO_TABLESPACES,
    OPTION_LEAVE_OUT,
    OPTION_NOT_VALID,
    OPTION_ROLES,
    OPTION_DDL,
    OPTION_SKIP_LARGE_OBJECTS,
    OPTION_FORCE,
    OPTION_NO_TRIAL,
    OPTION_LOSSY_TYPES,
};

static const struct argp_option argp_options[] = {
    {.name = "jobs", .key = OPTION_JOBS, .arg = "N", .doc = "Tables and indexes at a time (default: cores)"},
    {.name = "lanes",
     .key = OPTION_LANES,
     .arg = "N",
     .doc = "Lanes that the stream will be applied in, fixed for the whole migration (default: 16, and up to "
            "256 where there are very many tables)"},
    {.name = "slot-timeout",
     .key = OPTION_SLOT_TIMEOUT,
     .arg = "SECONDS",
     .doc = "How long to wait for the transactions that run when a slot is made (default: 60)"},
    {.name = "cycle",
     .key = OPTION_CYCLE,
     .arg = "SECONDS",
     .doc =
         "Go on under a new snapshot of the source after this time, with the applier beside (default: 300)"},
    {.name = "part-size",
     .key = OPTION_PART_SIZE,
     .arg = "MB",
     .doc = "Copy tables of twice this size and more in parts of about this size, where they can be cut "
            "(default: 512)"},
    {.name = "join",
     .key = OPTION_JOIN,
     .doc = "Copy along with a penstock copy that runs, from this host or another one: takes tables and "
            "parts of the same "
            "queue, --jobs at a time, and does nothing else"},
    {.name = "follow", .key = OPTION_FOLLOW, .doc = "When all is copied, go on as penstock follow"},
    {.name = "stall-timeout",
     .key = OPTION_STALL_TIMEOUT,
     .arg = "SECONDS",
     .doc = "Give up when a table has not moved for so long (default: 900)"},
    {.name = "read-from",
     .key = OPTION_READ_FROM,
     .arg = "URI",
     .doc = "Read the rows on this physical standby of the source, whose replay is paused for a moment with "
            "each cycle"},
    {.name = "max-wal",
     .key = OPTION_MAX_WAL,
     .arg = "SIZE",
     .doc = "Begin nothing while the source keeps more WAL than this for the slot, 50GB for instance; as "
            "penstock "
            "throttle sets it (default: no limit)"},
    {.name = "maintenance-work-mem",
     .key = OPTION_MEMORY,
     .arg = "SIZE",
     .doc = "Memory of the target's for each index that is built, 1GB for instance (default: 256MB, or its "
            "own setting where that is more)"},
    {.name = "index-processes",
     .key = OPTION_PARALLEL,
     .arg = "N",
     .doc = "Processes of the target's that build one index (default: as it is set there)"},
    {.name = "roles",
     .key = OPTION_ROLES,
     .doc = "Make the roles that the target lacks first, as penstock roles does"},
    {.name = "ddl",
     .key = OPTION_DDL,
     .arg = "capture|watch|off",
     .doc = "What is done about DDL at the source: capture it by event triggers, and apply it in its place "
            "in the stream; watch by "
            "comparing the two schemas; or nothing (default: capture where the role of --source is a "
            "superuser, else watch)"},
    {.name = "no-owner", .key = OPTION_NO_OWNER, .doc = "Objects belong to the target's user"},
    {.name = "no-privileges", .key = OPTION_NO_PRIVILEGES, .doc = "Leave GRANTs behind"},
    {.name = "no-tablespaces", .key = OPTION_NO_TABLESPACES, .doc = "Everything into the default tablespace"},
    {.name = "leave-out",
     .key = OPTION_LEAVE_OUT,
     .arg = "OBJECT",
     .doc = "Do not make this object of the schema: \"FK CONSTRAINT public.child child_parent_fkey\", with "
            "or without "
            "the kind; * and ? as in a shell. May be repeated"},
    {.name = "not-valid",
     .key = OPTION_NOT_VALID,
     .arg = "CONSTRAINT",
     .doc =
         "Make this foreign key or check NOT VALID: rows that break it stay, new ones cannot. Named as for "
         "--leave-out. May be repeated"},
    {.name = "skip-large-objects", .key = OPTION_SKIP_LARGE_OBJECTS, .doc = "Leave large objects behind"},
    {.name = "force",
     .key = OPTION_FORCE,
     .doc = "Go on although the check that comes first has found problems; they are remembered as accepted"},
    {.name = "no-trial",
     .key = OPTION_NO_TRIAL,
     .doc = "In that check, do not try the schema in a database of its own on the target"},
    {.name = "lossy-types",
     .key = OPTION_LOSSY_TYPES,
     .arg = "SCHEMA.TABLE|all",
     .doc = "Values of this table may change where the target's column is of another type. May be repeated"},
    {0},
};

static const OptionField fields[] = {
    OPTION_NUMBER(OPTION_JOBS, "jobs", CopyOptions, jobs, 1, 256),
    OPTION_NUMBER(OPTION_LANES, "lanes", CopyOptions, lanes, 1, 1024),
    OPTION_NUMBER(OPTION_SLOT_TIMEOUT, "slot-timeout", CopyOptions, slot_timeout, 1, MOST_SECONDS),
    OPTION_NUMBER(OPTION_CYCLE, "cycle", CopyOptions, cycle, 1, MOST_SECONDS),
    OPTION_NUMBER(OPTION_PART_SIZE, "part-size", CopyOptions, part_mb, 1, 1 << 20),
    OPTION_FLAG(OPTION_JOIN, CopyOptions, join),
    OPTION_FLAG(OPTION_FOLLOW, CopyOptions, follow),
    OPTION_NUMBER(OPTION_STALL_TIMEOUT, "stall-timeout", CopyOptions, stall_timeout, 1, MOST_SECONDS),
    OPTION_NUMBER(OPTION_PARALLEL, "index-processes", CopyOptions, schema.parallel, 1, 1024),
    OPTION_FLAG(OPTION_ROLES, CopyOptions, roles),
    OPTION_FLAG(OPTION_NO_OWNER, CopyOptions, schema.no_owner),
    OPTION_FLAG(OPTION_NO_PRIVILEGES, CopyOptions, schema.no_privileges),
    OPTION_FLAG(OPTION_NO_TABLESPACES, CopyOptions, schema.no_tablespaces),
    OPTION_FLAG(OPTION_SKIP_LARGE_OBJECTS, CopyOptions, skip_large_objects),
    OPTION_FLAG(OPTION_FORCE, CopyOptions, force),
    OPTION_FLAG(OPTION_NO_TRIAL, CopyOptions, no_trial),
    OPTION_TEXT(OPTION_READ_FROM, CopyOptions, read_from),
    OPTION_TEXT(OPTION_MAX_WAL, CopyOptions, max_wal),
    OPTION_TEXT(OPTION_MEMORY, CopyOptions, schema.memory),
};

/* One more of a list; what does not fit is said as a wrong use. */
static void add_pattern(const char *pattern, const char **list, SchemaPatterns *patterns,
                        struct argp_state *state)
{
    if (patterns->count == MOST_PATTERNS) {
        argp_error(state, "at most %d of --leave-out, and of --not-valid; * and ? stand for several",
                   MOST_PATTERNS);
        return;
    }
    list[patterns->count++] = pattern;
    patterns->patterns = list;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    CopyOptions *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->selection;
        state->child_inputs[1] = &options->tablespaces;
        state->child_inputs[2] = &options->ahead;
        options->schema.tablespaces = &options->tablespaces;
        return 0;
    case OPTION_DDL:
        if (!ddl_mode_parse(argument, &options->ddl)) {
            argp_error(state, "--ddl takes capture, watch or off, not \"%s\"", argument);
        }
        return 0;
    case OPTION_LEAVE_OUT:
        add_pattern(argument, options->leave_out, &options->schema.leave_out, state);
        return 0;
    case OPTION_NOT_VALID:
        add_pattern(argument, options->not_valid, &options->schema.not_valid, state);
        return 0;
    case OPTION_LOSSY_TYPES:
        fit_add_lossy(&options->lossy, argument);
        return 0;
    default:
        return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, state->input)
                   ? 0
                   : ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {
    {.argp = &selection_argp},
    {.argp = &tablespaces_argp},
    {.argp = &preflight_argp,
     .header = "For the check that comes first, what the switch will be called with:",
     .group = 1},
    {0}};

static const struct argp copy_argp = {
    .options = argp_options,
    .parser = parse_option,
    .children = children,
    .doc = "Copies schema, rows and sequences into an empty target while the source is in use.\v"
           "penstock check comes first, and what it calls a problem ends the copy before it makes anything. "
           "The replication slot is made first, so that nothing written during the copy is lost: penstock "
           "follow brings it over afterwards. Run again while penstock follow is stopped, it copies the "
           "tables anew that "
           "penstock status says have to be. DDL at the source travels too, unless --ddl says otherwise. An "
           "interrupted copy goes on where it stopped when it is run again. Roles are not "
           "copied unless --roles is given: penstock roles does that.",
};

static void set_defaults(CopyOptions *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    options->jobs = options->jobs > 0 ? options->jobs : cores > 0 ? (int)cores : 1;
    options->slot_timeout = options->slot_timeout > 0 ? options->slot_timeout : 60;
    options->cycle = options->cycle > 0 ? options->cycle : 300;
    options->part_mb = options->part_mb > 0 ? options->part_mb : PLAN_PART_MB;
    options->stall_timeout = options->stall_timeout > 0 ? options->stall_timeout : 900;
}

static int count_sequences(Copy *copy, size_t *count, Error *error)
{
    char *text = NULL;
    if (database_value(copy->target, &text, error,
                       "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
                       "c.relnamespace"
                       " WHERE c.relkind = 'S' AND n.nspname NOT IN ('penstock', 'information_schema')",
                       0) != 0) {
        return -1;
    }
    *count = text != NULL ? strtoul(text, NULL, 10) : 0;
    free(text);
    return 0;
}

static void told_of_role(void *context, const char *role, const char *words)
{
    if (words != NULL) {
        progress_warn(context, "role %s: %s", role, words);
    } else {
        progress_warn(context, "made role %s", role);
    }
}

/* Those that are refused and needed are missing later, and named then. */
static int make_roles(Copy *copy, Error *error)
{
    RolesResult result;
    const RolesRequest request = {.told = told_of_role, .context = copy->progress};
    if (!copy->options->roles) {
        return 0;
    }
    if (roles_make(copy->source, copy->target, &request, &result, error) != 0) {
        return -1;
    }
    if (result.made > 0 && result.without_passwords) {
        progress_warn(copy->progress,
                      "roles were made without passwords, which the role of --source may not read");
    }
    return 0;
}

/* The state is there by now. */
static int begin_telling(Copy *copy)
{
    copy->teller = teller_new(copy);
    return 0;
}

/* This process's share. */
static int run_joined(Copy *copy, Error *error)
{
    Migration found;
    JobsTotals totals = {0};
    if (session_open(copy->settings->source, DATABASE_SOURCE, "copy", NULL, &copy->source, error) != 0 ||
        session_open(copy->settings->target, DATABASE_TARGET, "join control", NULL, &copy->target, error) !=
            0 ||
        start_describe(copy, &found, error) != 0 || standby_check(copy, error) != 0 ||
        join_run(copy, &found, error) != 0 ||
        jobs_totals(copy->target, copy->settings->migration, &totals, error) != 0) {
        return -1;
    }
    progress_phase(copy->progress, NULL);
    if (!copy->settings->json) {
        printf("Nothing is left to copy: %lld tables, %lld rows in all.\n", (long long)totals.tables,
               (long long)totals.rows);
    }
    return 0;
}

/* The database in which the check has tried the schema is dropped meanwhile. */
static void wait_for_trial_end(Copy *copy)
{
    Error error = {0};
    if (trial_end_wait(copy->trial_end, &error) != 0) {
        progress_warn(copy->progress, "%s", error.message);
    }
    copy->trial_end = NULL;
}

static int run_copy(Copy *copy, Error *error)
{
    JobsTotals totals = {0};
    size_t sequences = 0;
    const char *migration = copy->settings->migration;
    if (session_open(copy->settings->source, DATABASE_SOURCE, "copy", NULL, &copy->source, error) != 0 ||
        session_open(copy->settings->target, DATABASE_TARGET, "copy control", NULL, &copy->target, error) !=
            0 ||
        make_roles(copy, error) != 0 || copy_look_first(copy, error) != 0 || start_copy(copy, error) != 0) {
        return -1;
    }
    if (copy->copied) {
        return 0;
    }
    if (standby_check(copy, error) != 0) {
        return -1;
    }
    if (copy_remember(copy, error) != 0 || begin_telling(copy) != 0 || steps_run(copy, error) != 0 ||
        jobs_totals(copy->target, migration, &totals, error) != 0 ||
        count_sequences(copy, &sequences, error) != 0) {
        return -1;
    }
    wait_for_trial_end(copy);
    progress_summary(copy->progress, migration, totals.tables, totals.rows, totals.bytes, sequences);
    return copy_check_objects(copy, error);
}

/* Becomes the applier, as the command for that does. */
static ExitStatus go_on(const Settings *settings, Error *error)
{
    void *options = calloc(1, command_follow.options_size);
    if (options == NULL) {
        abort();
    }
    ExitStatus status = command_follow.run(settings, options, error);
    free(options);
    return status;
}

static ExitStatus command_run(const Settings *settings, void *options, Error *error)
{
    CopyOptions *copy_options = options;
    set_defaults(copy_options);
    Copy copy = {.settings = settings, .options = copy_options};
    copy.progress = progress_new(settings, yard_size(&copy));
    int status = copy_options->join ? run_joined(&copy, error) : run_copy(&copy, error);
    teller_free(copy.teller);
    wait_for_trial_end(&copy);
    progress_free(copy.progress);
    ddl_let_go(&copy);
    free((void *)copy_options->lossy.names);
    database_close(copy.source);
    database_close(copy.target);
    left_behind_free(&copy.left);
    selection_free(&copy.selection);
    selection_free(&copy_options->selection);
    tablespaces_free(&copy_options->tablespaces);
    json_decref(copy.accepted);
    if (status == 0) {
        return copy_options->follow && !copy_options->join ? go_on(settings, error) : EXIT_DONE;
    }
    if (error->code == ERROR_INTERRUPTED) {
        error_hint(error, "run the same command again: it goes on where it stopped");
    }
    return (ExitStatus)error_exit_status(error);
}

const Command command_copy = {
    .name = "copy",
    .summary = "Copy schema, rows and sequences into an empty target",
    .argp = &copy_argp,
    .options_size = sizeof(CopyOptions),
    .run = command_run,
};
