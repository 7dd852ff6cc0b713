/*
 * One line per step: what it is, how long it took, how long it might have taken, what it found. For --json the same is
 * collected and printed once at the end.
 */
#include <stdio.h>
#include <string.h>

#include "cutover.h"

static void limit_text(const Cutover *cutover, const Step *step, char out[32])
{
    double limit = cutover_limit(cutover, step);
    out[0] = '\0';
    if (limit > 0) {
        snprintf(out, 32, "of %g s", limit);
    }
}

static void collect(Cutover *cutover, const Step *step, StepEvent event, double elapsed, const Error *error)
{
    json_t *entry =
        json_pack("{s:s, s:s, s:f}", "step", step->name, "event", step_event_name(event), "seconds", elapsed);
    double limit = cutover_limit(cutover, step);
    if (limit > 0) {
        json_object_set_new(entry, "limit_seconds", json_real(limit));
    }
    if (cutover->note[0] != '\0' && event == STEP_DONE) {
        json_object_set_new(entry, "note", json_string(cutover->note));
    }
    if (error != NULL) {
        json_object_set_new(entry, "error", json_string(error->message));
    }
    json_array_append_new(cutover->told, entry);
}

void cutover_tell(void *context, const Step *step, StepEvent event, double elapsed, const Error *error)
{
    static const char *const words[] = {
        [STEP_BEGIN] = "", [STEP_DONE] = "", [STEP_FAILED] = "FAILED  ", [STEP_UNDONE] = "undone  "};
    Cutover *cutover = context;
    char limit[32];
    limit_text(cutover, step, limit);
    if (event == STEP_BEGIN) {
        cutover->note[0] = '\0';
        if (!cutover->settings->json && cutover->settings->terminal) {
            printf("  %-10s %9s   %-8s  %s …", step->name, "", limit, step->text);
            fflush(stdout);
        }
        return;
    }
    collect(cutover, step, event, elapsed, error);
    if (cutover->settings->json) {
        return;
    }
    const char *note = error != NULL ? error->message : event == STEP_UNDONE ? "" : cutover->note;
    bool redraw = cutover->settings->terminal && event != STEP_UNDONE;
    printf("%s  %-10s %7.2f s   %-8s  %s%s\n", redraw ? "\r\033[K" : "", step->name, elapsed, limit,
           error != NULL && event == STEP_UNDONE ? "UNDO FAILED  " : words[event], note);
    fflush(stdout);
}

void cutover_print_plan(const Cutover *cutover)
{
    const Endpoint *from = &cutover->context.from, *to = &cutover->context.to;
    printf("%s of migration \"%s\": %s:%s/%s (PostgreSQL %d) to %s:%s/%s (PostgreSQL %d)\n",
           cutover->road == &road_cutover ? "Cutover" : "Rollback", cutover->migration.name, from->host,
           from->port, from->database, database_version(cutover->leaving) / 10000, to->host, to->port,
           to->database, database_version(cutover->entering) / 10000);
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        const CutoverProxy *proxy = &cutover->proxies[i];
        printf("  proxy %zu: %s%s%s\n", i + 1, proxy->operations->name,
               proxy->spec.config != NULL ? ", " : "", proxy->spec.config != NULL ? proxy->spec.config : "");
    }
    if (cutover->road == &road_cutover) {
        printf("  %s\n", cutover->options->no_reverse
                             ? "without a way back: there will be no rollback"
                             : "with a way back: the target's changes go to the source after the switch");
    }
    printf(
        "  drain limit %g s, hold limit %g s, lag at most %lld bytes, transactions at most %g s old, %s\n\n",
        cutover->options->drain_limit, cutover->options->hold_limit, (long long)cutover->options->max_lag,
        cutover->options->max_transaction_age,
        cutover->options->verify ? "with a comparison of the switch point" : "no comparison");
    for (int i = 0; i < cutover->road->count; i++) {
        char limit[32];
        const Step *step = &cutover->road->steps[i];
        limit_text(cutover, step, limit);
        printf("  %2d  %-10s  %-8s  %s%s\n", i + 1, step->name, limit, step->text,
               step->undo != NULL ? " (undone if a later step fails)" : "");
    }
}
