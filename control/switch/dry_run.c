/*
 * --dry-run: all checks, and what the hold would take if it began now. Expected is the oldest transaction of the while
 * that was looked (the drain), the time in which the other side came to where this one was (the catch-up), and what the
 * steps take by themselves.
 */
#include <stdio.h>

#include "measure.h"

#define STEPS_S 0.3 /* from hold to release with nothing to wait for; bench/cutover measures it */

typedef struct Expected {
    double drain;
    double catch_up; /* -1: not known */
    double hold;
    bool fits;
} Expected;

static Expected expect(const Cutover *cutover, const Measure *found)
{
    const CutoverOptions *options = cutover->options;
    Expected out = {.drain = cutover->holds ? found->oldest : 0, .catch_up = found->lag_seconds};
    out.hold = out.drain + (out.catch_up > 0 ? out.catch_up : 0) + found->definition_seconds +
               found->sequence_seconds + found->large.seconds + STEPS_S;
    out.fits = out.catch_up >= 0 && out.drain <= options->drain_limit && out.hold <= options->hold_limit;
    return out;
}

static void print_json(const Cutover *cutover, const Measure *found, const Expected *expected)
{
    json_t *all =
        json_pack("{s:s, s:s, s:b, s:I, s:f, s:f, s:s?, s:f, s:i, s:I, s:f, s:{s:f, s:f, s:f}, s:{s:f, s:f}}",
                  "operation", cutover->road->operation, "migration", cutover->migration.name, "fits",
                  expected->fits, "lag_bytes", (json_int_t)found->lag_bytes, "lag_seconds",
                  found->lag_seconds, "oldest_transaction_seconds", found->oldest, "oldest_transaction",
                  found->oldest_who, "sessions_at_work", found->at_work, "most_sessions_at_work",
                  found->most_at_work, "sequences", (json_int_t)found->sequences, "sequence_seconds",
                  found->sequence_seconds, "expected", "drain_seconds", expected->drain, "catch_up_seconds",
                  expected->catch_up, "hold_seconds", expected->hold, "limits", "drain_seconds",
                  cutover->options->drain_limit, "hold_seconds", cutover->options->hold_limit);
    json_object_set_new(all, "definition_seconds", json_real(found->definition_seconds));
    json_object_set_new(all, "sequence_sessions", json_integer(found->sequence_sessions));
    json_object_set_new(all, "tables", json_integer((json_int_t)found->tables));
    json_object_set_new(all, "publish_seconds", json_real(found->publish_seconds));
    if (found->large_known) {
        json_object_set_new(all, "large_objects",
                            json_pack("{s:I, s:I, s:I, s:f}", "count", (json_int_t)found->large.objects,
                                      "changed", (json_int_t)found->large.changed, "changed_bytes",
                                      (json_int_t)found->large.bytes, "look_seconds", found->large.seconds));
    }
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(all);
}

static void print_tables(const Measure *found)
{
    if (found->publish_seconds < 0) {
        printf("  tables              %zu to publish for the way back; one of them is locked: how long that "
               "takes is not known\n",
               found->tables);
    } else if (found->tables > 0) {
        printf("  tables              %zu to publish for the way back, before clients are held: %.2f s\n",
               found->tables, found->publish_seconds);
    }
}

static void print_found(const Cutover *cutover, const Measure *found)
{
    char within[32] = "more than can be waited for here";
    if (found->lag_seconds >= 0) {
        snprintf(within, sizeof within, "%.2f s", found->lag_seconds);
    }
    printf("  checks              passed: %s\n", cutover->note);
    printf("  lag                 %lld bytes; made up in %s\n", (long long)found->lag_bytes, within);
    printf("  at work             %.1f sessions on average, %d at most, in %d looks\n", found->at_work,
           found->most_at_work, found->looks);
    printf("  oldest transaction  %.2f s%s%s\n", found->oldest, found->oldest_who != NULL ? ": " : "",
           found->oldest_who != NULL ? found->oldest_who : "");
    printf("  definitions         looked through in %.2f s\n", found->definition_seconds);
    printf("  sequences           %zu, read in %.2f s%s\n", found->sequences, found->sequence_seconds,
           found->sequence_sessions > 1 ? " by several sessions" : "");
    print_tables(found);
    if (found->large_known && found->large.objects > 0) {
        printf("  large objects       %lld, of which %lld have changed (%lld bytes, brought before the "
               "hold), found in %.2f s\n",
               (long long)found->large.objects, (long long)found->large.changed,
               (long long)found->large.bytes, found->large.seconds);
    }
}

static void print_text(const Cutover *cutover, const Measure *found, const Expected *expected)
{
    printf("Dry run of the %s of migration \"%s\": nothing was changed.\n", cutover->road->operation,
           cutover->migration.name);
    print_found(cutover, found);
    if (cutover->holds) {
        printf("  expected drain      %.2f s of %g s\n", expected->drain, cutover->options->drain_limit);
        printf("  expected hold       %s%.2f s of %g s\n", expected->catch_up < 0 ? "more than " : "",
               expected->hold, cutover->options->hold_limit);
    } else {
        printf("  without a proxy     sessions end; about %.2f s until the %s takes them\n", expected->hold,
               cutover->road->to);
    }
    printf("%s\n", expected->fits ? "It would fit its limits."
                                  : "It would not fit its limits, and undo itself: wait, or raise them.");
}

ExitStatus cutover_dry_run(Cutover *cutover, Error *error)
{
    Measure found;
    if (cutover->road->preflight(cutover, error) != 0) {
        error_context(error, "preflight");
        return (ExitStatus)error_exit_status(error);
    }
    if (measure(cutover, &found, error) != 0) {
        measure_free(&found);
        return (ExitStatus)error_exit_status(error);
    }
    Expected expected = expect(cutover, &found);
    (cutover->settings->json ? print_json : print_text)(cutover, &found, &expected);
    measure_free(&found);
    return expected.fits ? EXIT_DONE : EXIT_ANSWER_NO;
}
