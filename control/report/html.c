/*
 * The page, from top to bottom: each section is a function. Numbers are those of the document; what is worked out of the
 * journal is in timeline.c.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "view.h"

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width, "
    "initial-scale=1\"><meta name=\"color-scheme\" content=\"light\">\n<style>\n"
    "body{font:15px/1.45 system-ui,sans-serif;color:#1b2430;background:#fff;max-width:960px;margin:0 "
    "auto;padding:20px}"
    "h1{font-size:24px;margin:0}h2{font-size:18px;margin:28px 0 8px;border-bottom:1px solid "
    "#dfe4ea}h3{font-size:15px;margin:14px 0 4px}"
    "table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;padding:3px 10px 3px 0;border-bottom:1px solid #edf0f3;vertical-align:top}"
    "th{color:#5d6b7c;font-weight:500}.n{text-align:right;white-space:nowrap}.soft{color:#5d6b7c}.bad{color:#"
    "b91c1c}.good{color:"
    "#15803d}"
    "svg{width:100%;height:auto}svg text{font-size:11px;fill:#5d6b7c}td "
    ".bar{display:inline-block;height:9px;background:#0b6bcb;"
    "border-radius:2px;min-width:1px}td.w{width:55%}.hold{margin-bottom:16px}@media "
    "print{body{padding:0}h2{break-after:avoid}tr{break-inside:avoid}}\n</style>\n";

void report_escape(Text *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            text_append(out, "&amp;");
            break;
        case '<':
            text_append(out, "&lt;");
            break;
        case '>':
            text_append(out, "&gt;");
            break;
        case '"':
            text_append(out, "&quot;");
            break;
        default:
            text_append_bytes(out, text, 1);
        }
    }
}

static void row(Text *out, const char *name, const char *value)
{
    if (value[0] != '\0') {
        text_printf(out, "<tr><th>%s<td>", name);
        report_escape(out, value);
        text_append(out, "\n");
    }
}

static void count_row(Text *out, const json_t *document, const char *name, const char *path)
{
    char text[48];
    if (view_number(document, path) >= 0) {
        row(out, name, view_count(view_number(document, path), text, sizeof text));
    }
}

static void bytes_row(Text *out, const json_t *document, const char *name, const char *path)
{
    char text[48];
    if (view_number(document, path) >= 0) {
        row(out, name, view_bytes(view_number(document, path), text, sizeof text));
    }
}

/* server_version_num, of 10 and newer. */
static void version_row(Text *out, const json_t *document, const char *name, const char *path)
{
    char text[64];
    int number = (int)view_number(document, path);
    snprintf(text, sizeof text, "PostgreSQL %d.%d", number / 10000, number % 10000);
    row(out, name, text);
}

static void summary(Text *out, const json_t *document)
{
    text_append(out, "<h2>What was moved</h2>\n<table>\n");
    row(out, "phase", view_text(document, "phase"));
    row(out, "source", view_text(document, "migration.source_database"));
    version_row(out, document, "its server", "migration.source_version");
    version_row(out, document, "target's server", "target_version");
    row(out, "begun", view_text(document, "migration.created_at"));
    row(out, "first table copied from", view_text(document, "sums.copy_began"));
    row(out, "last table copied at", view_text(document, "sums.copy_ended"));
    count_row(out, document, "tables", "copy.tables");
    count_row(out, document, "of them copied", "copy.tables_copied");
    bytes_row(out, document, "size at the source", "copy.bytes");
    count_row(out, document, "rows copied", "sums.rows_copied");
    count_row(out, document, "changes of rows applied since", "sums.rows_applied");
    row(out, "written by", view_text(document, "penstock"));
    row(out, "at", view_text(document, "now"));
    text_append(out, "</table>\n");
}

static void plots(Text *out, const json_t *document)
{
    static const char *const lag[] = {"lag_seconds"}, *const behind[] = {"lag_bytes"},
                             *const rates[] = {"rows_per_second", "transactions_per_second"},
                             *const bytes[] = {"wire_bytes_per_second", "source_bytes_per_second"};
    const json_t *history = view_at(document, "history");
    text_append(out, "<h2>Over time</h2>\n");
    if (json_array_size(history) < 2) {
        text_append(out, "<p class=\"soft\">There are no samples: the applier has not run for long.</p>\n");
        return;
    }
    report_plot(out, history, "Lag", PLOT_SECONDS, lag, 1);
    report_plot(out, history, "Lag, WAL of the source", PLOT_BYTES, behind, 1);
    report_plot(out, history, "Applied", PLOT_COUNT, rates, 2);
    report_plot(out, history, "Bytes a second", PLOT_BYTES, bytes, 2);
}

/* A table of the members of objects, whatever they are. */
static void objects(Text *out, const json_t *list)
{
    const json_t *first = json_array_get(list, 0);
    const char *name;
    json_t *value, *one;
    size_t index;
    text_append(out, "<table><tr>");
    json_object_foreach((json_t *)first, name, value)
    {
        text_append(out, "<th>");
        report_escape(out, name);
    }
    json_array_foreach((json_t *)list, index, one)
    {
        text_append(out, "\n<tr>");
        json_object_foreach((json_t *)first, name, value)
        {
            json_t *cell = json_object_get(one, name);
            char *text =
                json_is_string(cell) || json_is_null(cell) ? NULL : json_dumps(cell, JSON_ENCODE_ANY);
            text_append(out, "<td>");
            report_escape(out, text != NULL ? text : json_is_string(cell) ? json_string_value(cell) : "");
            free(text);
        }
    }
    text_append(out, "</table>\n");
}

static void verification(Text *out, const json_t *document)
{
    const json_t *passes = view_at(document, "verified");
    text_append(out, "<h2>Verification</h2>\n");
    if (json_array_size(passes) == 0) {
        text_append(out, "<p>No comparison was made with <code>penstock verify</code>. A cutover with "
                         "--verify says what it found "
                         "in its step verify, above.</p>\n");
        return;
    }
    objects(out, passes);
}

static void anomalies(Text *out, const json_t *document)
{
    static const struct {
        const char *path, *title;
    } lists[] = {
        {"health", "What needs attention now"},
        {"copy.again", "Tables that have to be copied again"},
        {"refused", "Objects that were refused or left out"},
        {"conflict_list", "Changes that did not fit, and what was done"},
    };
    bool any = false;
    text_append(out, "<h2>Out of the ordinary</h2>\n");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const json_t *list = view_at(document, lists[i].path);
        if (json_array_size(list) > 0) {
            text_printf(out, "<h3>%s</h3>\n", lists[i].title);
            objects(out, list);
            any = true;
        }
    }
    text_append(out, any ? "" : "<p class=\"good\">Nothing.</p>\n");
}

static void tables(Text *out, const json_t *document)
{
    const json_t *list = view_at(document, "tables.tables"), *table;
    char bytes[48], copied[48], applied[48];
    size_t index;
    text_append(out, "<h2>Tables</h2>\n");
    if (json_array_size(list) > REPORT_PAGE_TABLES) {
        text_printf(
            out, "<p class=\"soft\">The %d largest of %s; the JSON beside this page has the others.</p>\n",
            REPORT_PAGE_TABLES, view_count(view_number(document, "tables.count"), bytes, sizeof bytes));
    }
    text_append(out, "<table><tr><th>table<th>state<th class=\"n\">size<th class=\"n\">rows copied<th "
                     "class=\"n\">applied since\n");
    json_array_foreach((json_t *)list, index, table)
    {
        if (index == REPORT_PAGE_TABLES) {
            break;
        }
        text_append(out, "<tr><td>");
        report_escape(out, view_text(table, "table"));
        text_append(out, "<td>");
        report_escape(out, view_text(table, "state"));
        double rows = view_number(table, "copied_rows");
        text_printf(out, "<td class=\"n\">%s<td class=\"n\">%s<td class=\"n\">%s\n",
                    view_bytes(view_number(table, "bytes"), bytes, sizeof bytes),
                    rows >= 0 ? view_count(rows, copied, sizeof copied) : "",
                    view_count(view_number(table, "rows_applied"), applied, sizeof applied));
    }
    text_append(out, "</table>\n");
}

void report_html(Text *out, const json_t *document)
{
    text_append(out, head);
    text_append(out, "<title>Penstock: ");
    report_escape(out, view_text(document, "name"));
    text_append(out, "</title>\n<h1>Migration ");
    report_escape(out, view_text(document, "name"));
    text_append(out, "</h1>\n<p class=\"soft\">Times are UTC.</p>\n");
    summary(out, document);
    report_timelines(out, document);
    verification(out, document);
    anomalies(out, document);
    plots(out, document);
    tables(out, document);
    text_append(out, "</html>\n");
}
