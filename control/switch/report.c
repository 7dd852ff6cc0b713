/*
 * One line per step: what it is, how long it took, how long it might have taken, what it found. On a terminal the line of
 * the step under way has a running clock; for --json the same is collected and printed once at the end.
 */
#include <stdarg.h>
#include <stdio.h>

#include "cutover.h"
#include "kinds.h"
#include "ticker.h"

void cutover_limit_text(const Cutover *cutover, const Step *step, char out[32])
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
        char number[ERROR_NUMBER_SIZE];
        json_object_set_new(entry, "error", json_string(error->message));
        json_object_set_new(entry, "number", json_string(error_number(error, number)));
    }
    json_array_append_new(cutover->told, entry);
}

void cutover_tell(void *context, const Step *step, StepEvent event, double elapsed, const Error *error)
{
    static const char *const words[STEP_EVENTS] = {[STEP_BEGIN] = "",
                                                   [STEP_DONE] = "",
                                                   [STEP_FAILED] = "FAILED  ",
                                                   [STEP_UNDOING] = "",
                                                   [STEP_UNDONE] = "undone  "};
    Cutover *cutover = context;
    cutover_limit_text(cutover, step, cutover->limit_text);
    if (event == STEP_BEGIN) {
        cutover->note[0] = '\0';
        ticker_show(cutover->ticker, step->name, cutover->limit_text, step->text);
        return;
    }
    ticker_clear(cutover->ticker);
    collect(cutover, step, event, elapsed, error);
    if (cutover->settings->json) {
        return;
    }
    const char *note = error != NULL ? error->message : event == STEP_UNDONE ? "" : cutover->note;
    printf("  %-10s %7.2f s   %-8s  %s%s\n", step->name, elapsed, cutover->limit_text,
           error != NULL && event == STEP_UNDONE ? "UNDO FAILED  " : words[event], note);
    if (error != NULL && event == STEP_UNDONE && error->hint[0] != '\0') {
        printf("  %-10s %19s  %s\n", "", "", error->hint);
    }
    fflush(stdout);
}

void cutover_warn(Cutover *cutover, const char *format, ...)
{
    char text[2400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (cutover->preflight != NULL) {
        preflight_warning(cutover, text);
        return;
    }
    ticker_interrupt(cutover->ticker);
    log_line(&cutover->settings->log, LOG_WARNING, "%s", text);
}
