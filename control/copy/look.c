/*
 * penstock check, asked by the copy itself before it makes anything: what stands in the way of the switch is not to be learnt
 * after days of copying. A migration that has begun is not asked again, so that an interrupted copy goes on at once.
 */
#include "copy.h"
#include "lock.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "ends.h"
#include "queue.h"

/* Whether the target knows this migration: it was looked at when it began. */
static int has_begun(Copy *copy, bool *begun, Error *error)
{
    *begun = false;
    if (state_exists(copy->target, begun, error) != 0) {
        return -1;
    }
    return *begun ? queue_migration_exists(copy->target, copy->settings->migration, begun, error) : 0;
}

/* Checks that the copy's options answer, up to NULL. */
static void name_settled(const CopyOptions *options, const char *settled[4])
{
    size_t count = 0;
    if (options->skip_large_objects) {
        settled[count++] = "large-objects-read";
    }
    if (options->schema.no_owner && options->schema.no_privileges) {
        settled[count++] = "roles";
    }
    if (options->schema.no_tablespaces) {
        settled[count++] = "tablespaces";
    }
    settled[count] = NULL;
}

/* Of what holds the rows: without it nothing can be copied, whatever is accepted. */
static bool is_hopeless(const char *object)
{
    return strncmp(object, "TABLE ", 6) == 0 ||
           (strncmp(object, "SEQUENCE ", 9) == 0 && strncmp(object, "SEQUENCE OWNED BY ", 18) != 0);
}

/* The first such thing that the trial could not make, or NULL. */
static const char *first_hopeless(const json_t *outcomes)
{
    size_t i, j;
    json_t *outcome, *finding;
    json_array_foreach(outcomes, i, outcome)
    {
        if (strcmp(json_string_value(json_object_get(outcome, "id")), CHECK_TRIAL) != 0) {
            continue;
        }
        json_array_foreach(json_object_get(outcome, "findings"), j, finding)
        {
            const char *object = json_string_value(json_object_get(finding, "object"));
            if (object != NULL && is_hopeless(object)) {
                return object;
            }
        }
    }
    return NULL;
}

static int judge(Copy *copy, json_t *outcomes, Error *error)
{
    const char *hopeless = first_hopeless(outcomes);
    size_t problems = check_count(outcomes, CHECK_PROBLEM) + check_count(outcomes, CHECK_ERROR);
    size_t warnings = check_count(outcomes, CHECK_WARNING);
    if (problems == 0 && warnings > 0) {
        progress_warn(copy->progress, "%zu warning%s of the check: penstock check shows %s", warnings,
                      warnings == 1 ? "" : "s", warnings == 1 ? "it" : "them");
    }
    if (problems == 0) {
        return 0;
    }
    if (copy->options->force && hopeless != NULL) {
        check_print(stderr, outcomes, CHECK_PROBLEMS_ONLY);
        fputc('\n', stderr);
        error_set(error, ERROR_STATE,
                  "the target refuses %s, which rows need: --force does not help; nothing was copied",
                  hopeless);
        return error_hint(error,
                          "Make it possible, on the target or at the source, or leave the table behind: "
                          "--exclude.");
    }
    if (copy->options->force) {
        progress_warn(copy->progress,
                      "going on with %zu problem%s, as --force says (penstock check shows them)", problems,
                      problems == 1 ? "" : "s");
        copy->accepted = json_incref(outcomes);
        return 0;
    }
    check_print(stderr, outcomes, CHECK_PROBLEMS_ONLY);
    fputc('\n', stderr);
    error_set(error, ERROR_STATE, "the check before the copy has found %zu problem%s; nothing was copied",
              problems, problems == 1 ? "" : "s");
    return error_hint(error,
                      "Solve %s and give the same command again; or --force: then the copy goes on, and "
                      "remembers what was accepted.",
                      problems == 1 ? "it" : "them");
}

static void show_check(void *context, size_t done, size_t of)
{
    Progress *progress = context;
    if (of > 0) {
        progress_note(progress, "trying the schema on the target: %zu of %zu objects", done, of);
    } else {
        progress_note(progress, "%s", "");
    }
}

int copy_look_first(Copy *copy, Error *error)
{
    bool begun;
    const char *settled[4];
    if (ends_differ(copy->source, copy->target, error) != 0 ||
        lock_control(copy->target, copy->settings->migration, error) != 0 ||
        has_begun(copy, &begun, error) != 0) {
        return -1;
    }
    if (begun) {
        return 0;
    }
    name_settled(copy->options, settled);
    progress_phase(copy->progress, "check");
    const CheckRequest request = {.settings = copy->settings,
                                  .ahead = &copy->options->ahead,
                                  .selection = &copy->options->selection,
                                  .tablespaces = &copy->options->tablespaces,
                                  .schema = &copy->options->schema,
                                  .settled = settled,
                                  .no_trial = copy->options->no_trial,
                                  .part_mb = copy->options->part_mb,
                                  .trial_end = &copy->trial_end,
                                  .tools = &copy->tools,
                                  .idle = show_check,
                                  .context = copy->progress};
    json_t *outcomes = check_run(&request);
    int status = interrupted()
                     ? error_set(error, ERROR_INTERRUPTED, "interrupted in the check before the copy")
                     : judge(copy, outcomes, error);
    json_decref(outcomes);
    return status;
}

int copy_remember(Copy *copy, Error *error)
{
    return copy->accepted != NULL
               ? check_accept(copy->target, copy->settings->migration, copy->accepted, error)
               : 0;
}
