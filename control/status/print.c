/*
 * The document of gather.c for people: a line per thing, left column the same width, nothing that is not
 * known.
 */
#include "status.h"

#include <string.h>

#define LABEL 12

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

char *status_bytes(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return out;
}

static void label(FILE *out, const char *name)
{
    fprintf(out, "%-*s", LABEL, name);
}

static void print_source(FILE *out, const json_t *document)
{
    label(out, "source");
    if (!status_true(document, "source.reachable")) {
        fprintf(out, "not reachable: %s\n", status_text(document, "source.error"));
        return;
    }
    fprintf(out, "PostgreSQL %s, WAL ends at %s%s\n", status_text(document, "source.version"),
            status_text(document, "source.current_lsn"),
            status_true(document, "source.fenced") ? ", fenced" : "");
}

static void print_slot(FILE *out, const json_t *document)
{
    char lag[32], kept[32];
    const json_t *exists = status_at(document, "slot.exists");
    label(out, "slot");
    if (!json_is_true(exists)) {
        fprintf(out, "%s: %s\n", status_text(document, "slot.name"),
                json_is_false(exists) ? "does not exist" : "not known");
        return;
    }
    fprintf(out, "%s, %s, confirmed %s, %s behind, keeps %s of WAL\n", status_text(document, "slot.name"),
            status_true(document, "slot.active") ? "active" : "not active",
            or_dash(status_text(document, "slot.confirmed_lsn")),
            status_bytes(status_number(document, "slot.lag_bytes"), lag, sizeof lag),
            status_bytes(status_number(document, "slot.kept_bytes"), kept, sizeof kept));
}

static void print_copy(FILE *out, const json_t *document)
{
    char done[32], all[32];
    double tables = status_number(document, "copy.tables");
    double bytes = status_number(document, "copy.bytes");
    double copied = status_number(document, "copy.bytes_copied");
    label(out, "copy");
    fprintf(out, "%.0f of %.0f tables, %s of %s (%.0f %%)\n", status_number(document, "copy.tables_copied"),
            tables, status_bytes(copied, done, sizeof done), status_bytes(bytes, all, sizeof all),
            bytes > 0 ? 100 * copied / bytes : 100.0);
}

static void print_applier(FILE *out, const json_t *document)
{
    label(out, "applier");
    if (!json_is_object(status_at(document, "applier"))) {
        fprintf(out, "has not run yet\n");
        return;
    }
    fprintf(out, "%s%s, pid %.0f on %s, %.0f workers, last heard of %.1f s ago\n",
            status_text(document, "applier.state"),
            status_true(document, "running.applier") ? "" : " (not running)",
            status_number(document, "applier.pid"), status_text(document, "applier.host"),
            status_number(document, "applier.workers"),
            status_number(document, "applier.report_age_seconds"));
    label(out, "");
    fprintf(out, "received %s, durable %s, %.0f transactions, %.0f changes\n",
            status_text(document, "applier.received_lsn"), status_text(document, "applier.low_water_lsn"),
            status_number(document, "applier.transactions"), status_number(document, "applier.changes"));
    if (json_is_object(status_at(document, "applier.error"))) {
        label(out, "error");
        fprintf(out, "%s\n", status_text(document, "applier.error.message"));
        label(out, "");
        fprintf(out, "%s\n", status_text(document, "applier.error.hint"));
    }
}

/* What became of the changes on the target. */
static void print_batches(FILE *out, const json_t *document)
{
    double batches = status_number(document, "applier.statistics.batches");
    if (batches <= 0) {
        return;
    }
    label(out, "batches");
    fprintf(out, "%.0f of %.0f changes each, %.0f rows written by %.0f statements\n", batches,
            status_number(document, "applier.statistics.changes_per_batch"),
            status_number(document, "applier.statistics.rows_written"),
            status_number(document, "applier.statistics.statements"));
    label(out, "");
    fprintf(out, "%.0f fell back to single rows, %.0f were tried again; %.0f barriers, %.0f truncates\n",
            status_number(document, "applier.statistics.fallbacks"),
            status_number(document, "applier.statistics.retries"),
            status_number(document, "applier.statistics.barriers"),
            status_number(document, "applier.statistics.truncates"));
}

/* Workers that wait for a lock, and who has it. */
static void print_blocked(FILE *out, const json_t *document)
{
    const json_t *entry;
    size_t index;
    json_array_foreach(status_at(document, "applier.blocked"), index, entry)
    {
        label(out, index == 0 ? "blocked" : "");
        fprintf(out, "%.0f s by process %.0f of the target (%s, %s): %s\n", status_number(entry, "seconds"),
                status_number(entry, "pid"), or_dash(status_text(entry, "user")),
                or_dash(status_text(entry, "application")), status_text(entry, "query"));
    }
}

/* Tables that the applier leaves out. */
static void print_again(FILE *out, const json_t *document)
{
    const json_t *table;
    size_t index;
    json_array_foreach(status_at(document, "copy.again"), index, table)
    {
        label(out, index == 0 ? "copy again" : "");
        fprintf(out, "%s: %s, at %s\n", status_text(table, "table"), status_text(table, "reason"),
                status_text(table, "lsn"));
    }
}

/* What a policy did that the applier would have stopped at otherwise. */
static void print_conflicts(FILE *out, const json_t *document)
{
    double count = status_number(document, "conflicts.count");
    if (count > 0) {
        label(out, "conflicts");
        fprintf(out, "%.0f overwritten, %.0f skipped, the last %.19s: penstock.conflict lists them\n",
                status_number(document, "conflicts.overwritten"),
                status_number(document, "conflicts.skipped"), status_text(document, "conflicts.last_at"));
    }
}

static void print_lag(FILE *out, const json_t *document)
{
    char bytes[32];
    double missing = status_number(document, "lag.bytes");
    double seconds = status_number(document, "lag.seconds");
    if (missing >= 0) {
        label(out, "lag");
        fprintf(out, "%s", status_bytes(missing, bytes, sizeof bytes));
        fprintf(out, seconds >= 0 ? ", %.1f s\n" : "\n", seconds);
    }
    if (status_number(document, "rates.transactions_per_second") >= 0) {
        label(out, "rate");
        fprintf(out, "%.0f transactions/s, %.0f changes/s\n",
                status_number(document, "rates.transactions_per_second"),
                status_number(document, "rates.changes_per_second"));
    }
}

/* The way back, from the switch on. */
static void print_reverse(FILE *out, const json_t *document)
{
    char lag[32], kept[32];
    if (!json_is_object(status_at(document, "reverse.slot"))) {
        return;
    }
    label(out, "way back");
    fprintf(out, "%s, lag %s, the source has confirmed %s; the target keeps %s of WAL for it\n",
            status_true(document, "reverse.slot.active") ? "streaming" : "NOT STREAMING",
            status_bytes(status_number(document, "reverse.slot.lag_bytes"), lag, sizeof lag),
            status_text(document, "reverse.slot.confirmed_lsn"),
            status_bytes(status_number(document, "reverse.slot.kept_bytes"), kept, sizeof kept));
}

static void print_list(FILE *out, const json_t *document)
{
    const json_t *entry;
    size_t index;
    json_array_foreach(status_at(document, "made"), index, entry)
    {
        label(out, index == 0 ? "made" : "");
        fprintf(out, "%s: %s\n", status_text(entry, "where"), status_text(entry, "what"));
    }
    json_array_foreach(status_at(document, "journal"), index, entry)
    {
        label(out, index == 0 ? "journal" : "");
        fprintf(out, "%.19s  %s: %s %s\n", status_text(entry, "at"), status_text(entry, "operation"),
                status_text(entry, "step"), status_text(entry, "event"));
    }
}

/* How the applier treats a table; nothing before its first change. */
static void print_lanes_of(FILE *out, const json_t *table)
{
    const char *lane_class = status_text(table, "lane_class");
    const char *reason = status_text(table, "lane_reason");
    if (strcmp(lane_class, "spread") == 0) {
        fputs("  (all lanes, by key)", out);
    } else if (lane_class[0] != '\0') {
        fprintf(out, "  (one lane: %s)", or_dash(reason));
    }
}

static void print_tables(FILE *out, const json_t *document)
{
    char bytes[32];
    const json_t *table;
    size_t index;
    json_array_foreach(status_at(document, "tables"), index, table)
    {
        double rows = status_number(table, "copied_rows");
        fprintf(out, "%-8s %10s %12.0f rows  %s", status_text(table, "state"),
                status_bytes(status_number(table, "bytes"), bytes, sizeof bytes), rows >= 0 ? rows : 0,
                status_text(table, "table"));
        if (status_text(table, "recopy_reason")[0] != '\0') {
            fprintf(out, "  (again: %s)", status_text(table, "recopy_reason"));
        }
        print_lanes_of(out, table);
        fputc('\n', out);
    }
}

void status_print(FILE *out, const json_t *document)
{
    bool known = strcmp(status_text(document, "phase"), "none") != 0;
    label(out, "migration");
    fprintf(out, "%s: %s\n", status_text(document, "name"),
            known ? status_text(document, "phase") : "not begun");
    print_source(out, document);
    if (known) {
        print_slot(out, document);
        print_copy(out, document);
        print_applier(out, document);
        label(out, "lanes");
        fprintf(out, "%.0f, from %s to %s\n", status_number(document, "lanes.count"),
                or_dash(status_text(document, "lanes.lowest_commit_lsn")),
                or_dash(status_text(document, "lanes.highest_commit_lsn")));
        print_lag(out, document);
        print_batches(out, document);
        print_again(out, document);
        print_blocked(out, document);
        print_conflicts(out, document);
        print_reverse(out, document);
    }
    print_list(out, document);
    print_tables(out, document);
    label(out, "next:");
    fprintf(out, "%s\n", status_text(document, "next"));
}
