/*
 * One row a metric: where it stands in the document. What the document does not have is left out, as the format asks, instead of
 * being said to be 0.
 */
#include <string.h>

#include "serve.h"
#include "view.h"
#include "text.h"

typedef enum MetricKind { GAUGE, COUNTER, TRUTH } MetricKind;

typedef struct Metric {
    const char *name; /* without "penstock_", and without "_total" */
    MetricKind kind;
    const char *unit; /* "" for none; the name ends with it */
    const char *path;
    const char *help;
} Metric;

static const Metric rows[] = {
    {"lag_bytes", GAUGE, "bytes", "lag.bytes", "WAL of the source that is not on the target yet"},
    {"lag_seconds", GAUGE, "seconds", "lag.seconds", "Age of the newest moment that is whole on the target"},
    {"catch_up_seconds", GAUGE, "seconds", "lag.catch_up_seconds",
     "When the lag will be gone, as it goes now"},
    {"applied_rows", COUNTER, "", "applier.changes", "Changes of rows applied since the applier began"},
    {"applied_transactions", COUNTER, "", "applier.transactions",
     "Transactions applied since the applier began"},
    {"wire_bytes", COUNTER, "bytes", "applier.statistics.wire_bytes",
     "Received from the decoder since the applier began"},
    {"applier_retries", COUNTER, "", "applier.statistics.retries", "Batches that had to be tried again"},
    {"applier_memory_bytes", GAUGE, "bytes", "applier.statistics.memory_bytes",
     "Changes that the applier holds"},
    {"rows_per_second", GAUGE, "", "rates.rows_per_second",
     "Changes of rows applied a second, over the last seconds"},
    {"transactions_per_second", GAUGE, "", "rates.transactions_per_second", "Transactions applied a second"},
    {"source_wal_bytes_per_second", GAUGE, "", "rates.source_bytes_per_second", "WAL that the source writes"},
    {"applier_running", TRUTH, "", "running.applier", "Whether an applier holds the migration's lock"},
    {"applier_report_age_seconds", GAUGE, "seconds", "applier.report_age_seconds",
     "Since the applier was heard of"},
    {"applier_workers", GAUGE, "", "applier.workers", "Connections that apply"},
    {"slot_active", TRUTH, "", "slot.active", "Whether the slot is read"},
    {"slot_kept_bytes", GAUGE, "bytes", "slot.kept_bytes", "WAL that the source keeps for the slot"},
    {"source_reachable", TRUTH, "", "source.reachable", "Whether the source answers"},
    {"copy_tables", GAUGE, "", "copy.tables", "Tables that are moved"},
    {"copy_tables_copied", GAUGE, "", "copy.tables_copied", "Tables that are copied"},
    {"copy_size_bytes", GAUGE, "bytes", "copy.bytes",
     "Size of the tables at the source when they were listed"},
    {"copy_copied_bytes", GAUGE, "bytes", "copy.bytes_copied", "Of it, that of the tables that are copied"},
    {"copy_left_seconds", GAUGE, "seconds", "copy.running.seconds_left",
     "When the copy will be done, as it goes now"},
    {"ddl_applied", GAUGE, "", "ddl.applied", "DDL statements of the source that were applied"},
    {"verified_age_seconds", GAUGE, "seconds", "verify.last.age_seconds",
     "Since the last complete comparison of both sides"},
    {"verified_different", GAUGE, "", "verify.last.different", "What differed then"},
    {"still_different", GAUGE, "", "verify.still_different.count",
     "What that or a later comparison found different, and none has found right since"},
    {"conflicts", GAUGE, "", "conflicts.count", "Changes that did not fit and were settled by a policy"},
    {"clients_held_seconds", GAUGE, "seconds", "held.seconds",
     "Since when clients wait at the proxy; absent: none do"},
    {"way_back_kept_bytes", GAUGE, "bytes", "reverse.slot.kept_bytes",
     "WAL that the target keeps for the way back"},
    {"way_back_lag_bytes", GAUGE, "bytes", "reverse.slot.lag_bytes",
     "WAL of the target that is not on the source yet"},
    {"may_cut_over", TRUTH, "", "may_cut_over.now",
     "Whether nothing that status sees stands in the way of a cutover"},
};

/* A label's value: backslash, quote and line feed are escaped. */
static void append_label(Text *text, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"') {
            text_printf(text, "\\%c", *value);
        } else if (*value == '\n') {
            text_append(text, "\\n");
        } else {
            text_append_bytes(text, value, 1);
        }
    }
}

static void describe(Text *text, MetricsForm form, const char *name, MetricKind kind, const char *unit,
                     const char *help)
{
    const char *suffix = kind == COUNTER && form == METRICS_TEXT ? "_total" : "";
    text_printf(text, "# TYPE penstock_%s%s %s\n", name, suffix, kind == COUNTER ? "counter" : "gauge");
    if (unit[0] != '\0' && form == METRICS_OPEN) {
        text_printf(text, "# UNIT penstock_%s %s\n", name, unit);
    }
    text_printf(text, "# HELP penstock_%s%s %s\n", name, suffix, help);
}

static void begin(Text *text, const char *name, const char *suffix, const json_t *document)
{
    text_printf(text, "penstock_%s%s{migration=\"", name, suffix);
    append_label(text, view_text(document, "name"));
    text_append(text, "\"");
}

static void add_row(Text *text, MetricsForm form, const json_t *document, const Metric *row)
{
    const json_t *value = view_at(document, row->path);
    if (row->kind == TRUTH ? !json_is_boolean(value) : !json_is_number(value)) {
        return;
    }
    describe(text, form, row->name, row->kind, row->unit, row->help);
    begin(text, row->name, row->kind == COUNTER ? "_total" : "", document);
    text_printf(text, "} %.15g\n",
                row->kind == TRUTH ? (double)json_is_true(value) : json_number_value(value));
}

/* One line for each thing that needs attention, by its id. */
static void add_health(Text *text, MetricsForm form, const json_t *document)
{
    const json_t *health = view_at(document, "health"), *reason;
    size_t index;
    describe(text, form, "healthy", GAUGE, "", "1 when nothing needs attention");
    begin(text, "healthy", "", document);
    text_printf(text, "} %d\n", json_array_size(health) == 0);
    if (json_array_size(health) > 0) {
        describe(text, form, "needs_attention", GAUGE, "", "What needs attention, by the ids of status");
    }
    json_array_foreach(health, index, reason)
    {
        begin(text, "needs_attention", "", document);
        text_append(text, ",reason=\"");
        append_label(text, view_text(reason, "id"));
        text_append(text, "\"} 1\n");
    }
}

static void add_phase(Text *text, MetricsForm form, const json_t *document)
{
    describe(text, form, "phase", GAUGE, "", "1 for the phase that the migration is in");
    begin(text, "phase", "", document);
    text_append(text, ",phase=\"");
    append_label(text, view_text(document, "phase"));
    text_append(text, "\"} 1\n");
}

char *metrics_text(const json_t *document, double age_seconds, MetricsForm form)
{
    Text text = {0};
    describe(&text, form, "up", GAUGE, "", "1 when the target answered the last look");
    text_printf(&text, "penstock_up %d\n", document != NULL);
    if (document != NULL) {
        describe(&text, form, "look_age_seconds", GAUGE, "seconds", "How old what is said here is");
        text_printf(&text, "penstock_look_age_seconds %.3f\n", age_seconds);
        add_phase(&text, form, document);
        add_health(&text, form, document);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            add_row(&text, form, document, &rows[i]);
        }
    }
    text_append(&text, form == METRICS_OPEN ? "# EOF\n" : "");
    return text.data;
}
