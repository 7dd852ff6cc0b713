/*
 * What was defined between the checks and the hold: a deploy in the minute of the switch. The checks compared definitions while
 * everybody went on; behind the fence nobody can define anything more, so what is equal here stays equal. They are made again
 * only when the side that is left says that something has moved (moved.h), since with very many tables they take longer than
 * clients should wait.
 */
#include "defined.h"

#include <stdlib.h>

#include "left_behind.h"
#include "losses.h"
#include "moved.h"
#include "positions.h"
#include "preflight_rows.h"
#include "query.h"
#include "records.h"
#include "reverse.h"
#include "steps.h"

#define COMPARED_WITHIN_MS 5000
#define MARK "defined"

int defined_mark(Cutover *cutover, json_t *detail, Error *error)
{
    char *mark = NULL;
    if (catalog_mark(cutover->leaving, &mark, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, MARK, json_string(mark));
    free(mark);
    return 0;
}

/* Rows that the stream does not have are known by a mark in the list of tables, which it makes itself. */
static int is_marked(Cutover *cutover, bool *marked, Error *error)
{
    *marked = false;
    return cutover->road == &road_cutover
               ? database_found(
                     cutover->target, marked, error,
                     "SELECT 1 FROM penstock.relation WHERE migration = $1 AND recopy_lsn IS NOT NULL", 1,
                     cutover->migration.name)
               : 0;
}

/* Those who helped to read the sequences help here; one of them that has failed costs time, and nothing else. */
static int look_through(Cutover *cutover, const char *mark, bool *moved, Error *error)
{
    Readers *help = positions_help(cutover->positions);
    int status = catalog_moved(cutover->leaving, help, mark, moved, error);
    if (status != 0 && readers_width(help) > 1 && error->code != ERROR_LIMIT &&
        error->code != ERROR_INTERRUPTED) {
        positions_end_help(cutover->positions);
        status = catalog_moved(cutover->leaving, NULL, mark, moved, error);
    }
    return status;
}

static int has_moved(Cutover *cutover, bool *moved, Error *error)
{
    const StepRecord *checks = records_of(cutover->road, cutover->records, "preflight");
    const char *mark = checks != NULL ? json_string_value(json_object_get(checks->detail, MARK)) : NULL;
    bool marked;
    *moved = true; /* a round that has no mark was begun by a program that made none */
    if (is_marked(cutover, &marked, error) != 0 ||
        (mark != NULL && look_through(cutover, mark, moved, error) != 0)) {
        return -1;
    }
    *moved = *moved || marked;
    return 0;
}

/* A table that came after the way back was made is not part of it, and would be left behind by a rollback. */
static int check_way_back_has_all(Cutover *cutover, Error *error)
{
    char *known = NULL, *made = NULL;
    if (reverse_uncovered(cutover->source, cutover->target, &cutover->migration, NULL, &known, &made,
                          error) != 0) {
        return -1;
    }
    int status = known != NULL ? error_set(error, ERROR_STATE,
                                           "the way back was made before these tables were: %.700s", known)
                               : 0;
    free(known);
    free(made);
    return status;
}

static int check_there(Cutover *cutover, Error *error)
{
    if (left_behind_renew(cutover->source, cutover->target, cutover->migration.name, error) != 0 ||
        check_nothing_missing(cutover, error) != 0 || check_drift(cutover, error) != 0) {
        return -1;
    }
    return cutover->options->no_reverse ? 0 : check_way_back_has_all(cutover, error);
}

/* With half of what is left of the hold at most: what comes behind needs time, too. */
static QueryLimits limits_in_hold(Cutover *cutover)
{
    int left = 0;
    Error ignored;
    int within = cutover_hold_left(cutover, &left, &ignored) == 0 && left / 2 < COMPARED_WITHIN_MS
                     ? left / 2
                     : COMPARED_WITHIN_MS;
    return query_within(within);
}

static int check_again(Cutover *cutover, Error *error)
{
    QueryLimits source = database_limits(cutover->source), target = database_limits(cutover->target);
    QueryLimits within = limits_in_hold(cutover);
    database_limit(cutover->source, query_sooner(source, within));
    database_limit(cutover->target, query_sooner(target, within));
    int status = cutover->road == &road_cutover ? check_there(cutover, error) : check_drift(cutover, error);
    database_limit(cutover->source, source);
    database_limit(cutover->target, target);
    return status;
}

/*
 * On the way back, nobody writes any more: what was not written to until the preflight must be unwritten still. Where it was,
 * and that is accepted, the sides differ, and the stream that was to lead there again has nowhere to begin. Which tables the
 * way back has was asked there as well, and takes long where there are many: again only when something was defined since.
 */
static int see_losses(Cutover *cutover, bool moved, Error *error)
{
    Limits limits;
    if (cutover->road == &road_cutover) {
        return 0;
    }
    if (losses_check_limits(cutover, moved, &limits, error) != 0) {
        return -1;
    }
    return *limits.inserts == '\0' && *limits.nothing == '\0'
               ? 0
               : reverse_end_forward(cutover->source, &cutover->migration, END_STREAM_LIMIT_MS, error);
}

int step_definitions(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    bool moved;
    (void)detail;
    if (has_moved(cutover, &moved, error) != 0 || see_losses(cutover, moved, error) != 0) {
        return -1;
    }
    cutover->nothing_defined = !moved;
    if (!moved) {
        cutover_note(cutover, "nothing was defined since the checks");
        return 0;
    }
    if (check_again(cutover, error) == 0) {
        cutover_note(cutover, "something was defined since the checks, on both sides the same");
        return 0;
    }
    if (*error->hint == '\0') {
        error_hint(error, "The same command again begins with what is defined by now.");
    }
    return error_context(error, "something was defined on the %s since the checks", cutover->road->from);
}
