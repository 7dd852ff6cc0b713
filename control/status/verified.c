/*
 * What is known of both sides being the same: the last complete comparison, those of a part of it since, and what differs still
 * after all of these. A repair of one table ends with the question that is asked at night: is that all?
 */
#include "print.h"

#include <string.h>

#define PASSES_SAID 3
#define NAMES_SAID 5

/* "3 days ago, WHERE: 5 tables, 70 rows, no difference", of one pass. */
static void print_pass(FILE *out, const json_t *pass, const char *where)
{
    char age[32];
    double tables = view_number(pass, "tables"), rows = view_number(pass, "rows");
    double wrong = view_number(pass, "different") + view_number(pass, "unanswered");
    fprintf(out, "%s ago, %s: %.0f table%s, %.0f row%s, ",
            view_duration(view_number(pass, "age_seconds"), age, sizeof age), where, tables,
            status_plural(tables), rows, status_plural(rows));
    fprintf(out, wrong > 0 ? "%.0f DIFFERENT OR WITHOUT AN ANSWER" : "no difference", wrong);
}

static void print_last(FILE *out, const json_t *document)
{
    char where[40];
    const json_t *last = view_at(document, "verify.last");
    double repaired = view_number(document, "verify.repaired");
    snprintf(where, sizeof where, "at %s", view_text(last, "last_point"));
    status_label(out, "verified");
    print_pass(out, last, where);
    fprintf(out, repaired > 0 ? "; %.0f rows repaired in all\n" : "\n", repaired);
}

static void print_since(FILE *out, const json_t *since, bool labelled)
{
    const json_t *pass;
    size_t index;
    json_array_foreach(since, index, pass)
    {
        double repaired = view_number(pass, "repaired");
        if (index == PASSES_SAID) {
            return;
        }
        status_label(out, labelled ? "" : "verified");
        labelled = true;
        print_pass(out, pass, view_text(pass, "scope"));
        fprintf(out, repaired > 0 ? "; %.0f rows repaired\n" : "\n", repaired);
    }
}

/* Where the full comparison found nothing and no other was made, its own line says all. */
static void print_still(FILE *out, const json_t *document)
{
    const json_t *object;
    size_t index;
    const json_t *still = view_at(document, "verify.still_different");
    double count = view_number(still, "count");
    status_label(out, "");
    if (count == 0) {
        fputs("what it found was found right since; penstock verify says so of all\n", out);
        return;
    }
    fputs("STILL DIFFERENT:", out);
    json_array_foreach(view_at(still, "first"), index, object)
    {
        if (index < NAMES_SAID) {
            const char *kind = view_text(object, "kind");
            bool definition = strcmp(kind, "definition") == 0; /* its name says what it is */
            fprintf(out, "%s %s%s%s", index > 0 ? "," : "", definition ? "" : kind, definition ? "" : " ",
                    view_text(object, "object"));
        }
    }
    if (count > NAMES_SAID) {
        fprintf(out, " and %.0f more", count - NAMES_SAID);
    }
    fputs("\n", out);
}

static void print_open(FILE *out, const json_t *open)
{
    status_label(out, "verify");
    fprintf(out, "%.0f of %.0f pieces are compared, %.0f tables differ so far\n",
            view_number(open, "pieces_done"), view_number(open, "pieces"),
            view_number(open, "tables_different"));
}

void status_print_verified(FILE *out, const json_t *document)
{
    const json_t *last = view_at(document, "verify.last"), *since = view_at(document, "verify.since");
    bool full = json_is_object(last);
    if (full) {
        print_last(out, document);
    }
    print_since(out, since, full);
    if (view_number(document, "verify.still_different.count") > 0 ||
        (json_array_size(since) > 0 &&
         view_number(last, "different") + view_number(last, "unanswered") > 0)) {
        print_still(out, document);
    }
    if (json_is_object(view_at(document, "verify.open"))) {
        print_open(out, view_at(document, "verify.open"));
    }
}
