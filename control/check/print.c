/*
 * Outcomes for people: by group, what is fine in one line, what is not with the names of the objects, a
 * statement to run where there is one, and what to do. Ends with one sentence that says how it stands.
 */
#include "check.h"

#include <stdint.h>
#include <string.h>

#define FINDINGS_SHOWN 20

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_finding(FILE *out, const json_t *finding)
{
    const char *detail = text_of(finding, "detail");
    const char *fix = text_of(finding, "fix"), *hint = text_of(finding, "hint");
    const char *severity = text_of(finding, "severity");
    bool accepted = json_is_true(json_object_get(finding, "accepted"));
    fprintf(out, "               %s%s%s%s%s%s\n", accepted ? "(accepted) " : "",
            severity != NULL ? severity : "", severity != NULL ? ": " : "", text_of(finding, "object"),
            detail != NULL ? ": " : "", detail != NULL ? detail : "");
    if (hint != NULL) {
        fprintf(out, "                 %s\n", hint);
    }
    if (fix != NULL) {
        fprintf(out, "                 %s\n", fix);
    }
}

static void print_findings(FILE *out, const json_t *outcome, size_t limit)
{
    const json_t *findings = json_object_get(outcome, "findings");
    const char *advice = text_of(outcome, "advice");
    size_t count = json_array_size(findings);
    for (size_t i = 0; i < count && i < limit; i++) {
        print_finding(out, json_array_get(findings, i));
    }
    if (count > limit) {
        fprintf(out, "               and %zu more, %zu in all (--verbose or --json lists them)\n",
                count - limit, count);
    }
    if (advice != NULL) {
        fprintf(out, "               → %s\n", advice);
    }
}

static bool is_status(const json_t *outcome, CheckStatus status)
{
    return strcmp(text_of(outcome, "status"), check_status_name(status)) == 0;
}

static void print_outcome(FILE *out, const json_t *outcome, size_t limit)
{
    const char *error = text_of(outcome, "error");
    json_int_t count = json_integer_value(json_object_get(outcome, "count"));
    fprintf(out, "  %-9s  %s", text_of(outcome, "status"), text_of(outcome, "title"));
    if (count > 1) {
        fprintf(out, " (%" JSON_INTEGER_FORMAT ")", count);
    }
    fprintf(out, is_status(outcome, CHECK_OK) ? "\n" : "  [%s]\n", text_of(outcome, "id"));
    if (error != NULL) {
        fprintf(out, "               %s: %s\n", is_status(outcome, CHECK_ERROR) ? "not checked" : "skipped",
                error);
    }
    print_findings(out, outcome, limit);
}

/* "1 problem", "2 problems". */
static void print_count(FILE *out, const char *before, size_t count, const char *what)
{
    fprintf(out, "%s%zu %s%s", before, count, what, count == 1 ? "" : "s");
}

static void print_summary(FILE *out, const json_t *outcomes)
{
    size_t problems = check_count(outcomes, CHECK_PROBLEM);
    size_t skipped = check_count(outcomes, CHECK_SKIPPED);
    size_t errors = check_count(outcomes, CHECK_ERROR);
    fprintf(out, "\n%zu ok", check_count(outcomes, CHECK_OK));
    print_count(out, ", ", check_count(outcomes, CHECK_NOTE), "note");
    print_count(out, ", ", check_count(outcomes, CHECK_WARNING), "warning");
    print_count(out, ", ", problems, "problem");
    if (check_count(outcomes, CHECK_ACCEPTED) > 0) {
        fprintf(out, ", %zu accepted", check_count(outcomes, CHECK_ACCEPTED));
    }
    if (errors > 0) {
        fprintf(out, ", %zu not checked", errors);
    }
    if (skipped > 0) {
        fprintf(out, ", %zu skipped", skipped);
    }
    fprintf(out, ".\n%s\n",
            problems + errors > 0
                ? "Next: solve the problems, then run `penstock check` again."
                : "Next: `penstock copy`, once you have read the warnings, if there are any.");
}

/* Whether it is said at that extent. */
static bool is_said(const json_t *outcome, CheckExtent extent)
{
    if (extent == CHECK_PROBLEMS_ONLY) {
        return is_status(outcome, CHECK_PROBLEM) || is_status(outcome, CHECK_ERROR);
    }
    return extent == CHECK_EVERYTHING || !is_status(outcome, CHECK_SKIPPED);
}

void check_print(FILE *out, const json_t *outcomes, CheckExtent extent)
{
    const char *group = "";
    size_t index, said = 0, limit = extent == CHECK_EVERYTHING ? SIZE_MAX : FINDINGS_SHOWN;
    json_t *outcome;
    json_array_foreach(outcomes, index, outcome)
    {
        if (!is_said(outcome, extent)) {
            continue;
        }
        if (strcmp(group, text_of(outcome, "group")) != 0) {
            group = text_of(outcome, "group");
            fprintf(out, "%s%s\n", said > 0 ? "\n" : "", group);
        }
        print_outcome(out, outcome, limit);
        said++;
    }
    print_summary(out, outcomes);
}
