/*
 * The connection is in pipeline mode, except for what that cannot carry. libpq sends when its buffer is full and
 * reads whenever sending would block, so that a long queue on a blocking connection cannot lock up against a
 * server that waits for us to read.
 *
 * What is prepared under which name is statement_cache.c's matter.
 *
 * Plans are generic, and scans and joins that would read a whole table are priced out: a statement that finds
 * rows by key must walk the index whatever the planner thinks of the table's size at the time it plans. A
 * table without such an index is still read whole, because there is nothing else.
 */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane_move.h"
#include "state.h"
#include "statement_cache.h"

#define MAX_STATEMENTS 2000 /* prepared from one round trip to the next */
#define MAX_COLUMNS 1664
#define LANE_STATEMENT "penstock_lanes"

/* A command whose result is to come. */
typedef struct Sent {
    bool *confirms; /* it is the Parse of a statement: set when it went through */
    bool counted;
    uint64_t expected;
    const ApplyRelation *relation;
    const Change *change;
} Sent;

struct Session {
    Database *database;
    PGconn *connection;
    int socket; /* a descriptor of our own for libpq's socket, which libpq may close at any time */
    StatementCache *statements;
    uint64_t *written; /* tables, a bit for each serial number */
    size_t written_words;
    size_t tables;
    uint64_t executed;
    bool lanes_prepared;
    int formats[2 * MAX_COLUMNS]; /* all 1: binary */

    Sent *sent;
    size_t sent_count;
    size_t sent_capacity;
    bool refused; /* libpq itself refused a command: refusal says why */
    Error refusal;
};

static int make_settings(Session *session, const char *encoding, Error *error)
{
    if (PQsetClientEncoding(session->connection, encoding) != 0) {
        database_error(session->database, NULL, error);
        return error_context(error, "client_encoding %s", encoding);
    }
    if (database_execute(session->database, error, "SET session_replication_role = 'replica'", 0) != 0) {
        if (strcmp(error->sqlstate, "42501") == 0) {
            error_hint(error, "the applier must be allowed to set session_replication_role on the target: "
                              "connect as a superuser, or as what stands for one with your provider");
        }
        return error_context(error, "making the session's settings");
    }
    /* Last: from here on the database's functions find what they look for, and our statements name the schema of each thing. */
    return database_execute(session->database, error, "SET search_path TO DEFAULT", 0);
}

int session_open(const char *target, const char *migration, const char *encoding, int index, Session **out,
                 Error *error)
{
    Session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a session");
    }
    session->socket = -1;
    session->statements = cache_new(MAX_STATEMENTS);
    char purpose[32];
    snprintf(purpose, sizeof purpose, "worker %d", index);
    for (size_t i = 0; i < sizeof session->formats / sizeof *session->formats; i++) {
        session->formats[i] = 1;
    }
    if (database_connect_as(SESSION_APPLIES, target, DATABASE_TARGET, purpose, &session->database, error) !=
        0) {
        session_close(session);
        return -1;
    }
    session->connection = database_connection(session->database);
    if (state_lock_worker(session->database, migration, error) != 0 ||
        make_settings(session, encoding, error) != 0) {
        session_close(session);
        return -1;
    }
    session->socket = dup(PQsocket(session->connection));
    if (session->socket < 0 || PQenterPipelineMode(session->connection) != 1) {
        database_error(session->database, NULL, error);
        session_close(session);
        return -1;
    }
    *out = session;
    return 0;
}

void session_close(Session *session)
{
    if (session == NULL) {
        return;
    }
    cache_free(session->statements);
    free(session->written);
    if (session->socket >= 0) {
        close(session->socket);
    }
    if (session->database != NULL) {
        database_close(session->database);
    }
    free(session->sent);
    free(session);
}

void session_cut(Session *session)
{
    shutdown(session->socket, SHUT_RDWR);
}

uint64_t session_statements(const Session *session)
{
    return session->executed;
}

/* Notes a command that libpq took, or that it did not. */
static void note_sent(Session *session, int taken, Sent sent)
{
    if (taken != 1) {
        if (!session->refused) {
            session->refused = true;
            database_error(session->database, NULL, &session->refusal);
        }
        return;
    }
    if (session->sent_count == session->sent_capacity) {
        session->sent_capacity = session->sent_capacity == 0 ? 256 : session->sent_capacity * 2;
        session->sent = reallocarray(session->sent, session->sent_capacity, sizeof(*session->sent));
        if (session->sent == NULL) {
            fputs("penstock: out of memory\n", stderr);
            abort();
        }
    }
    session->sent[session->sent_count++] = sent;
}

void session_command(Session *session, const char *sql)
{
    cache_interrupt(session->statements);
    note_sent(session, PQsendQueryParams(session->connection, sql, 0, NULL, NULL, NULL, NULL, 0), (Sent){0});
}

void session_command_with(Session *session, const char *sql, int count, const Oid *types,
                          const char *const *values, const int *lengths)
{
    cache_interrupt(session->statements);
    int taken =
        PQsendQueryParams(session->connection, sql, count, types, values, lengths, session->formats, 0);
    note_sent(session, taken, (Sent){.counted = true, .expected = 1});
}

/* Queues the Parse of a statement. */
static void prepare(Session *session, const ApplyRelation *relation, const Shape *shape, const Change *change,
                    const CachedStatement *statement)
{
    Oid types[2 * MAX_COLUMNS];
    statement_parameter_types(relation, shape, types);
    char *sql = statement_sql(relation, shape);
    int count = statement_parameter_count(relation, shape);
    note_sent(session, PQsendPrepare(session->connection, statement->name, sql, count, types),
              (Sent){.confirms = statement->confirmed, .relation = relation, .change = change});
    free(sql);
}

/* The table is written to. */
static void note_table(Session *session, const ApplyRelation *relation)
{
    size_t word = relation->serial / 64;
    uint64_t bit = UINT64_C(1) << relation->serial % 64;
    if (word >= session->written_words) {
        size_t words = word * 2 + 16;
        session->written = reallocarray(session->written, words, sizeof *session->written);
        if (session->written == NULL) {
            fputs("penstock: out of memory\n", stderr);
            abort();
        }
        memset(session->written + session->written_words, 0,
               (words - session->written_words) * sizeof *session->written);
        session->written_words = words;
    }
    session->tables += (session->written[word] & bit) == 0;
    session->written[word] |= bit;
}

size_t session_tables(const Session *session)
{
    return session->tables;
}

void session_execute(Session *session, const ApplyRelation *relation, const Shape *shape,
                     const char *const *values, const int *lengths, uint64_t expected, const Change *change)
{
    CachedStatement statement = cache_use(session->statements, relation, shape);
    note_table(session, relation);
    if (statement.fresh) {
        prepare(session, relation, shape, change, &statement);
    }
    int taken =
        PQsendQueryPrepared(session->connection, statement.name, statement_parameter_count(relation, shape),
                            values, lengths, session->formats, 1);
    note_sent(session, taken,
              (Sent){.counted = true, .expected = expected, .relation = relation, .change = change});
    session->executed += !statement.again;
}

void session_lanes(Session *session, const char *migration, int64_t epoch, const Batch *batch)
{
    if (batch->lane_count == 0) {
        return;
    }
    if (!session->lanes_prepared) {
        note_sent(session,
                  PQsendPrepare(session->connection, LANE_STATEMENT, state_lane_update_sql(), 0, NULL),
                  (Sent){.confirms = &session->lanes_prepared});
    }
    LaneMove move;
    lane_move_write(batch, migration, epoch, &move);
    note_sent(session,
              PQsendQueryPrepared(session->connection, LANE_STATEMENT, LANE_MOVE_VALUES, move.values, NULL,
                                  NULL, 0),
              (Sent){.counted = true, .expected = (uint64_t)batch->lane_count});
    lane_move_free(&move);
}

/*
 * True for a value that the server could not read. Its SQLSTATE is that of a broken connection, which this is not: the
 * session goes on.
 */
static bool is_unreadable(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return severity != NULL && strcmp(severity, "ERROR") == 0 && sqlstate != NULL &&
           strcmp(sqlstate, "08P01") == 0;
}

/* Takes the result of one command; the first failure is kept. */
static void check_result(Session *session, const Sent *sent, const PGresult *result, Failure *failure,
                         bool *failed)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_ABORTED) {
        return;
    }
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        if (!*failed) {
            *failed = true;
            *failure = (Failure){.relation = sent->relation, .change = sent->change};
            database_error(session->database, result, &failure->error);
            failure->error.code = is_unreadable(result) ? ERROR_TARGET : failure->error.code;
        }
        return;
    }
    if (sent->confirms != NULL) {
        *sent->confirms = true;
    }
    uint64_t rows = sent->counted ? strtoull(PQcmdTuples((PGresult *)result), NULL, 10) : 0;
    if (sent->counted && rows != sent->expected && !*failed) {
        *failed = true;
        *failure =
            (Failure){.relation = sent->relation, .change = sent->change, .miscounted = true, .rows = rows};
    }
}

static int connection_lost(Session *session, Failure *failure)
{
    *failure = (Failure){0};
    database_error(session->database, NULL, &failure->error);
    failure->error.code = ERROR_CONNECTION;
    session->sent_count = 0;
    return -1;
}

/* Reads the results of everything sent, up to the Sync's; false when the connection ended. */
static bool read_results(Session *session, Failure *failure, bool *failed)
{
    for (size_t i = 0; i < session->sent_count; i++) {
        PGresult *result = PQgetResult(session->connection);
        if (result == NULL || PQstatus(session->connection) == CONNECTION_BAD) {
            PQclear(result);
            return false;
        }
        check_result(session, &session->sent[i], result, failure, failed);
        while (result != NULL && PQstatus(session->connection) != CONNECTION_BAD) {
            PQclear(result);
            result = PQgetResult(session->connection);
        }
        if (result != NULL) { /* of a connection that is gone there may be errors without end */
            PQclear(result);
            return false;
        }
    }
    PGresult *result = PQgetResult(session->connection);
    bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    return synced;
}

/* The command runs with whatever is queued next. */
static void close_statement(void *context, const char *name)
{
    char sql[64];
    snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
    session_command(context, sql);
}

int session_finish(Session *session, Failure *failure)
{
    bool failed = false;
    if (PQpipelineSync(session->connection) != 1 || !read_results(session, failure, &failed)) {
        return connection_lost(session, failure);
    }
    session->sent_count = 0;
    if (session->refused) {
        session->refused = false;
        failed = true;
        *failure = (Failure){.error = session->refusal};
    }
    if (failed) {
        cache_forget_unconfirmed(session->statements);
        return -1;
    }
    cache_end_round(session->statements, close_statement, session);
    return 0;
}

/* Leaves the pipeline, with nothing queued or under way, for what it cannot carry. */
static int leave_pipeline(Session *session, Failure *failure)
{
    cache_interrupt(session->statements);
    if (session->sent_count != 0 && session_finish(session, failure) != 0) {
        return -1;
    }
    return PQexitPipelineMode(session->connection) == 1 ? 0 : connection_lost(session, failure);
}

/* Sends the data and its end. Behind an error the server passes over what comes, and tells it then. */
static bool send_copy(Session *session, CopyData *data)
{
    for (Bytes piece = copy_data_next(data); piece.size != 0; piece = copy_data_next(data)) {
        if (PQputCopyData(session->connection, (const char *)piece.data, (int)piece.size) != 1) {
            return false;
        }
    }
    return PQputCopyEnd(session->connection, NULL) == 1;
}

/* Runs the copy and checks its result; false when the connection ended. */
static bool run_copy(Session *session, CopyData *data, Failure *failure, bool *failed)
{
    Sent sent = {.counted = true, .expected = data->count, .relation = data->relation};
    char *sql = copy_sql(data->relation);
    PGresult *result = PQexec(session->connection, sql);
    free(sql);
    if (PQresultStatus(result) == PGRES_COPY_IN) {
        PQclear(result);
        if (!send_copy(session, data)) {
            return false;
        }
        result = PQgetResult(session->connection);
    }
    while (result != NULL && PQstatus(session->connection) != CONNECTION_BAD) {
        check_result(session, &sent, result, failure, failed);
        PQclear(result);
        result = PQgetResult(session->connection);
    }
    PQclear(result);
    return PQstatus(session->connection) != CONNECTION_BAD;
}

int session_copy(Session *session, CopyData *data, Failure *failure)
{
    bool failed = false;
    if (leave_pipeline(session, failure) != 0) {
        return -1;
    }
    session->executed++;
    note_table(session, data->relation);
    if (!run_copy(session, data, failure, &failed) || PQenterPipelineMode(session->connection) != 1) {
        return connection_lost(session, failure);
    }
    return failed ? -1 : 0;
}

int session_describe(Session *session, const char *sql, int count, const Oid *types,
                     const char *const *values, const int *lengths, PGresult **out)
{
    Failure ignored;
    if (leave_pipeline(session, &ignored) != 0) {
        return -1;
    }
    *out = PQexecParams(session->connection, sql, count, types, values, lengths, session->formats, 0);
    bool described = PQresultStatus(*out) == PGRES_TUPLES_OK && PQntuples(*out) == 1;
    if (PQenterPipelineMode(session->connection) != 1 || !described) {
        PQclear(*out);
        return -1;
    }
    return 0;
}
