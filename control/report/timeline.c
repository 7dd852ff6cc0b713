/*
 * Cutover and rollback, step by step, from the journal: how long each step took is the time from its begin to its end, how long
 * clients were held from the first hold to the release, or to the hold's undo.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report.h"
#include "view.h"

/* Microseconds since 1970 of "2026-11-29T21:00:00.123456+00:00"; the state writes UTC. -1 for anything else. */
static double usec_of(const char *text)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    double fraction = rest != NULL && *rest == '.' ? strtod(rest, NULL) : 0;
    return rest != NULL ? (double)timegm(&parts) * 1e6 + fraction * 1e6 : -1;
}

static bool is_begin(const char *event)
{
    return strcmp(event, "begin") == 0 || strcmp(event, "undoing") == 0;
}

/* When the last event before line `index` that began the same step was; -1: none. */
static double began(const json_t *journal, size_t index)
{
    const json_t *end = json_array_get(journal, index);
    while (index-- > 0) {
        const json_t *line = json_array_get(journal, index);
        if (strcmp(view_text(line, "operation"), view_text(end, "operation")) == 0 &&
            strcmp(view_text(line, "step"), view_text(end, "step")) == 0) {
            return is_begin(view_text(line, "event")) ? usec_of(view_text(line, "at")) : -1;
        }
    }
    return -1;
}

static void timeline_line(Text *out, const json_t *journal, size_t index)
{
    const json_t *line = json_array_get(journal, index);
    const char *event = view_text(line, "event");
    if (is_begin(event)) {
        return;
    }
    double from = began(journal, index), ms = from >= 0 ? (usec_of(view_text(line, "at")) - from) / 1000 : -1;
    text_append(out, "<tr><td>");
    report_escape(out, view_text(line, "at"));
    text_append(out, "<td>");
    report_escape(out, view_text(line, "step"));
    text_printf(out, "<td%s>", strcmp(event, "failed") == 0 ? " class=\"bad\"" : "");
    report_escape(out, event);
    if (ms >= 0) {
        text_printf(out, "<td class=\"n\">%.0f ms<td><span class=\"bar\" style=\"width:%.0fpx\"></span>\n",
                    ms, ms > 3000 ? 300 : ms / 10);
    } else {
        text_append(out, "<td><td>\n");
    }
}

#define HOLD_STEPS 64

typedef struct Took {
    const char *step; /* of the journal */
    double ms;
} Took;

static int longer_first(const void *a, const void *b)
{
    double left = ((const Took *)a)->ms, right = ((const Took *)b)->ms;
    return left < right ? 1 : left > right ? -1 : 0;
}

/* Adds what this line of the journal ends, if it began after the hold did. */
static void add_took(const json_t *journal, size_t index, double held, Took *took, size_t *count)
{
    const json_t *line = json_array_get(journal, index);
    double from = is_begin(view_text(line, "event")) ? -1 : began(journal, index);
    if (from < held || *count == HOLD_STEPS) {
        return;
    }
    took[(*count)++] = (Took){view_text(line, "step"), (usec_of(view_text(line, "at")) - from) / 1000};
}

/* Where the time of the hold went, of lines `first` to `last` of the journal: the longest first. */
static void hold_chart(Text *out, const json_t *journal, size_t first, size_t last)
{
    Took took[HOLD_STEPS];
    size_t count = 0;
    const json_t *begin = json_array_get(journal, first);
    for (size_t i = first; i <= last; i++) {
        if (strcmp(view_text(json_array_get(journal, i), "operation"), view_text(begin, "operation")) == 0) {
            add_took(journal, i, usec_of(view_text(begin, "at")), took, &count);
        }
    }
    qsort(took, count, sizeof took[0], longer_first);
    text_append(out, "<table class=\"hold\"><tr><th>step in the hold<th class=\"n\">took<th>\n");
    for (size_t i = 0; i < count; i++) {
        text_append(out, "<tr><td>");
        report_escape(out, took[i].step);
        text_printf(
            out,
            "<td class=\"n\">%.0f ms<td class=\"w\"><span class=\"bar\" style=\"width:%.1f%%\"></span>\n",
            took[i].ms, took[0].ms > 0 ? 100 * took[i].ms / took[0].ms : 0);
    }
    text_append(out, "</table>\n");
}

/* From the first hold to the release: what clients waited. */
static void say_hold(Text *out, const json_t *journal, const char *operation)
{
    double held = -1;
    size_t index, first = 0;
    json_t *line;
    json_array_foreach((json_t *)journal, index, line)
    {
        const char *step = view_text(line, "step"), *event = view_text(line, "event");
        if (strcmp(view_text(line, "operation"), operation) != 0) {
            continue;
        }
        if (strcmp(step, "hold") == 0 && strcmp(event, "begin") == 0 && held < 0) {
            held = usec_of(view_text(line, "at"));
            first = index;
        } else if (held >= 0 && ((strcmp(step, "release") == 0 && strcmp(event, "done") == 0) ||
                                 (strcmp(step, "hold") == 0 && strcmp(event, "undone") == 0))) {
            text_printf(out, "<p>Clients were held for <b>%.0f ms</b>, until ",
                        (usec_of(view_text(line, "at")) - held) / 1000);
            report_escape(out, view_text(line, "at"));
            text_printf(out, "%s.</p>\n", strcmp(step, "hold") == 0 ? ": it was undone" : "");
            hold_chart(out, journal, first, index);
            held = -1;
        }
    }
}

void report_timelines(Text *out, const json_t *document)
{
    static const char *const operations[] = {"cutover", "rollback"};
    const json_t *journal = view_at(document, "journal");
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        bool any = false;
        for (size_t line = 0; line < json_array_size(journal); line++) {
            if (strcmp(view_text(json_array_get(journal, line), "operation"), operations[i]) != 0) {
                continue;
            }
            if (!any) {
                text_printf(out, "<h2>The %s, step by step</h2>\n", operations[i]);
                say_hold(out, journal, operations[i]);
                text_append(out, "<table><tr><th>at<th>step<th>event<th class=\"n\">took<th>\n");
                any = true;
            }
            timeline_line(out, journal, line);
        }
        text_append(out, any ? "</table>\n" : "");
    }
}
