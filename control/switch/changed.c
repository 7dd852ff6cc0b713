/*
 * With --require-verified: a comparison of everything ended some time ago and found nothing. Here, behind the fence, when the
 * target has all that the source has and neither is written to, the tables that have changed since are compared once more, as
 * many as there is time for: so what was shown is shown of the moment of the switch.
 *
 * Which tables those are the applier has counted (penstock.applied), but not while it is at work: it tells when nothing has come
 * for a moment. Where that is not to be known (an applier was killed before it had told, or DDL travelled), all tables are.
 */
#include "changed.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cutover.h"
#include "number.h"
#include "query.h"
#include "steps.h"

#define COUNTED_MS 1500 /* the applier tells within half a second */
#define LOOK_AGAIN_MS 10
#define NAMES_SAID 5

/* The comparison that --require-verified was content with. */
#define PASS                                                                                                 \
    "(SELECT id, started_at FROM penstock.verify_pass WHERE migration = $1 AND state = 'done' AND scope = "  \
    "''"                                                                                                     \
    " ORDER BY id DESC LIMIT 1) p"

/* Whether every change is counted by now. */
static const char counted_sql[] =
    "SELECT 1 FROM penstock.applier a WHERE a.migration = $1 AND a.counted_lsn >"
    " (SELECT max(commit_lsn) FROM penstock.lane WHERE migration = $1)";

/* Whether some change since then is in no count. */
static const char lost_sql[] =
    "SELECT 1 FROM " PASS " WHERE EXISTS (SELECT FROM penstock.applier a WHERE a.migration = $1"
    "     AND a.uncounted_at > p.started_at)"
    " OR EXISTS (SELECT FROM penstock.ddl d WHERE d.migration = $1 AND d.ended_at > p.started_at)";

/* The tables that have changed, or that the comparison did not meet. Of leaves with one route one has the answer for all. */
static const char changed_sql[] =
    "SELECT count(*), array_agg(r.id)"
    "  FROM penstock.relation r LEFT JOIN penstock.applied a ON a.relation = r.id, " PASS
    " WHERE r.migration = $1 AND ($2::bool OR a.counted_at > p.started_at OR r.copied_at > p.started_at"
    "    OR (r.route_table IS NULL AND NOT EXISTS (SELECT FROM penstock.verify_table v"
    "          WHERE v.pass = p.id AND v.relation = r.id)))";

static int wait_for_counts(Cutover *cutover, bool *counted, Error *error)
{
    int64_t end = clock_ms() + COUNTED_MS;
    do {
        if (database_found(cutover->target, counted, error, counted_sql, 1, cutover->migration.name) != 0) {
            return -1;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        clock_pause_ms(*counted ? 0 : LOOK_AGAIN_MS);
    } while (!*counted && clock_ms() < end);
    return 0;
}

/* *ids is an array literal, to be freed, or NULL: nothing has changed. *all: which have is not known. */
static int find_changed(Cutover *cutover, char **ids, int *count, bool *all, Error *error)
{
    PGresult *row = NULL;
    bool counted = false, lost = false;
    *ids = NULL;
    if (wait_for_counts(cutover, &counted, error) != 0 ||
        database_found(cutover->target, &lost, error, lost_sql, 1, cutover->migration.name) != 0) {
        return -1;
    }
    *all = !counted || lost;
    if (database_query(cutover->target, &row, error, changed_sql, 2, cutover->migration.name,
                       *all ? "t" : "f") != 0) {
        return -1;
    }
    *count = number_int(PQgetvalue(row, 0, 0));
    *ids = *count > 0 ? text_copy(PQgetvalue(row, 0, 1)) : NULL;
    PQclear(row);
    return 0;
}

void changed_names(const CompareResult *result, bool late, Text *out)
{
    size_t said = 0, all = late ? result->late : result->different;
    for (size_t i = 0; i < result->table_count && said < NAMES_SAID; i++) {
        const CompareTable *table = &result->tables[i];
        bool fits = late ? table->late : !table->late && !table->equal && table->problem == NULL;
        if (fits) {
            text_printf(out, "%s%s.%s", said++ > 0 ? ", " : "", table->schema, table->name);
            for (size_t k = 0; k < table->key_count && k < CHANGED_KEYS; k++) {
                text_printf(out, "%s%s", k == 0 ? " at " : " ", table->keys[k].key);
            }
        }
    }
    if (said < all) {
        text_printf(out, " and %zu more", all - said);
    }
}

static int judge(Cutover *cutover, const CompareResult *result, bool all, json_t *detail, Error *error)
{
    Text names = {0};
    size_t without = result->unreadable + result->rewritten;
    json_object_set_new(detail, "tables", json_integer((json_int_t)(result->table_count - result->late)));
    json_object_set_new(detail, "rows", json_integer((json_int_t)result->rows));
    json_object_set_new(detail, "different", json_integer((json_int_t)result->different));
    json_object_set_new(detail, "late", json_integer((json_int_t)result->late));
    if (result->different > 0) {
        changed_names(result, false, &names);
        error_set(error, ERROR_STATE,
                  "%zu table%s differ%s from the source since the last comparison: %.700s", result->different,
                  result->different == 1 ? "" : "s", result->different == 1 ? "s" : "", names.data);
        text_free(&names);
        return error_hint(
            error, "Somebody or something has changed rows on the target. penstock verify lists them, and "
                   "--repair makes them right, while clients go on at the source.");
    }
    if (result->late + without > 0) {
        changed_names(result, true, &names);
        cutover_warn(cutover,
                     "%s: %zu of %zu tables could not be compared within %g s of the hold%s%.700s; --verify "
                     "compares all "
                     "tables as they are at the switch, once clients have gone on",
                     all ? "which tables have changed since the last comparison is not known"
                         : "of the tables that have changed since the last comparison",
                     result->late + without, result->table_count, cutover->options->compare_limit,
                     names.size > 0 ? ": " : "", names.size > 0 ? names.data : "");
        text_free(&names);
    }
    cutover_note(cutover, "%zu of %zu tables%s compared, %lld rows: the same",
                 result->table_count - result->late - without, result->table_count,
                 all ? ", all of them," : " that have changed", (long long)result->rows);
    return 0;
}

int changed_compare(const Cutover *cutover, const char *ids, int left_ms, CompareResult *out, Error *error)
{
    double seconds = cutover->options->compare_limit, half = left_ms / 2000.0;
    const CompareOptions options = {.source_uri = cutover->settings->source,
                                    .target_uri = cutover->settings->target,
                                    .migration = cutover->migration.name,
                                    .only = ids,
                                    .deadline = clock_seconds() + (seconds < half ? seconds : half),
                                    .jobs = cutover->options->jobs,
                                    .max_keys = CHANGED_KEYS,
                                    .stop = interrupted};
    return compare_tables(&options, out, error);
}

static int compare(Cutover *cutover, const char *ids, bool all, json_t *detail, Error *error)
{
    int left;
    CompareResult result;
    if (cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    int status = changed_compare(cutover, ids, left, &result, error);
    if (status == 0) {
        status = judge(cutover, &result, all, detail, error);
    } else if (error->code != ERROR_INTERRUPTED) {
        cutover_warn(cutover, "what has changed since the last comparison could not be compared: %s",
                     error->message);
        *error = (Error){.code = ERROR_NONE};
        status = 0;
    }
    compare_free(&result);
    return status;
}

int step_changed(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char *ids = NULL;
    int count = 0;
    bool all = false;
    if (cutover->options->require_verified <= 0) {
        cutover_note(cutover, "not asked for (--require-verified)");
        return 0;
    }
    if (!cutover_source_answers(cutover)) {
        cutover_warn(
            cutover,
            "the source does not answer: what has changed since the last comparison is not compared");
        return 0;
    }
    if (cutover_reach_end(cutover, DATABASE_TARGET, false, error) != 0 ||
        find_changed(cutover, &ids, &count, &all, error) != 0) {
        return -1;
    }
    int status = ids != NULL ? compare(cutover, ids, all, detail, error) : 0;
    if (ids == NULL) {
        cutover_note(cutover, "nothing has changed since the last comparison");
    }
    free(ids);
    return status;
}
