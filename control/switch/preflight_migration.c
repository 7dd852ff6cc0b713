/*
 * Where the migration stands and its stream: what only a copy has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "drift.h"
#include "measure.h"
#include "mend.h"
#include "named.h"
#include "own_slot.h"
#include "preflight_rows.h"
#include "query.h"
#include "reverse.h"
#include "tables.h"
#include "warm.h"

#define LAG_PATIENCE_MS 20000
#define STREAM_ROLE                                                                                          \
    "the stream from the %s is read by role %s, which is no superuser: the fence would shut it out if its "  \
    "connection broke while clients are held"

int check_phase(Cutover *cutover, Error *error)
{
    if (cutover->migration.phase == PHASE_COPIED) {
        return 0;
    }
    error_set(error, ERROR_STATE, "migration \"%s\" is in phase %s, not copied", cutover->migration.name,
              state_phase_name(cutover->migration.phase));
    return error_hint(error, cutover->migration.phase > PHASE_COPIED ? "It has been switched already."
                                                                     : "Let penstock copy end first.");
}

/* What the applier leaves out, and what was made since the copy, is not on the target. */
int check_nothing_missing(Cutover *cutover, Error *error)
{
    char *tables = NULL;
    int status = tables_missing(cutover->source, cutover->target, cutover->migration.name, &tables, error);
    if (status == 0 && tables != NULL) {
        error_set(error, ERROR_STATE, "not all tables of the source are on the target: to be copied: %.700s",
                  tables);
        status =
            error_hint(error, "Make those that are new on the target, as they are on the source. Then stop "
                              "penstock follow, run penstock copy, start penstock follow; penstock status "
                              "--tables says why.");
    }
    free(tables);
    return status;
}

/*
 * DDL is not in the stream: a partition that was attached, a table that was unlogged for an hour, a sequence that counts in
 * other steps. Each difference is said, at most so many; the first are in the error, too. As it should be is what clients work on,
 * which is the target when the road leads back.
 */
#define DRIFT_SAID 40

static int hint_at_drift(bool back, Error *error)
{
    return back ? error_hint(error,
                             "Make the source as the target is, which applications work on; the warnings "
                             "say how, where that is known. Behind the fence a superuser may write who "
                             "says SET default_transaction_read_only = off first. --accept-drift goes "
                             "back all the same.")
                : error_hint(
                      error,
                      "Make the target as the source is; the warnings say how, where that is known. "
                      "penstock check lists every difference; --accept-drift switches all the same. Rows "
                      "that changed in a table while it was unlogged need to be copied again.");
}

static int name_drift(Cutover *cutover, Error *error)
{
    CatalogDifferences differences;
    bool back = cutover->road == &road_rollback;
    DriftTruth truth = back ? TRUTH_ON_TARGET : TRUTH_AT_SOURCE;
    if (drift_find(cutover->source, cutover->target, cutover->migration.name, DRIFT_OF_WHAT_TRAVELS, NULL,
                   &differences, error) != 0) {
        return -1;
    }
    Text first = {0};
    size_t count = differences.count;
    for (size_t i = 0; i < count && i < DRIFT_SAID; i++) {
        Error ignored;
        Text line = {0}, mend = {0};
        drift_describe(&differences.list[i], &line);
        if (drift_mend(cutover->source, cutover->target, truth, &differences.list[i], &mend, &ignored) != 0) {
            mend.size = 0; /* the difference itself is what counts */
        }
        cutover_warn(cutover, "%s%s%s", line.data,
                     mend.size == 0 ? ""
                     : back         ? "; to mend it, at the source: "
                                    : "; to mend it: ",
                     mend.size > 0 ? mend.data : "");
        text_free(&mend);
        if (i < 3) {
            text_printf(&first, "%s%s", i > 0 ? "; " : "", line.data);
        }
        text_free(&line);
    }
    catalog_differences_free(&differences);
    int status = 0;
    if (count > 0 && !cutover->options->accept_drift) {
        error_set(error, ERROR_STATE, "the two sides differ in %zu definition%s: %.800s%s", count,
                  count == 1 ? "" : "s", first.data, count > 3 ? "; ..." : "");
        status = hint_at_drift(back, error);
    }
    text_free(&first);
    return status;
}

/*
 * Reading how a table is defined waits for whoever has locked it (utils/adt/ruleutils.c, up to 12: AccessShareLock). Where
 * differences are accepted anyway, nothing is waited for that long.
 */
#define COMPARED_WITHIN_MS 120000
#define ACCEPTED_WITHIN_MS 10000

int check_drift(Cutover *cutover, Error *error)
{
    bool accepted = cutover->options->accept_drift;
    QueryLimits source = database_limits(cutover->source), target = database_limits(cutover->target);
    QueryLimits within = query_within(accepted ? ACCEPTED_WITHIN_MS : COMPARED_WITHIN_MS);
    database_limit(cutover->source, query_sooner(source, within));
    database_limit(cutover->target, query_sooner(target, within));
    int status = name_drift(cutover, error);
    database_limit(cutover->source, source);
    database_limit(cutover->target, target);
    if (status != 0 && accepted && error->code == ERROR_LIMIT) {
        cutover_warn(cutover, "not all definitions were compared, which --accept-drift accepts: %s",
                     error->message);
        return 0;
    }
    return status;
}

int check_slot(Cutover *cutover, Error *error)
{
    OwnSlot slot;
    if (own_slot_look(cutover->source, cutover->migration.slot_name, PLUGIN_THERE, &slot, error) != 0) {
        return -1;
    }
    if (slot.active) {
        return 0;
    }
    if (slot.exists) {
        error_set(error, ERROR_STATE, "slot \"%s\" is not in use", cutover->migration.slot_name);
        return error_hint(error, "Start penstock follow and let it catch up.");
    }
    error_set(error, ERROR_STATE, "slot \"%s\" does not exist on the source", cutover->migration.slot_name);
    return error_hint(error, "The changes since it was lost are gone: penstock finish --abandon, empty the "
                             "target, and penstock copy again.");
}

/*
 * CONNECTION LIMIT 0 turns walsenders away, too (postinit.c, CheckMyDatabase), unless they are a superuser's: should the
 * connection of the stream break while clients are held, it would not come back. On the way back, where nobody may be kept from
 * going, that is said and no more.
 */
int check_stream_role(Cutover *cutover, Error *error)
{
    bool forward = cutover->road == &road_cutover;
    char name[64], *role = NULL;
    if ((!forward && reverse_name(&cutover->migration, name, error) != 0) ||
        named_stream_role(cutover->leaving, forward ? cutover->migration.slot_name : name, &role, error) !=
            0) {
        return -1;
    }
    if (role == NULL) {
        return 0;
    }
    int status = 0;
    if (forward) {
        error_set(error, ERROR_STATE, STREAM_ROLE, cutover->road->from, role);
        status =
            error_hint(error, "Start penstock follow again with a superuser in --source, for the switch.");
    } else {
        cutover_warn(cutover, STREAM_ROLE, cutover->road->from, role);
    }
    free(role);
    return status;
}

/* Nobody is held yet, so a lag that is a little too high may go down by itself. */
int check_lag(Cutover *cutover, Error *error)
{
    for (int64_t deadline = clock_ms() + LAG_PATIENCE_MS;; clock_pause_ms(100)) {
        int64_t bytes;
        if (measure_lag(cutover, &bytes, error) != 0) {
            return -1;
        }
        cutover_note(cutover, "lag %lld bytes", (long long)bytes);
        if (bytes <= cutover->options->max_lag) {
            return 0;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (clock_ms() > deadline) {
            error_set(error, ERROR_STATE, "the %s is %lld bytes behind, more than --max-lag (%lld)",
                      cutover->road->to, (long long)bytes, (long long)cutover->options->max_lag);
            return error_hint(error, "Wait until it has caught up (penstock status --watch), or allow more.");
        }
    }
}

int name_without_statistics(Cutover *cutover, Error *error)
{
    char *names = NULL;
    if (warm_without_statistics(cutover, &names, error) != 0) {
        return -1;
    }
    if (names != NULL && !cutover->options->warm_up) {
        cutover_warn(cutover,
                     "the target has no statistics of these tables, and would plan badly: %s. ANALYZE them, "
                     "or give --warm-up",
                     names);
    }
    free(names);
    return 0;
}

/* What the stream has brought since is not part of that answer: it is said, and --verify compares it at the switch. */
static int name_written_since(Cutover *cutover, Error *error)
{
    PGresult *row = NULL;
    if (database_query(
            cutover->target, &row, error,
            "SELECT count(*), to_char(max(p.ended_at), 'YYYY-MM-DD HH24:MI:SS')"
            "  FROM penstock.applied a JOIN penstock.relation r ON r.id = a.relation AND r.migration = $1,"
            "       (SELECT started_at, ended_at FROM penstock.verify_pass"
            "         WHERE migration = $1 AND state = 'done' AND scope = '' ORDER BY id DESC LIMIT 1) p"
            " WHERE a.counted_at > p.started_at",
            1, cutover->migration.name) != 0) {
        return -1;
    }
    if (strcmp(PQgetvalue(row, 0, 0), "0") != 0) {
        bool one = strcmp(PQgetvalue(row, 0, 0), "1") == 0;
        cutover_warn(cutover, "%s table%s written since the last comparison, which ended at %s%s",
                     PQgetvalue(row, 0, 0), one ? " was" : "s were", PQgetvalue(row, 0, 1),
                     cutover->options->verify ? "; --verify compares all at the switch"
                                              : "; --verify would compare them at the switch");
    }
    PQclear(row);
    return 0;
}

/*
 * What a comparison of a part found since the last full one is as true as what that found: an error where one is required, and
 * told to who asks for none.
 */
static int look_at_known(Cutover *cutover, bool required, Error *error)
{
    PGresult *row = NULL;
    if (database_query(
            cutover->target, &row, error,
            "SELECT count(*), string_agg(object, ', ' ORDER BY n) FILTER (WHERE n <= 5)"
            "  FROM (SELECT concat(nullif(concat(kind, ' '), 'definition '), object) AS object,"
            "               row_number() OVER (ORDER BY kind = 'definition', kind <> 'table', object) AS n"
            "          FROM penstock.verify_open WHERE migration = $1) o",
            1, cutover->migration.name) != 0) {
        return -1;
    }
    static const char said[] =
        "penstock verify found these different, or without an answer, and has not found them right since";
    const char *count = PQgetvalue(row, 0, 0), *names = PQgetvalue(row, 0, 1);
    bool known = strcmp(count, "0") != 0;
    int status = 0;
    if (known && required) {
        status = error_set(error, ERROR_STATE, "--require-verified: %s (%s): %.500s", said, count, names);
    } else if (known) {
        cutover_warn(cutover, "%s (%s): %.500s", said, count, names);
    }
    PQclear(row);
    return status;
}

/* Whether the last full comparison is recent enough and found nothing. What changed since is the comparison's at the switch. */
static int check_last_full(Cutover *cutover, double asked, Error *error)
{
    PGresult *row = NULL;
    char age[32];
    snprintf(age, sizeof age, "%.3f", asked);
    if (database_query(
            cutover->target, &row, error,
            "SELECT different + unanswered, ended_at > clock_timestamp() - $2::float8 * interval '1 s',"
            "       to_char(ended_at, 'YYYY-MM-DD HH24:MI:SS')"
            "  FROM penstock.verify_pass WHERE migration = $1 AND state = 'done' AND scope = ''"
            " ORDER BY id DESC LIMIT 1",
            2, cutover->migration.name, age) != 0) {
        return -1;
    }
    int status = 0;
    if (PQntuples(row) == 0) {
        status = error_set(error, ERROR_STATE, "--require-verified: nothing was compared yet");
    } else if (strcmp(PQgetvalue(row, 0, 0), "0") != 0) {
        status = error_set(
            error, ERROR_STATE,
            "--require-verified: the last full comparison, which ended at %s, found %s difference%s",
            PQgetvalue(row, 0, 2), PQgetvalue(row, 0, 0), strcmp(PQgetvalue(row, 0, 0), "1") == 0 ? "" : "s");
    } else if (PQgetvalue(row, 0, 1)[0] != 't') {
        status = error_set(error, ERROR_STATE,
                           "--require-verified: the last full comparison ended at %s, more than %.0f s ago",
                           PQgetvalue(row, 0, 2), asked);
    }
    PQclear(row);
    return status;
}

int check_verified(Cutover *cutover, Error *error)
{
    double asked = cutover->options->require_verified;
    if ((asked > 0 && check_last_full(cutover, asked, error) != 0) ||
        look_at_known(cutover, asked > 0, error) != 0) {
        return error_hint(
            error, "penstock verify compares both sides while clients go on, and --repair makes rows right; "
                   "--verify compares them once more at the switch itself");
    }
    return asked > 0 ? name_written_since(cutover, error) : 0;
}
