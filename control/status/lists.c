/*
 * What of the document is a list. Long ones are cut, and say where the rest is.
 */
#include "print.h"

#include <string.h>

#define ACCEPTED_SHOWN 10
#define DIFFERENCES_SHOWN 30

/* Tables that the applier leaves out. */
void status_print_again(FILE *out, const json_t *document)
{
    const json_t *table;
    size_t index;
    json_array_foreach(view_at(document, "copy.again"), index, table)
    {
        status_label(out, index == 0 ? "copy again" : "");
        fprintf(out, "%s: %s, at %s\n", view_text(table, "table"), view_text(table, "reason"),
                view_text(table, "lsn"));
    }
}

/* What a policy did that the applier would have stopped at otherwise. */
void status_print_conflicts(FILE *out, const json_t *document)
{
    double count = view_number(document, "conflicts.count");
    if (count > 0) {
        status_label(out, "conflicts");
        fprintf(out, "%.0f overwritten, %.0f skipped, the last %.19s: penstock.conflict lists them\n",
                view_number(document, "conflicts.overwritten"), view_number(document, "conflicts.skipped"),
                view_text(document, "conflicts.last_at"));
    }
}

/* Problems of the check that the operator went past with copy --force. */
void status_print_accepted(FILE *out, const json_t *document)
{
    const json_t *one;
    size_t index;
    double count = view_number(document, "accepted.count");
    json_array_foreach(view_at(document, "accepted.first"), index, one)
    {
        const char *object = view_text(one, "object"), *detail = view_text(one, "detail");
        status_label(out, index == 0 ? "accepted" : "");
        if (index == ACCEPTED_SHOWN) {
            fprintf(out, "and %.0f more: penstock.accepted\n", count - ACCEPTED_SHOWN);
            break;
        }
        fprintf(out, "%s: %s%s%s\n", view_text(one, "check"), object,
                object[0] != '\0' && detail[0] != '\0' ? ": " : "", detail);
    }
}

void status_print_list(FILE *out, const json_t *document)
{
    const json_t *entry;
    size_t index;
    json_array_foreach(view_at(document, "made"), index, entry)
    {
        status_label(out, index == 0 ? "made" : "");
        fprintf(out, "%s: %s\n", view_text(entry, "where"), view_text(entry, "what"));
    }
    json_array_foreach(view_at(document, "journal"), index, entry)
    {
        status_label(out, index == 0 ? "journal" : "");
        fprintf(out, "%.19s  %s: %s %s\n", view_text(entry, "at"), view_text(entry, "operation"),
                view_text(entry, "step"), view_text(entry, "event"));
    }
}

/* What the copy has done of a table. */
static void print_copied(FILE *out, const json_t *table)
{
    char bytes[32], rows[40];
    double count = view_number(table, "copied_rows");
    fprintf(out, "%-8s %10s %15s rows  %s\n", view_text(table, "state"),
            view_bytes(view_number(table, "bytes"), bytes, sizeof bytes),
            view_count(count > 0 ? count : 0, rows, sizeof rows), view_text(table, "table"));
}

/* What the applier does with a table; its lanes are decided with its first change. */
static void print_applied(FILE *out, const json_t *table)
{
    char rate[40], rows[40];
    const char *lane = view_text(table, "lane");
    bool decided = view_text(table, "lane_class")[0] != '\0';
    fprintf(out, "%11s %15s  %-4s  %s", view_count(view_number(table, "rows_per_second"), rate, sizeof rate),
            view_count(view_number(table, "rows_applied"), rows, sizeof rows),
            lane[0] != '\0' ? lane
            : decided       ? "one"
                            : "-",
            view_text(table, "table"));
    if (view_text(table, "recopy_reason")[0] != '\0') {
        fprintf(out, "  (to be copied again: %s)", view_text(table, "recopy_reason"));
    } else {
        fprintf(out, "  (%s)", decided ? view_text(table, "why") : "no change yet");
    }
    fputc('\n', out);
}

void status_print_tables(FILE *out, const json_t *document)
{
    char shown[40], all[40];
    const json_t *tables = view_at(document, "tables"), *table;
    bool copied = strcmp(view_text(document, "phase"), "created") != 0 &&
                  strcmp(view_text(document, "phase"), "copying") != 0;
    size_t index;
    if (tables == NULL) {
        return;
    }
    if (view_number(document, "copy.tables") > (double)json_array_size(tables)) {
        fprintf(out, "The %s busiest of %s tables; --all lists the others.\n",
                view_count((double)json_array_size(tables), shown, sizeof shown),
                view_count(view_number(document, "copy.tables"), all, sizeof all));
    }
    if (copied) {
        fprintf(out, "%11s %15s  %-4s  %s\n", "rows/s", "rows applied", "lane", "table");
    }
    json_array_foreach(tables, index, table)
    {
        (copied ? print_applied : print_copied)(out, table);
    }
}

/* The migrations that are on the target, for whoever mistyped the name. */
void status_print_others(FILE *out, const json_t *document)
{
    const json_t *others = view_at(document, "others");
    size_t i;
    json_t *name;
    json_array_foreach((json_t *)others, i, name)
    {
        status_label(out, i == 0 ? "there is" : "");
        fprintf(out, "%s\n", json_string_value(name));
    }
}

void status_print_ddl(FILE *out, const json_t *document)
{
    const json_t *list = view_at(document, "drift"), *text;
    size_t i;
    double came = view_number(document, "ddl.applied") + view_number(document, "ddl.left_out") +
                  view_number(document, "ddl.skipped");
    if (came > 0) {
        status_label(out, "DDL");
        fprintf(out, "%.0f applied, %.0f left out, %.0f skipped; penstock ddl list shows it\n",
                view_number(document, "ddl.applied"), view_number(document, "ddl.left_out"),
                view_number(document, "ddl.skipped"));
    }
    if (list != NULL) {
        status_label(out, "schema");
        fprintf(out, "%zu difference%s\n", json_array_size(list), json_array_size(list) == 1 ? "" : "s");
    }
    json_array_foreach((json_t *)list, i, text)
    {
        if (i == DIFFERENCES_SHOWN) {
            status_label(out, "");
            fprintf(out, "and %zu more: penstock status --schema --json\n", json_array_size(list) - i);
            break;
        }
        status_label(out, "");
        fprintf(out, "%s\n", json_string_value(text));
    }
}
