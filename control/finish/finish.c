/*
 * `penstock finish`: takes away what Penstock made. In this order, so that a run that was cut short can be repeated:
 *
 *     the way back  →  slot at the source  →  phase finished  →  schema penstock on the target
 *
 * The schema goes last because it knows the name of the slot. Rows and tables that were copied stay, whatever the
 * phase: nothing here deletes anyone's data. The fence stays too; how to lift it is said. It asks first, because the way
 * back goes with it: but for --abandon, which says by itself what is meant.
 */
#include "finish.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "confirm.h"
#include "lock.h"
#include "option.h"
#include "overview.h"
#include "report.h"
#include "reverse.h"

#define WAIT_SECONDS 30
#define REVERSE_LIMIT_MS 5000

typedef struct FinishResult {
    bool nothing; /* there was no such migration, as says … */
    Error missing;
    bool slot_dropped;
    bool capture_removed, capture_kept; /* the event triggers; kept for another migration of the source */
    FinishFence source, target;
    char source_database[64], target_database[64];
    char report[4096]; /* "": none was written */
} FinishResult;

static int clean_source(const Settings *settings, const Migration *migration, const FinishOptions *options,
                        FinishResult *result, Error *error)
{
    Database *source = NULL;
    if (options->skip_source) {
        return 0;
    }
    if (database_connect(settings->source, DATABASE_SOURCE, "finish", &source, error) != 0) {
        return error_hint(error, "If the source is gone for good, give --skip-source.");
    }
    int status = reverse_unsubscribe(source, migration, error);
    if (status == 0 && strcmp(migration->ddl, ddl_mode_name(DDL_CAPTURE)) == 0) {
        status = capture_remove(source, migration->slot_name, &result->capture_removed, &result->capture_kept,
                                error);
    }
    if (status == 0) {
        status = finish_slot(source, migration, options->wait_seconds, &result->slot_dropped, error);
    }
    if (status == 0) {
        status = finish_look_at_fence(source, &result->source, error);
    }
    if (status == 0 && result->source.stands && migration->phase == PHASE_SWITCHED) {
        status = finish_mark_fence(source, migration, &result->source, error);
    }
    database_close(source);
    return status;
}

static int journal(Database *target, const Migration *migration, const char *step, const char *event,
                   Error *error)
{
    return state_journal(target, migration->name, "finish", step, event, NULL, error);
}

/* What was set before the fences is in the journal, which goes with the schema. */
static int look_at_fences(Database *target, const Migration *migration, FinishResult *result, Error *error)
{
    memcpy(result->source_database, migration->source_database, sizeof result->source_database);
    snprintf(result->target_database, sizeof result->target_database, "%s",
             PQdb(database_connection(target)));
    return finish_read_fence(target, migration, "cutover", &result->source, error) == 0 &&
                   finish_read_fence(target, migration, "rollback", &result->target, error) == 0
               ? finish_look_at_fence(target, &result->target, error)
               : -1;
}

static int ask(const Settings *settings, const Migration *migration, const FinishOptions *options,
               Error *error)
{
    if (options->yes || options->abandon) {
        return 0;
    }
    return confirm(settings, "finish",
                   migration->phase == PHASE_SWITCHED
                       ? "This ends the way back: there will be no rollback any more. Go on?"
                       : "This removes all that Penstock knows of the migration. Go on?",
                   "Give --yes if it is meant.", error);
}

/* Before anything goes. */
static int write_report(const Settings *settings, const FinishOptions *options, FinishResult *result,
                        Error *error)
{
    json_t *document = NULL;
    if (options->no_report) {
        return 0;
    }
    snprintf(result->report, sizeof result->report, "%s", options->report != NULL ? options->report : "");
    if (options->report == NULL) {
        report_name(settings->migration, result->report, sizeof result->report);
    }
    int status = report_gather(settings, &document, error);
    if (status == 0) {
        status = report_write(document, result->report, error);
    }
    json_decref(document);
    return status == 0
               ? 0
               : error_hint(error,
                            "Nothing was removed. --report FILE writes the report elsewhere, --no-report "
                            "goes on without one.");
}

static int finish_migration(const Settings *settings, Database *target, const Migration *migration,
                            const FinishOptions *options, FinishResult *result, Error *error)
{
    Error ignored;
    if (finish_allowed(target, migration, options, error) != 0 ||
        ask(settings, migration, options, error) != 0 ||
        write_report(settings, options, result, error) != 0 ||
        look_at_fences(target, migration, result, error) != 0 ||
        journal(target, migration, "slot", "begin", error) != 0) {
        return -1;
    }
    if (clean_source(settings, migration, options, result, error) != 0) {
        /* The first error is the one to report. */
        if (journal(target, migration, "slot", "failed", &ignored) != 0) {
            return -1;
        }
        return -1;
    }
    if (journal(target, migration, "slot", "done", error) != 0 ||
        journal(target, migration, "schema", "begin", error) != 0 ||
        reverse_drop_slot(target, migration, REVERSE_LIMIT_MS, error) != 0 ||
        reverse_unpublish(target, migration, error) != 0 ||
        state_set_phase(target, migration->name, PHASE_FINISHED, error) != 0 ||
        state_forget(target, migration->name, options->keep_journal, error) != 0) {
        return -1;
    }
    return options->keep_journal ? journal(target, migration, "schema", "done", error) : 0;
}

/* *there is false when there is nothing to finish, which error says. What is read under the lock stays true. */
static int load(const Settings *settings, Database *target, Migration *out, bool *there, Error *error)
{
    if (state_exists(target, there, error) != 0) {
        return -1;
    }
    if (*there && lock_control(target, settings->migration, error) != 0) {
        return -1;
    }
    *there = load_migration(settings, target, out, error) == 0;
    return *there || error->code == ERROR_STATE ? 0 : -1;
}

static int finish(const Settings *settings, const FinishOptions *options, FinishResult *result, Error *error)
{
    Database *target = NULL;
    Migration migration;
    bool there = false;
    if (database_connect(settings->target, DATABASE_TARGET, "finish", &target, error) != 0) {
        return -1;
    }
    int status = load(settings, target, &migration, &there, error);
    if (status == 0 && !there) {
        result->nothing = true;
        result->missing = *error;
        *error = (Error){.code = ERROR_NONE};
    }
    if (status == 0 && there) {
        status = finish_migration(settings, target, &migration, options, result, error);
    }
    database_close(target);
    return status;
}

static void print_json(const Settings *settings, const FinishResult *result, const FinishOptions *options)
{
    json_t *document =
        json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:b}", "migration", settings->migration, "nothing_to_do",
                  result->nothing, "slot_dropped", result->slot_dropped, "capture_removed",
                  result->capture_removed, "journal_kept", options->keep_journal, "source_fenced",
                  result->source.stands, "target_fenced", result->target.stands);
    json_dumpf(document, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(document);
}

static void print_result(const Settings *settings, const FinishResult *result, const FinishOptions *options)
{
    (void)settings;
    if (result->nothing) {
        printf("Nothing to do: %s.\n", result->missing.message);
        return;
    }
    printf("source      %s\n", options->skip_source   ? "not touched"
                               : result->slot_dropped ? "the slot is dropped"
                                                      : "the slot was gone already");
    if (result->capture_removed || result->capture_kept) {
        printf("            what captured DDL %s\n",
               result->capture_removed ? "is removed" : "stays: another migration of this database uses it");
    }
    printf("target      %s\n", options->keep_journal ? "only the journal is left of schema penstock"
                                                     : "nothing is left of the migration in schema penstock");
    if (result->report[0] != '\0') {
        printf("report      %s\n", result->report);
    }
    if (options->abandon) {
        printf("            what was copied is still there; drop it yourself if you begin again\n");
    }
    if (result->source.stands) {
        finish_print_fence(stdout, "source", result->source_database, &result->source);
    }
    if (result->target.stands) {
        finish_print_fence(stdout, "target", result->target_database, &result->target);
    }
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    const FinishOptions *options = input;
    FinishResult result = {.nothing = false};
    if (finish(settings, options, &result, error) != 0) {
        return EXIT_FAILED;
    }
    (settings->json ? print_json : print_result)(settings, &result, options);
    return EXIT_DONE;
}

enum {
    KEY_ABANDON = 0x2000,
    KEY_KEEP_JOURNAL,
    KEY_SKIP_SOURCE,
    KEY_WAIT,
    KEY_YES,
    KEY_REPORT,
    KEY_NO_REPORT
};

static const struct argp_option options[] = {
    {"abandon", KEY_ABANDON, NULL, 0, "Give up a migration that has not been switched", 0},
    {"keep-journal", KEY_KEEP_JOURNAL, NULL, 0, "Leave the journal, as penstock.journal on the target", 0},
    {"skip-source", KEY_SKIP_SOURCE, NULL, 0, "Do not touch the source: it is gone for good", 0},
    {"report", KEY_REPORT, "FILE", 0,
     "Where to write the report of the migration (penstock-report-MIGRATION.html)", 0},
    {"no-report", KEY_NO_REPORT, NULL, 0, "Write none", 0},
    {"yes", KEY_YES, NULL, 0, "Do not ask", 0},
    {"wait", KEY_WAIT, "SECONDS", 0, "How long to wait for a slot that is in use (30)", 0},
    {0},
};

static const OptionField fields[] = {
    OPTION_FLAG(KEY_ABANDON, FinishOptions, abandon),
    OPTION_FLAG(KEY_KEEP_JOURNAL, FinishOptions, keep_journal),
    OPTION_FLAG(KEY_SKIP_SOURCE, FinishOptions, skip_source),
    OPTION_TEXT(KEY_REPORT, FinishOptions, report),
    OPTION_FLAG(KEY_NO_REPORT, FinishOptions, no_report),
    OPTION_FLAG(KEY_YES, FinishOptions, yes),
    OPTION_NUMBER(KEY_WAIT, "wait", FinishOptions, wait_seconds, 0, 86400),
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    FinishOptions *parsed = state->input;
    if (key == ARGP_KEY_INIT) {
        parsed->wait_seconds = WAIT_SECONDS;
        return 0;
    }
    return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, parsed)
               ? 0
               : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "\vDrops the slot at the source, the way back on both sides, and schema penstock on the target. "
        "Moved tables stay, and so does "
        "a fence; the statements that lift it are printed. Asks first, unless --yes or --abandon is given. "
        "Can be run again, also when it was cut short.",
};

const Command command_finish = {
    .name = "finish",
    .summary = "Remove everything that Penstock made",
    .argp = &argp,
    .options_size = sizeof(FinishOptions),
    .run = run,
};
