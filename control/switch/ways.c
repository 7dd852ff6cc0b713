/*
 * The stream that there will be after the switch. What takes time is made before clients are held: on the way there
 * publications, slot and a disabled subscription of the way back; on the way back the slot of the way there, so that the
 * migration can go on where it was. While clients are held, the slot is moved on to where both sides are equal; the
 * subscription is enabled once they are let go and it is shown that they are where they should be, so that nothing flows
 * back as long as the switch may be undone.
 */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "cutover.h"
#include "hand_over.h"
#include "losses.h"
#include "older.h"
#include "reverse.h"
#include "records.h"
#include "steps.h"
#include "unwritten.h"

#define LOOK_FOR_WORKER_MS 2000

static bool without_way_back(Cutover *cutover)
{
    if (cutover->options->no_reverse) {
        cutover_note(cutover, "not wanted (--no-reverse): there will be no rollback");
    }
    return cutover->options->no_reverse;
}

/* --- what waits for others --- */

static void tell_blockers(void *context, const char *who)
{
    cutover_warn(context, "in the way: %s", who);
}

typedef int (*Make)(Database *database, const Migration *migration, const WatchedWait *wait, Error *error);

/* With a second connection, which looks who is in the way. */
static int make_watched(Cutover *cutover, DatabaseEnd end, Make make, Error *error)
{
    bool source = end == DATABASE_SOURCE;
    WatchedWait wait = {
        .limit_ms = (int)(cutover->options->prepare_limit * 1000), .tell = tell_blockers, .context = cutover};
    if (database_connect_within(source ? cutover->settings->source : cutover->settings->target, end, "look",
                                cutover_limits(cutover), &wait.looker, error) != 0) {
        return -1;
    }
    int status = make(source ? cutover->source : cutover->target, &cutover->migration, &wait, error);
    database_close(wait.looker);
    return status;
}

/* --- publications --- */

/* What is published later, by hand, is not taken for what was published now. */
static int keep_published(Cutover *cutover, json_t *detail, Error *error)
{
    char *at = NULL;
    if (reverse_published_at(cutover->target, &at, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, WAYS_PUBLISHED, json_string(at));
    free(at);
    return 0;
}

int step_publish(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    if (without_way_back(cutover)) {
        return 0;
    }
    return make_watched(cutover, DATABASE_TARGET, reverse_publish, error) == 0 &&
                   keep_published(cutover, detail, error) == 0
               ? unwritten_find(cutover->target, &cutover->migration, detail, error)
               : -1;
}

/* What is nowhere else is taken away by nobody but the operator. */
static int kept_for_early_writes(const Cutover *cutover, Error *error)
{
    return cutover->early_writes == 0
               ? 0
               : error_set(error, ERROR_STATE, "kept: it has %lld changes that are on the target alone",
                           (long long)cutover->early_writes);
}

int step_unpublish(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    if (kept_for_early_writes(cutover, error) != 0) {
        return -1;
    }
    return reverse_unpublish(cutover->target, &cutover->migration, error);
}

/* --- slots --- */

int step_slot(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return without_way_back(cutover) ? 0 : make_watched(cutover, DATABASE_TARGET, reverse_make_slot, error);
}

int step_drop_slot(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    if (kept_for_early_writes(cutover, error) != 0) {
        return -1;
    }
    return reverse_drop_slot(cutover->target, &cutover->migration, END_STREAM_LIMIT_MS, error);
}

/* Kept in detail as "begins": what a server forgets when it crashes is known then all the same. */
static void keep_begin(Lsn begins, json_t *detail)
{
    char text[LSN_TEXT_SIZE];
    json_object_set_new(detail, "begins", json_string(lsn_format(begins, text)));
}

Lsn ways_begin(const Cutover *cutover)
{
    Lsn begins = LSN_INVALID;
    const StepRecord *begin = records_of(cutover->road, cutover->records, "begin");
    const char *kept = begin != NULL ? json_string_value(json_object_get(begin->detail, "begins")) : NULL;
    return kept != NULL && lsn_parse(kept, &begins) ? begins : LSN_INVALID;
}

/* Of tables of which not everything comes back; what takes too long now is read from a snapshot of now, later. */
static int note_limited(Cutover *cutover, json_t *detail, Error *error)
{
    const StepRecord *publish = records_of(cutover->road, cutover->records, "publish");
    bool late;
    database_close(cutover->counting);
    cutover->counting = NULL;
    if (unwritten_note(cutover->target, publish != NULL ? publish->detail : NULL, detail, &late, error) !=
        0) {
        return -1;
    }
    if (!late) {
        return 0;
    }
    return database_connect_within(cutover->settings->target, DATABASE_TARGET, "cutover count",
                                   cutover_limits(cutover), &cutover->counting, error) == 0
               ? unwritten_keep(cutover->counting, error)
               : -1;
}

/*
 * For moving slots: the server throws a session's caches away behind that (pg_replication_slot_advance, slotfuncs.c, 11 to 18),
 * and the one that has published 100,000 tables has an entry for each, which took 0.4 s while clients were held.
 */
static int open_mover(Cutover *cutover, DatabaseEnd end, Database **out, Error *error)
{
    const Settings *settings = cutover->settings;
    return database_connect_within(end == DATABASE_SOURCE ? settings->source : settings->target, end,
                                   "cutover slot", cutover_limits(cutover), out, error);
}

static int move_slots(Cutover *cutover, Database *mover, json_t *detail, Error *error)
{
    Lsn begins;
    if (hand_over_move(cutover, mover, error) != 0) {
        return -1;
    }
    if (without_way_back(cutover)) {
        return 0;
    }
    if (reverse_move_slot(mover, &cutover->migration, &begins, error) != 0) {
        return -1;
    }
    keep_begin(begins, detail);
    if (cutover_source_answers(cutover) &&
        reverse_begin_at(cutover->source, &cutover->migration, begins, error) != 0) {
        return -1;
    }
    return note_limited(cutover, detail, error);
}

/* Both sides are equal, and nobody writes: what the slot sends begins here. */
int step_move_slot(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Database *mover = NULL;
    if (open_mover(cutover, DATABASE_TARGET, &mover, error) != 0) {
        return -1;
    }
    int status = move_slots(cutover, mover, detail, error);
    database_close(mover);
    return status;
}

/*
 * The rows of large tables, as they were at the switch; clients have gone on. What is not counted now is not shown later: that
 * is said, and no reason to fail.
 */
int step_count(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const StepRecord *begin = records_of(cutover->road, cutover->records, "begin");
    size_t left = 0;
    if (cutover->counting == NULL) {
        cutover_note(cutover, "nothing to count");
        return 0;
    }
    Error failure = {.code = ERROR_NONE};
    int status = unwritten_count(cutover->counting, begin != NULL ? begin->detail : NULL,
                                 (int)(COUNT_LIMIT_S * 1000), detail, &left, &failure);
    database_close(cutover->counting);
    cutover->counting = NULL;
    if (status != 0 && failure.code == ERROR_INTERRUPTED) {
        *error = failure;
        return -1;
    }
    size_t counted = json_object_size(json_object_get(detail, "counted"));
    cutover_note(cutover, "%zu large table%s counted%s", counted, counted == 1 ? "" : "s",
                 left > 0 ? ", not all" : "");
    if (left > 0) {
        cutover_warn(cutover,
                     "of %zu large table%s a rollback will not know whether anything was written to it: %s",
                     left, left == 1 ? "" : "s",
                     status != 0 ? failure.message : "there was no time to count their rows");
    }
    return 0;
}

/*
 * From this slot on the source's changes go to the target again. Not where something could not come back: the sides differ
 * there, and only a new copy makes them equal.
 */
int step_stream(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Limits limits;
    (void)detail;
    /* Also of tables that were made anew: in the hold these are looked for again only when something was defined since. */
    if (losses_check_limits(cutover, true, &limits, error) != 0) {
        return -1;
    }
    if (*limits.inserts != '\0' || *limits.nothing != '\0') {
        cutover_note(cutover, "not everything comes back: another cutover needs a new copy");
        return 0;
    }
    return make_watched(cutover, DATABASE_SOURCE, reverse_make_forward, error);
}

int step_drop_stream(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_end_forward(cutover->source, &cutover->migration, END_STREAM_LIMIT_MS, error);
}

int step_move_stream(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Lsn begins;
    if (reverse_forward_begins(cutover->source, &cutover->migration, &begins, error) != 0) {
        return -1;
    }
    if (begins == LSN_INVALID) {
        return 0; /* there is no slot: nobody will be able to follow again */
    }
    Database *mover = NULL;
    if (open_mover(cutover, DATABASE_SOURCE, &mover, error) != 0) {
        return -1;
    }
    int status = reverse_move_forward(mover, &cutover->migration, &begins, error);
    database_close(mover);
    if (status == 0) {
        keep_begin(begins, detail);
    }
    return status;
}

/* --- subscription --- */

int step_subscribe(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return without_way_back(cutover)
               ? 0
               : reverse_subscribe(cutover->source, cutover->target, &cutover->migration,
                                   cutover->reverse_conninfo, error);
}

int step_unsubscribe(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_unsubscribe(cutover->source, &cutover->migration, error);
}

/* The source has died: what is left to be done on it, should it come back. */
static void advise_enable(Cutover *cutover)
{
    const char *slot = cutover->migration.slot_name;
    cutover_note(cutover, "the source does not answer: there is no way back for now");
    snprintf(cutover->unproven, sizeof cutover->unproven,
             "the source did not answer. When it is there again, on it: SET default_transaction_read_only = "
             "off; SELECT "
             "pg_drop_replication_slot('%.63s'); ALTER "
             "SUBSCRIPTION penstock_reverse_%.46s ENABLE",
             slot, slot + sizeof "penstock_" - 1);
}

/* With no worker left on the source, it will not stream however long one waits. */
static int check_worker(Cutover *cutover, Error *error)
{
    char *why = NULL, *fix = NULL;
    if (reverse_no_worker(cutover->source, &cutover->migration, &why, &fix, error) != 0) {
        return -1;
    }
    int status = 0;
    if (why != NULL) {
        status = error_set(error, ERROR_STATE, "the subscription on the source does not stream: %s", why);
        error_hint(error,
                   "On the source: %s and start it again, or end the one that can be spared; then penstock "
                   "cutover --resume. The target keeps what is written for it meanwhile.",
                   fix);
    }
    free(why);
    free(fix);
    return status;
}

static int wait_for_stream(Cutover *cutover, Error *error)
{
    int64_t end = clock_ms() + (int64_t)(STREAMS_LIMIT_S * 1000);
    for (bool streams = false; !streams;) {
        if (reverse_streams(cutover->target, &cutover->migration, LOOK_FOR_WORKER_MS, &streams, error) != 0 ||
            (!streams && check_worker(cutover, error) != 0)) {
            return -1;
        }
        if (!streams && clock_ms() >= end) {
            error_set(error, ERROR_LIMIT, "the subscription on the source does not stream after %g s",
                      STREAMS_LIMIT_S);
            return error_hint(
                error, "The log of the source says why. The target keeps what is written for it meanwhile.");
        }
    }
    return 0;
}

/*
 * What comes back from the side that clients went to would be sent there once more, over newer rows, if the stream that leads
 * there went on: so that ends first.
 */
int step_streams(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const Migration *migration = &cutover->migration;
    if (!cutover_source_answers(cutover)) {
        advise_enable(cutover);
        return 0;
    }
    if (reverse_end_forward(cutover->source, migration, END_STREAM_LIMIT_MS, error) != 0) {
        return -1;
    }
    if (cutover->options->no_reverse) {
        cutover_note(cutover, "there is no way back (--no-reverse)");
        return 0;
    }
    return older_note(cutover, detail, error) == 0 && reverse_enable(cutover->source, migration, error) == 0
               ? wait_for_stream(cutover, error)
               : -1;
}

/* --- by hand --- */

void advise_unpublish(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    const char *name = cutover->migration.slot_name + sizeof "penstock_" - 1;
    (void)detail;
    snprintf(out, size,
             "on the target: DROP PUBLICATION IF EXISTS penstock_reverse_%.46s, penstock_inserts_%.46s", name,
             name);
}

void advise_drop_slot(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    (void)detail;
    snprintf(out, size, "on the target: SELECT pg_drop_replication_slot('penstock_reverse_%.46s')",
             cutover->migration.slot_name + sizeof "penstock_" - 1);
}

void advise_drop_stream(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    (void)detail;
    snprintf(out, size, "on the source: SELECT pg_drop_replication_slot('%.63s')",
             cutover->migration.slot_name);
}

/*
 * What comes to the target again from the source, to which clients go, would come back over newer rows, if the stream that leads
 * here went on. So it stands still before they write; it is taken away behind the release, when it is not needed to go back.
 */
int step_still(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_stand(cutover->source, &cutover->migration, true, error);
}

int step_flow(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_stand(cutover->source, &cutover->migration, false, error);
}

void advise_flow(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    (void)detail;
    snprintf(out, size, "on the source: ALTER SUBSCRIPTION penstock_reverse_%.46s ENABLE",
             cutover->migration.slot_name + sizeof "penstock_" - 1);
}

void advise_unsubscribe(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    const char *name = cutover->migration.slot_name + sizeof "penstock_" - 1;
    (void)detail;
    snprintf(out, size,
             "on the source: ALTER SUBSCRIPTION penstock_reverse_%.46s DISABLE; ALTER SUBSCRIPTION "
             "penstock_reverse_%.46s SET "
             "(slot_name = NONE); DROP SUBSCRIPTION penstock_reverse_%.46s",
             name, name, name);
}
