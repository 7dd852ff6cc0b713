/*
 * One mutex guards the two lists and the wish to stop; it is not held while the target is asked.
 *
 *     asked ──► the thread: ask ──► answered
 *                 ▲      │ 55P03 (someone has a lock), 57014 (someone cancelled it)
 *                 └──────┘
 *
 * The session's settings price out reading whole catalogs (lookup.c says how the query goes by indexes): with 100,000 tables
 * that takes longer than everything else, for each set that is asked for. Planning takes most of what is left, so each statement
 * is planned once (plan_cache_mode is there from 12 on): what it is planned for is always the same, the way by indexes.
 * client_connection_check_interval lets the server notice within two seconds that a waiting session's client has cut the
 * connection (tcop/postgres.c, from 14 on).
 */
#include "resolver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "create.h"
#include "database.h"
#include "identity.h"
#include "left_behind.h"
#include "state.h"

#define LOOK_AGAIN_MS 20
#define SAY_AGAIN_MS 30000

struct Resolver {
    ResolverOptions options;
    Database *target;
    int socket; /* a descriptor of our own for libpq's, which libpq may close at any time */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
    bool asking;
    Question *asked; /* the oldest first */
    Question *answered;
};

static const char settings[] = "SET lock_timeout = '30s'; "
                               "SET client_connection_check_interval = '2s'; "
                               "SET jit = 'off'; "
                               "SET enable_seqscan = 'off'; "
                               "SET enable_mergejoin = 'off'; "
                               "SET max_parallel_workers_per_gather = 0; "
                               "SELECT set_config('plan_cache_mode', 'force_generic_plan', false) FROM "
                               "pg_settings WHERE name = 'plan_cache_mode'";

Question *question_new(QuestionKind kind, size_t count)
{
    Question *question = calloc(1, sizeof *question);
    if (question == NULL || (question->sources = calloc(count + 1, sizeof *question->sources)) == NULL ||
        (question->answers = calloc(count + 1, sizeof *question->answers)) == NULL) {
        abort();
    }
    question->kind = kind;
    question->count = count;
    return question;
}

void question_free(Question *question)
{
    if (question != NULL) {
        answers_clear(question->answers, question->count);
        free(question->answers);
        text_free(&question->jobs);
        snapshot_free(&question->bound.snapshot);
        snapshot_free(&question->point.snapshot);
        free(question->sources);
        free(question);
    }
}

static void append(Question **list, Question *question)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = question;
    question->next = NULL;
}

static Question *take(Question **list)
{
    Question *question = *list;
    if (question != NULL) {
        *list = question->next;
        question->next = NULL;
    }
    return question;
}

static void free_all(Question **list)
{
    for (Question *question = take(list); question != NULL; question = take(list)) {
        question_free(question);
    }
}

/* The thread. */

static bool stopping(Resolver *resolver);

/* One look: whether the transaction is seen there by now, and the table. One statement, so one snapshot. */
static int look_once(Database *source, const Question *question, bool *seen, bool *there, Error *error)
{
    char oid[16];
    PGresult *row = NULL;
    Snapshot snapshot;
    snprintf(oid, sizeof oid, "%u", question->sources[0]->id);
    if (database_query(
            source, &row, error,
            "SELECT pg_catalog.txid_current_snapshot(), (SELECT 1 FROM pg_catalog.pg_class WHERE oid "
            "OPERATOR(pg_catalog.=) $1::pg_catalog.oid)",
            1, oid) != 0) {
        return -1;
    }
    int status = snapshot_parse(PQgetvalue(row, 0, 0), UINT64_MAX, &snapshot, error);
    if (status == 0) {
        *seen = snapshot_sees(&snapshot, question->xid, LSN_INVALID);
        *there = !PQgetisnull(row, 0, 1);
        snapshot_free(&snapshot);
    }
    PQclear(row);
    return status;
}

/*
 * A commit is in the WAL, and may have come to us, before others see what it did: that takes a moment on a machine with much
 * to do, and until the answer of a synchronous standby (access/transam/xact.c). A table that is not seen by then has not gone.
 */
static int wait_until_seen(Resolver *resolver, Database *source, const Question *question, bool *there,
                           Error *error)
{
    bool seen = false;
    char lsn[LSN_TEXT_SIZE];
    int64_t began = clock_ms(), said = began;
    while (!seen) {
        if (look_once(source, question, &seen, there, error) != 0) {
            return -1;
        }
        if (seen || *there) {
            return 0;
        }
        if (stopping(resolver)) {
            return error_set(error, ERROR_INTERRUPTED,
                             "stopped while waiting for transaction %u to be seen at the source",
                             question->xid);
        }
        if (clock_ms() - said > SAY_AGAIN_MS) {
            said = clock_ms();
            log_line(
                resolver->options.log, LOG_WARNING,
                "transaction %u, at %s, is in the WAL of the source and not seen there yet, for %.0f s: as a "
                "rule it waits for a synchronous standby; table %s.%s waits for that",
                question->xid, lsn_format(question->commit_lsn, lsn), (double)(said - began) / 1000,
                question->sources[0]->schema, question->sources[0]->name);
        }
        clock_pause_ms(LOOK_AGAIN_MS);
    }
    return 0;
}

/* One that is dropped while it is judged is looked for again: of what is not there nothing can be said but that it has gone. */
static int look_at_source(Resolver *resolver, Database *source, Question *question, Error *error)
{
    char oid[16];
    bool there = false, seen;
    snprintf(oid, sizeof oid, "%u", question->sources[0]->id);
    question->stays_behind = false;
    int status = wait_until_seen(resolver, source, question, &there, error);
    if (status == 0 && there) {
        status = left_behind_judge(source, resolver->target, resolver->options.migration, oid,
                                   &question->stays_behind, error);
        if (status == 0 && !question->stays_behind) {
            status = look_once(source, question, &seen, &there, error);
        }
    }
    question->noted = !there;
    return status;
}

/* Over a connection of its own, which ends with the question: that is rare. Names come in the source's encoding on both sides. */
static int ask_source(Resolver *resolver, Question *question, Error *error)
{
    Database *source;
    const SourceRelation *relation = question->sources[0];
    if (database_connect(resolver->options.source, DATABASE_SOURCE, "applier resolver", &source, error) !=
        0) {
        return -1;
    }
    int status = PQsetClientEncoding(database_connection(source), resolver->options.encoding) == 0
                     ? look_at_source(resolver, source, question, error)
                     : database_error(source, NULL, error);
    database_close(source);
    return status == 0 ? 0
                       : error_context(error, "looking for table %s.%s at the source", relation->schema,
                                       relation->name);
}

static int move_point(Resolver *resolver, Question *question, Error *error)
{
    const StreamPoint *point = &question->point;
    const PointNote note = {.held_ms = point->held_ms,
                            .reason = question->reason[0] != '\0' ? question->reason : NULL};
    return state_point_move(resolver->target, resolver->options.migration, point->number, point->state,
                            question->point_to, &note, &question->noted, error);
}

static int ask_target(Resolver *resolver, Question *question, Error *error)
{
    const ResolverOptions *options = &resolver->options;
    const SourceRelation *first = question->sources[0];
    switch (question->kind) {
    case ASK_RELATIONS:
    case ASK_SETTLED:
        answers_clear(question->answers, question->count);
        return look_at_relations(resolver->target, options->types, options->lossy, options->migration,
                                 question->kind == ASK_SETTLED, question->sources, question->count,
                                 question->answers, error);
    case NOTE_RECOPY:
        return state_mark_recopy(resolver->target, options->migration, first->schema, first->name,
                                 question->lsn, question->reason, &question->noted, error);
    case ASK_BOUND:
        snapshot_free(&question->bound.snapshot);
        return state_load_bound(resolver->target, options->migration, &question->bound, error);
    case NOTE_REACHED:
        return state_note_reached(resolver->target, options->migration, question->snapshot, error);
    case NOTE_PARTS:
        return state_recopy_parts(resolver->target, options->migration, question->jobs.data, error);
    case NOTE_TABLE:
        return state_recopy_table(resolver->target, options->migration, question->table, error);
    case NOTE_REPLACED:
        return identity_note_replaced(resolver->target, options->migration, first, question->commit_lsn,
                                      error);
    case ASK_GONE:
        return ask_source(resolver, question, error);
    case NOTE_CREATED:
        return create_table(resolver->target, options->migration, first, question->commit_lsn, error);
    case NOTE_UNKNOWN:
        return state_note_unknown(resolver->target, options->migration, first->schema, first->name, first->id,
                                  question->commit_lsn, error);
    case ASK_POINT:
        snapshot_free(&question->point.snapshot);
        return state_point_read(resolver->target, options->migration, &question->point, error);
    case MOVE_POINT:
        return move_point(resolver, question, error);
    }
    return 0;
}

static bool stopping(Resolver *resolver)
{
    pthread_mutex_lock(&resolver->mutex);
    bool stop = resolver->stopping;
    pthread_mutex_unlock(&resolver->mutex);
    return stop;
}

static bool passes(const Error *error)
{
    return strcmp(error->sqlstate, "55P03") == 0 || strcmp(error->sqlstate, "57014") == 0;
}

static void answer(Resolver *resolver, Question *question)
{
    while (ask_target(resolver, question, &question->error) != 0) {
        if (!passes(&question->error) || stopping(resolver)) {
            return;
        }
        log_handled(resolver->options.log, &question->error, "asking again");
    }
    question->error.code = ERROR_NONE;
}

static void *run(void *argument)
{
    Resolver *resolver = argument;
    pthread_mutex_lock(&resolver->mutex);
    while (!resolver->stopping) {
        Question *question = take(&resolver->asked);
        if (question == NULL) {
            pthread_cond_wait(&resolver->wake, &resolver->mutex);
            continue;
        }
        resolver->asking = true;
        pthread_mutex_unlock(&resolver->mutex);
        answer(resolver, question);
        pthread_mutex_lock(&resolver->mutex);
        resolver->asking = false;
        append(&resolver->answered, question);
        resolver->options.wake(resolver->options.context);
    }
    pthread_mutex_unlock(&resolver->mutex);
    return NULL;
}

/* Everyone else. */

static void resolver_free(Resolver *resolver)
{
    if (resolver->socket >= 0) {
        close(resolver->socket);
    }
    free_all(&resolver->asked);
    free_all(&resolver->answered);
    database_close(resolver->target);
    pthread_cond_destroy(&resolver->wake);
    pthread_mutex_destroy(&resolver->mutex);
    free(resolver);
}

static int connect_target(Resolver *resolver, Error *error)
{
    const ResolverOptions *options = &resolver->options;
    if (database_connect(options->target, DATABASE_TARGET, "applier resolver", &resolver->target, error) !=
        0) {
        return -1;
    }
    PGconn *connection = database_connection(resolver->target);
    if (PQsetClientEncoding(connection, options->encoding) != 0) {
        database_error(resolver->target, NULL, error);
        return error_context(error, "client_encoding %s", options->encoding);
    }
    resolver->socket = dup(PQsocket(connection));
    if (state_lock_worker(resolver->target, options->migration, error) != 0) {
        return -1;
    }
    return database_execute(resolver->target, error, settings, 0);
}

int resolver_start(const ResolverOptions *options, Resolver **out, Error *error)
{
    *out = NULL;
    Resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for the resolver");
    }
    resolver->options = *options;
    resolver->socket = -1;
    pthread_mutex_init(&resolver->mutex, NULL);
    pthread_cond_init(&resolver->wake, NULL);
    if (connect_target(resolver, error) != 0) {
        resolver_free(resolver);
        return -1;
    }
    if (pthread_create(&resolver->thread, NULL, run, resolver) != 0) {
        resolver_free(resolver);
        return error_set(error, ERROR_SYSTEM, "cannot start the resolver's thread");
    }
    *out = resolver;
    return 0;
}

void resolver_ask(Resolver *resolver, Question *question)
{
    pthread_mutex_lock(&resolver->mutex);
    append(&resolver->asked, question);
    pthread_cond_signal(&resolver->wake);
    pthread_mutex_unlock(&resolver->mutex);
}

Question *resolver_collect(Resolver *resolver)
{
    pthread_mutex_lock(&resolver->mutex);
    Question *question = take(&resolver->answered);
    pthread_mutex_unlock(&resolver->mutex);
    return question;
}

bool resolver_busy(Resolver *resolver)
{
    pthread_mutex_lock(&resolver->mutex);
    bool busy = resolver->asking || resolver->asked != NULL;
    pthread_mutex_unlock(&resolver->mutex);
    return busy;
}

void resolver_stop(Resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    pthread_mutex_lock(&resolver->mutex);
    resolver->stopping = true;
    pthread_cond_signal(&resolver->wake);
    if (resolver->asking) {
        shutdown(resolver->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&resolver->mutex);
    pthread_join(resolver->thread, NULL);
    resolver_free(resolver);
}
