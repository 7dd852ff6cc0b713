/*
 *     BEGIN ─► what was decided? ─► decide ─┬► run, leave out, skip ─► written down ─► lanes ─► COMMIT
 *                                           │     │ the target refuses it
 *                                           ▼     ▼
 *                                          ROLLBACK ─► "waiting" is written down ─► the error that ends the applier
 *
 * When the applier dies before the COMMIT, nothing has happened; behind it, the lanes say that it has. A statement that fails for a
 * reason that passes is an error like that of any batch: the run ends, and the next one begins at the same place.
 */
#include "definer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "left_behind.h"
#include "lane_move.h"
#include "query.h"
#include "run.h"
#include "state.h"

#define SHOWN 300 /* bytes of a statement in a message */

struct Definer {
    DefinerOptions options;
    pthread_mutex_t lock; /* guards socket */
    int socket;           /* a descriptor of our own for libpq's; -1: none */
    Database *target;
    char *token;
    Snapshot dumped;
    bool has_dumped;
};

Definer *definer_new(const DefinerOptions *options)
{
    Definer *definer = calloc(1, sizeof *definer);
    if (definer == NULL) {
        abort();
    }
    definer->options = *options;
    definer->socket = -1;
    pthread_mutex_init(&definer->lock, NULL);
    return definer;
}

static void set_socket(Definer *definer, int socket)
{
    pthread_mutex_lock(&definer->lock);
    if (definer->socket >= 0) {
        close(definer->socket);
    }
    definer->socket = socket;
    pthread_mutex_unlock(&definer->lock);
}

void definer_free(Definer *definer)
{
    if (definer == NULL) {
        return;
    }
    set_socket(definer, -1);
    database_close(definer->target);
    free(definer->token);
    snapshot_free(&definer->dumped);
    pthread_mutex_destroy(&definer->lock);
    free(definer);
}

void definer_cut(Definer *definer)
{
    pthread_mutex_lock(&definer->lock);
    if (definer->socket >= 0) {
        shutdown(definer->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&definer->lock);
}

static int read_key(Definer *definer, Error *error)
{
    char *seen = NULL;
    int status = state_ddl_key(definer->target, definer->options.migration, &definer->token, &seen, error);
    if (status == 0 && seen != NULL) {
        status = snapshot_parse(seen, UINT64_MAX, &definer->dumped, error);
        definer->has_dumped = status == 0;
    }
    free(seen);
    return status;
}

static int connect_target(Definer *definer, Error *error)
{
    if (definer->target != NULL) {
        return 0;
    }
    if (database_connect(definer->options.target, DATABASE_TARGET, "applier ddl", &definer->target, error) !=
        0) {
        definer->target = NULL;
        return -1;
    }
    set_socket(definer, dup(PQsocket(database_connection(definer->target))));
    if (state_lock_worker(definer->target, definer->options.migration, error) != 0 ||
        read_key(definer, error) != 0 ||
        database_execute(
            definer->target, error,
            "SET session_replication_role = replica; SET client_connection_check_interval = '2s'", 0) != 0) {
        set_socket(definer, -1);
        database_close(definer->target);
        definer->target = NULL;
        return -1;
    }
    return 0;
}

/* Whether the source's event triggers have written it: sha256 of the key and sha256 of the key and the rest. */
static int check_seal(Definer *definer, const DdlMessage *message, bool *sealed, Error *error)
{
    *sealed = false;
    if (message->seal == NULL || definer->token == NULL) {
        return 0;
    }
    Text body = {0};
    char seal[DDL_SEAL + 1];
    snprintf(seal, sizeof seal, "%.*s", DDL_SEAL, message->seal);
    text_append(&body, "\\x");
    for (size_t i = 0; i < message->body.size; i++) {
        text_printf(&body, "%02x", message->body.data[i]);
    }
    int status = database_found(
        definer->target, sealed, error,
        "SELECT 1 FROM (SELECT decode($1, 'hex') AS k) t WHERE encode(sha256(byteacat(k, sha256(byteacat(k, "
        "$2::bytea)))), 'hex') = $3",
        3, definer->token, body.data, seal);
    text_free(&body);
    return status;
}

/* Moves the batch's lanes, as a worker does. */
static int move_lanes(Definer *definer, const Batch *batch, Error *error)
{
    PGresult *result = NULL;
    LaneMove move;
    lane_move_write(batch, definer->options.migration, definer->options.epoch, &move);
    const Query query = {.sql = state_lane_update_sql(), .values = move.values, .count = LANE_MOVE_VALUES};
    int status = query_run(definer->target, &query, &result, error);
    if (status == 0 && strtol(PQcmdTuples(result), NULL, 10) != batch->lane_count) {
        status = state_lanes_lost(error);
    }
    PQclear(result);
    lane_move_free(&move);
    return status;
}

/* One statement on its way. */
typedef struct Definition {
    Definer *definer;
    const Batch *batch;
    DdlPlace place;
    DdlMessage message;
    DdlDecided decided;
    DdlPlan plan;
    DdlRan ran;
    Error unreadable; /* why the message cannot be read; else its code is ERROR_NONE */
    double milliseconds;
} Definition;

/* Options of a user mapping are passwords, as a rule, which are neither written down nor shown. */
static const char *written(const Definition *definition)
{
    if (strstr(definition->message.tag, "USER MAPPING") != NULL) {
        return "(not shown: its options may be secret)";
    }
    const Text *text = &definition->plan.statement.text;
    return text->data != NULL                     ? text->data
           : definition->message.query[0] != '\0' ? definition->message.query
                                                  : NULL;
}

static int record(Definition *definition, const char *state, const char *reason, int64_t *id, Error *error)
{
    const DdlMessage *message = &definition->message;
    const DdlRecord row = {.place = definition->place,
                           .at = message->at,
                           .role = message->role[0] != '\0' ? message->role : NULL,
                           .tag = message->tag,
                           .statement = written(definition),
                           .state = state,
                           .reason = reason,
                           .ran = definition->ran.ran.data,
                           .milliseconds = definition->milliseconds};
    return state_ddl_record(definition->definer->target, &row, id, error);
}

static int look_and_decide(Definition *definition, Error *error)
{
    Definer *definer = definition->definer;
    DdlKnown known = {.dumped = definer->has_dumped ? &definer->dumped : NULL,
                      .decided = &definition->decided};
    if (state_ddl_decided(definer->target, &definition->place, &definition->decided, error) != 0 ||
        check_seal(definer, &definition->message, &known.sealed, error) != 0) {
        return -1;
    }
    ddl_decide(&definition->message, &known, &definition->plan);
    if (definition->unreadable.code != ERROR_NONE && definition->plan.action == DO_ASK) {
        snprintf(definition->plan.reason, sizeof definition->plan.reason, "%s",
                 definition->unreadable.message);
    }
    return 0;
}

/* What is about tables alone that are not on the target (copy --exclude), or drops what the copy has yet to make, runs nothing. */
static int look_what_is_there(Definition *definition, Error *error)
{
    bool stays = false, unmade = false;
    DdlPlan *plan = &definition->plan;
    Database *target = definition->definer->target;
    const char *migration = definition->place.migration;
    if (plan->action != DO_RUN || plan->edited) {
        return 0;
    }
    char *tables = ddl_message_part(&definition->message, "tables");
    char *dropped = ddl_message_part(&definition->message, "dropped");
    int status = tables != NULL && ddl_makes_tables(&definition->message)
                     ? left_behind_judge_made(target, migration, tables, error)
                     : 0;
    if (status == 0) {
        status = state_ddl_stays_behind(target, migration, tables, dropped, &stays, error);
    }
    if (status == 0 && !stays && ddl_only_drops(plan->statement.node)) {
        status = state_ddl_is_unmade(target, migration, dropped, &unmade, error);
    }
    if (status == 0 && unmade) {
        status = state_ddl_tables(target, &definition->place, NULL, dropped, false, error);
    }
    free(tables);
    free(dropped);
    if (stays || unmade) {
        plan->action = DO_LEAVE_OUT;
        snprintf(plan->reason, sizeof plan->reason, "%s",
                 stays ? "it is about what stays behind" : "the copy has not made it yet, and will not");
    }
    return status;
}

/* Does what was decided, up to the COMMIT. refused: the target did not take the statement, as error says. */
static int carry_out(Definition *definition, bool *refused, Error *error)
{
    static const char *const states[] = {
        [DO_RUN] = "applied", [DO_LEAVE_OUT] = "left out", [DO_SKIP] = "skipped"};
    Definer *definer = definition->definer;
    DdlPlan *plan = &definition->plan;
    Text beside = {0};
    int64_t id = 0;
    int status = 0;
    double began = clock_seconds();
    if (plan->action == DO_RUN) {
        status =
            ddl_run(definer->target, &definition->place, &definition->message, plan, &definition->ran, error);
        *refused = status != 0 && !error_is_retryable(error);
        definition->milliseconds = (clock_seconds() - began) * 1000;
    }
    if (definition->ran.recopied.size > 0) {
        text_printf(&beside, "to be copied anew: %s", definition->ran.recopied.data);
    }
    if (status == 0) {
        status = record(definition, states[plan->action],
                        beside.data != NULL       ? beside.data
                        : plan->reason[0] != '\0' ? plan->reason
                                                  : NULL,
                        &id, error);
    }
    if (status == 0) {
        status = move_lanes(definer, definition->batch, error);
    }
    if (status == 0 && beside.size > 0) {
        log_line(definer->options.log, LOG_WARNING,
                 "DDL %lld (%s): %s; penstock copy does that while penstock follow is stopped", (long long)id,
                 definition->message.tag, beside.data);
    }
    text_free(&beside);
    return status;
}

/* The applier stops here. Written down in a transaction of its own. */
static int stop_and_ask(Definition *definition, const Error *refusal, Error *error)
{
    char reason[sizeof refusal->message + 32], lsn[LSN_TEXT_SIZE];
    int64_t id = 0;
    if (refusal != NULL) {
        snprintf(reason, sizeof reason, "the target refuses it: %.900s", refusal->message);
    } else {
        snprintf(reason, sizeof reason, "%s", definition->plan.reason);
    }
    if (record(definition, "waiting", reason, &id, error) != 0) {
        return -1;
    }
    const char *statement = written(definition);
    error_set(
        error, ERROR_STATE,
        "DDL %lld, %s in transaction %s, number %llu of it, was not applied: %.400s. The statement: %.*s",
        (long long)id,
        definition->message.tag[0] != '\0' ? definition->message.tag : "of a kind that is not told",
        lsn_format(definition->place.commit_lsn, lsn), (unsigned long long)definition->place.sequence, reason,
        SHOWN, statement != NULL ? statement : "(not known)");
    error->lsn = definition->place.commit_lsn;
    return error_hint(error,
                      "Decide, and start penstock follow again: penstock ddl apply %lld (as it is, once what "
                      "is in its way is away), "
                      "penstock ddl edit %lld --statement SQL, or penstock ddl skip %lld.%s%s",
                      (long long)id, (long long)id, (long long)id,
                      refusal != NULL && refusal->hint[0] != '\0' ? " " : "",
                      refusal != NULL ? refusal->hint : "");
}

static int define(Definition *definition, Error *error)
{
    Definer *definer = definition->definer;
    bool refused = false;
    Error refusal, ignored;
    if (connect_target(definer, error) != 0 || database_execute(definer->target, error, "BEGIN", 0) != 0 ||
        look_and_decide(definition, error) != 0 || look_what_is_there(definition, error) != 0) {
        return -1;
    }
    if (definition->plan.action != DO_ASK) {
        if (carry_out(definition, &refused, error) == 0) {
            return database_execute(definer->target, error, "COMMIT", 0);
        }
        if (!refused) {
            return -1;
        }
        refusal = *error;
    }
    return database_execute(definer->target, &ignored, "ROLLBACK", 0) == 0
               ? stop_and_ask(definition, refused ? &refusal : NULL, error)
               : (*error = ignored, -1);
}

int definer_run(Definer *definer, const Batch *batch, Error *error)
{
    Definition definition = {
        .definer = definer,
        .batch = batch,
        .place = {definer->options.migration, batch->last.commit_lsn, batch->last.sequence}};
    if (ddl_message_read(batch->definition->content, &definition.message, &definition.unreadable) == 0) {
        definition.unreadable.code = ERROR_NONE;
    }
    int status = define(&definition, error);
    if (status != 0) {
        /* Whatever was open ends with the connection; the next run makes another. */
        set_socket(definer, -1);
        database_close(definer->target);
        definer->target = NULL;
        free(definer->token);
        definer->token = NULL;
    }
    ddl_message_free(&definition.message);
    ddl_plan_free(&definition.plan);
    ddl_ran_free(&definition.ran);
    free(definition.decided.edited);
    return status;
}
