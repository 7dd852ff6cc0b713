/*
 * The document of gather.c for people: a line per thing, left column the same width, nothing that is not known.
 *
 * What someone who watches wants to know comes first: how far behind, how fast, until when, and who is in the way. --watch
 * shows that, and what else changes from one look to the next.
 */
#include "print.h"

#include <string.h>

#define LABEL 12

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

void status_label(FILE *out, const char *name)
{
    fprintf(out, "%-*s", LABEL, name);
}

const char *status_plural(double count)
{
    return count == 1 ? "" : "s";
}

/* The worst first, in the first line. */
static void print_health(FILE *out, const json_t *document)
{
    const json_t *reason;
    size_t index;
    if (json_array_size(view_at(document, "health")) == 0) {
        status_label(out, "health");
        fputs("good: nothing needs attention\n", out);
    }
    json_array_foreach(view_at(document, "health"), index, reason)
    {
        status_label(out, index == 0 ? "ATTENTION" : "");
        fprintf(out, "%s\n", view_text(reason, "reason"));
    }
}

static void print_source(FILE *out, const json_t *document)
{
    status_label(out, "source");
    if (!view_true(document, "source.reachable")) {
        fprintf(out, "not reachable: %s\n", view_text(document, "source.error"));
        return;
    }
    fprintf(out, "PostgreSQL %s, WAL ends at %s%s\n", view_text(document, "source.version"),
            view_text(document, "source.current_lsn"),
            view_true(document, "source.fenced") ? ", fenced" : "");
}

static void print_slot(FILE *out, const json_t *document)
{
    char lag[32], kept[32];
    const json_t *exists = view_at(document, "slot.exists");
    status_label(out, "slot");
    if (!json_is_true(exists)) {
        fprintf(out, "%s: %s\n", view_text(document, "slot.name"),
                !json_is_false(exists)          ? "not known"
                : view_stream_is_over(document) ? "dropped with the switch"
                                                : "does not exist");
        return;
    }
    fprintf(out, "%s, %s, confirmed %s, %s behind, keeps %s of WAL\n", view_text(document, "slot.name"),
            view_true(document, "slot.active") ? "active" : "not active",
            or_dash(view_text(document, "slot.confirmed_lsn")),
            view_bytes(view_number(document, "slot.lag_bytes"), lag, sizeof lag),
            view_bytes(view_number(document, "slot.kept_bytes"), kept, sizeof kept));
}

/* Of a copy that runs now: how fast, how long yet, and what it does. */
static void print_copy_running(FILE *out, const json_t *document)
{
    char rate[32], left[32] = "not known yet";
    const json_t *work;
    size_t index;
    if (!json_is_object(view_at(document, "copy.running"))) {
        return;
    }
    if (json_is_real(view_at(document, "copy.running.seconds_left"))) {
        view_duration(view_number(document, "copy.running.seconds_left"), left, sizeof left);
    }
    double objects = view_number(document, "copy.running.objects");
    status_label(out, "");
    fprintf(out, "%s: ", view_text(document, "copy.running.phase"));
    if (objects > 0) {
        fprintf(out, "%.0f of %.0f objects, ", view_number(document, "copy.running.objects_done"), objects);
    }
    fprintf(out, "%.0f %% of all, %s/s, time left: %s\n", 100 * view_number(document, "copy.running.share"),
            view_bytes(view_number(document, "copy.running.bytes_per_second"), rate, sizeof rate), left);
    if (json_is_string(view_at(document, "copy.held"))) {
        status_label(out, "");
        fprintf(out, "held: %s\n", view_text(document, "copy.held"));
    }
    json_array_foreach(view_at(document, "copy.running.work"), index, work)
    {
        status_label(out, "");
        fprintf(out, "  %s\n", view_text(work, "what"));
    }
}

static void print_copy(FILE *out, const json_t *document)
{
    char done[32], all[32];
    double tables = view_number(document, "copy.tables");
    double bytes = view_number(document, "copy.bytes");
    double copied = view_number(document, "copy.bytes_copied");
    status_label(out, "copy");
    fprintf(out, "%.0f of %.0f table%s, %s of %s (%.0f %%)\n", view_number(document, "copy.tables_copied"),
            tables, status_plural(tables), view_bytes(copied, done, sizeof done),
            view_bytes(bytes, all, sizeof all), bytes > 0 ? 100 * copied / bytes : 100.0);
    print_copy_running(out, document);
}

/* What the operator chose to move, and what that leaves behind. */
static void print_selection(FILE *out, const json_t *document)
{
    const json_t *rule;
    size_t index;
    if (json_array_size(view_at(document, "selection.rules")) == 0) {
        return;
    }
    status_label(out, "moved");
    json_array_foreach(view_at(document, "selection.rules"), index, rule)
    {
        fprintf(out, "%s--%s %s", index > 0 ? " " : "", view_text(rule, "rule"), view_text(rule, "pattern"));
    }
    fprintf(out, "; %.0f relations stay behind, and the rows of %.0f (penstock.left_behind)\n",
            view_number(document, "selection.relations_left"), view_number(document, "selection.rows_left"));
}

static void print_lag(FILE *out, const json_t *document)
{
    char bytes[32], age[48];
    double missing = view_number(document, "lag.bytes");
    double seconds = view_number(document, "lag.seconds");
    if (missing < 0 && seconds < 0) {
        return;
    }
    status_label(out, "lag");
    if (missing == 0) {
        fputs("none: the target has all that the source has\n", out);
        return;
    }
    if (missing > 0) {
        fprintf(out, "%s of WAL%s", view_bytes(missing, bytes, sizeof bytes), seconds >= 0 ? ", " : "");
    }
    if (seconds >= 0) {
        snprintf(age, sizeof age, "%.1f s", seconds);
        fprintf(out, "%s by %s", seconds < 60 ? age : view_duration(seconds, age, sizeof age),
                strcmp(view_text(document, "lag.seconds_by"), "heartbeat") == 0 ? "heartbeat"
                                                                                : "commit time");
    }
    fputc('\n', out);
}

/* "3.1 MB/s of WAL are applied, the source writes 1.2 MB/s", as far as it is known. */
static void print_speeds(FILE *out, const json_t *document)
{
    char applied[32], written[32];
    double source = view_number(document, "rates.source_bytes_per_second");
    fprintf(out, "%s/s of WAL are applied",
            view_bytes(view_number(document, "rates.applied_bytes_per_second"), applied, sizeof applied));
    if (source >= 0) {
        fprintf(out, ", the source writes %s/s", view_bytes(source, written, sizeof written));
    }
}

static void print_catch_up(FILE *out, const json_t *document)
{
    char when[48];
    double seconds = view_number(document, "lag.catch_up_seconds");
    if (seconds == 0) {
        fputs("yes\n", out);
    } else if (seconds > 0) {
        fprintf(out, "in %s at this rate: ", view_duration(seconds, when, sizeof when));
        print_speeds(out, document);
        fputc('\n', out);
    } else if (!view_applying(document)) {
        fputs("no: nothing is being applied\n", out);
    } else if (json_array_size(view_at(document, "applier.blocked")) > 0) {
        fputs("not known: a lock is in the way\n", out);
    } else if (view_number(document, "rates.window_seconds") == 0 || view_number(document, "lag.bytes") < 0) {
        fputs("not known yet\n", out);
    } else if (view_number(document, "rates.applied_bytes_per_second") == 0 &&
               view_number(document, "rates.rows_per_second") > 0) {
        fputs("not known: a large transaction is being applied\n", out);
    } else {
        fputs("not at this rate: ", out);
        print_speeds(out, document);
        fputc('\n', out);
    }
}

/* True when an entry before number index names the same process: several workers may wait for one. */
static bool named_before(const json_t *blocked, size_t index)
{
    double pid = view_number(json_array_get(blocked, index), "pid");
    for (size_t i = 0; i < index; i++) {
        if (view_number(json_array_get(blocked, i), "pid") == pid) {
            return true;
        }
    }
    return false;
}

/* Workers that wait for a lock, and who has it. */
static void print_blocked(FILE *out, const json_t *document)
{
    char since[48];
    const json_t *blocked = view_at(document, "applier.blocked"), *entry;
    size_t index;
    status_label(out, "blocked");
    if (json_array_size(blocked) == 0) {
        fputs("by nobody\n", out);
    }
    json_array_foreach(blocked, index, entry)
    {
        if (named_before(blocked, index)) {
            continue;
        }
        if (index > 0) {
            status_label(out, "");
        }
        fprintf(out, "on %s for %s by process %.0f of the target (%s, %s, %s): %s\n",
                or_dash(view_text(entry, "relation")),
                view_duration(view_number(entry, "seconds"), since, sizeof since), view_number(entry, "pid"),
                or_dash(view_text(entry, "user")), or_dash(view_text(entry, "application")),
                or_dash(view_text(entry, "state")), view_text(entry, "query"));
    }
}

/* How far behind, how fast, until when, and who is in the way. */
static void print_progress(FILE *out, const json_t *document)
{
    char transactions[40], rows[40];
    print_lag(out, document);
    if (!json_is_object(view_at(document, "applier"))) {
        return;
    }
    status_label(out, "rate");
    fprintf(
        out, "%s transactions/s, %s rows/s\n",
        view_count(view_number(document, "rates.transactions_per_second"), transactions, sizeof transactions),
        view_count(view_number(document, "rates.rows_per_second"), rows, sizeof rows));
    status_label(out, "caught up");
    print_catch_up(out, document);
    if (view_applying(document)) {
        print_blocked(out, document);
    }
}

static void print_error(FILE *out, const json_t *document)
{
    if (json_is_object(view_at(document, "applier.error")) && !view_stream_is_over(document)) {
        status_label(out, "error");
        const char *number = view_text(document, "applier.error.number");
        fprintf(out, "%s%s%s%s\n", view_text(document, "applier.error.message"),
                number[0] != '\0' ? " (" : "", number, number[0] != '\0' ? ")" : "");
        status_label(out, "");
        fprintf(out, "%s\n", view_text(document, "applier.error.hint"));
    }
}

static void print_applier(FILE *out, const json_t *document)
{
    char transactions[40], changes[40], since[48];
    status_label(out, "applier");
    if (!json_is_object(view_at(document, "applier"))) {
        fprintf(out, "has not run yet\n");
        return;
    }
    if (view_stream_is_over(document) && !view_true(document, "running.applier")) {
        fprintf(out, "has ended with the switch\n");
        return;
    }
    fprintf(out, "%s%s, pid %.0f on %s, %.0f workers, last heard of %.1f s ago\n",
            view_text(document, "applier.state"),
            view_true(document, "running.applier") ? "" : " (not running)",
            view_number(document, "applier.pid"), view_text(document, "applier.host"),
            view_number(document, "applier.workers"), view_number(document, "applier.report_age_seconds"));
    status_label(out, "");
    fprintf(out, "%s transaction%s, %s change%s in %s; received %s, durable %s\n",
            view_count(view_number(document, "applier.transactions"), transactions, sizeof transactions),
            status_plural(view_number(document, "applier.transactions")),
            view_count(view_number(document, "applier.changes"), changes, sizeof changes),
            status_plural(view_number(document, "applier.changes")),
            view_duration(view_number(document, "applier.running_seconds"), since, sizeof since),
            view_text(document, "applier.received_lsn"), view_text(document, "applier.low_water_lsn"));
}

/* The busiest lane tells whether one table holds up the others. */
static void print_lanes(FILE *out, const json_t *document)
{
    const json_t *lane, *busiest = NULL;
    double most = 0, all = 0;
    size_t index;
    json_array_foreach(view_at(document, "lanes.list"), index, lane)
    {
        double rows = view_number(lane, "rows_per_second");
        all += rows;
        if (rows > most) {
            most = rows;
            busiest = lane;
        }
    }
    status_label(out, "lanes");
    fprintf(out, "%.0f, from %s to %s", view_number(document, "lanes.count"),
            or_dash(view_text(document, "lanes.lowest_commit_lsn")),
            or_dash(view_text(document, "lanes.highest_commit_lsn")));
    if (busiest != NULL && view_number(document, "lanes.count") > 1) {
        fprintf(out, "; the busiest, %.0f, has %.0f %% of the rows", view_number(busiest, "lane"),
                100 * most / all);
    }
    fputc('\n', out);
}

/* What became of the changes on the target. */
static void print_batches(FILE *out, const json_t *document)
{
    char batches[40], rows[40], statements[40], copies[40];
    const json_t *statistics = view_at(document, "applier.statistics");
    if (view_number(statistics, "batches") <= 0) {
        return;
    }
    status_label(out, "batches");
    fprintf(out, "%s of %.0f changes each, %s rows written by %s statements, %s of them COPY\n",
            view_count(view_number(statistics, "batches"), batches, sizeof batches),
            view_number(statistics, "changes_per_batch"),
            view_count(view_number(statistics, "rows_written"), rows, sizeof rows),
            view_count(view_number(statistics, "statements"), statements, sizeof statements),
            view_count(view_number(statistics, "copies"), copies, sizeof copies));
    status_label(out, "");
    fprintf(out, "%.0f fell back to single rows, %.0f were tried again; %.0f barriers, %.0f truncates\n",
            view_number(statistics, "fallbacks"), view_number(statistics, "retries"),
            view_number(statistics, "barriers"), view_number(statistics, "truncates"));
}

/* What the plugin at the source cannot do on that server. */
static void print_plugin(FILE *out, const json_t *document)
{
    const char *notes = view_text(view_at(document, "applier.statistics"), "plugin");
    if (notes[0] != '\0') {
        status_label(out, "decoder");
        fprintf(out, "%s\n", notes);
    }
}

/* The way back, from the switch on. */
static void print_reverse(FILE *out, const json_t *document)
{
    char lag[32], kept[32];
    if (!json_is_object(view_at(document, "reverse.slot"))) {
        return;
    }
    status_label(out, "way back");
    fprintf(out, "%s, lag %s, the source has confirmed %s; the target keeps %s of WAL for it\n",
            view_true(document, "reverse.slot.active") ? "streaming" : "NOT STREAMING",
            view_bytes(view_number(document, "reverse.slot.lag_bytes"), lag, sizeof lag),
            view_text(document, "reverse.slot.confirmed_lsn"),
            view_bytes(view_number(document, "reverse.slot.kept_bytes"), kept, sizeof kept));
}

/* What stands where; of no use to someone who watches. */
static void print_standing(FILE *out, const json_t *document, bool known)
{
    print_source(out, document);
    if (known) {
        print_slot(out, document);
        print_copy(out, document);
        print_selection(out, document);
        print_applier(out, document);
        print_lanes(out, document);
        print_batches(out, document);
        print_plugin(out, document);
    }
}

/* What of that may change while someone watches. */
static void print_moving(FILE *out, const json_t *document)
{
    if (!view_true(document, "source.reachable")) {
        print_source(out, document);
    }
    print_slot(out, document);
    if (view_number(document, "copy.tables_copied") != view_number(document, "copy.tables")) {
        print_copy(out, document);
    }
}

/* Nothing is left of a migration that is finished but the fence, which may say when; without a fence there is nothing to tell it
 * from one that was not begun. */
static const char *unknown_phase(const json_t *document, char *out, size_t size)
{
    const char *mark = view_text(document, "source.finished");
    if (!view_true(document, "source.fenced")) {
        return "not begun";
    }
    if (*mark != '\0') {
        snprintf(out, size, "finished (%s); the source stays fenced", mark);
    } else {
        snprintf(out, size,
                 "not on this target; the source is fenced, so one was switched away from it, and is "
                 "finished or has "
                 "another target or name");
    }
    return out;
}

void status_print(FILE *out, const json_t *document, bool brief)
{
    char words[256];
    bool known = !view_in_phase(document, "none");
    if (known) {
        print_health(out, document);
    }
    status_label(out, "migration");
    fprintf(out, "%s: %s%s%s\n", view_text(document, "name"),
            known ? view_text(document, "phase") : unknown_phase(document, words, sizeof words),
            brief && known ? ", applier " : "",
            !brief || !known                         ? ""
            : view_true(document, "running.applier") ? view_text(document, "applier.state")
                                                     : "not running");
    if (!known) {
        status_print_others(out, document);
    }
    if (view_in_phase(document, "copied")) {
        print_progress(out, document);
    }
    if (known) {
        print_error(out, document);
        status_print_again(out, document);
        status_print_conflicts(out, document);
        status_print_accepted(out, document);
        status_print_verified(out, document);
        print_reverse(out, document);
        status_print_ddl(out, document);
    }
    if (!brief) {
        print_standing(out, document, known);
        status_print_list(out, document);
    } else if (known) {
        print_moving(out, document);
    }
    status_print_tables(out, document);
    status_label(out, "next:");
    fprintf(out, "%s\n", view_text(document, "next"));
}
