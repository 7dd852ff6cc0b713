/*
 * A connection with replication=database speaks the replication commands and plain SQL; the checks use the
 * latter, then START_REPLICATION turns it into a two-way COPY:
 *
 *     from the source   'w' start(8) end(8) time(8) payload      one frame
 *                       'k' end(8) time(8) reply(1)              keepalive
 *     to the source     'r' written(8) flushed(8) applied(8) time(8) reply(1)
 *
 * The output plugin runs within this session, so its settings are what text values look like: those of
 * database_connect, and client_encoding set to the source database's own, which makes the send functions
 * leave the bytes alone.
 *
 * The header of 'w' carries positions that go back and forth with the transactions, so none is taken from it
 * for confirming. Written is only informative; it stays at or above what is durable.
 */
#include "receiver.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "database.h"
#include "slot.h"
#include "text.h"
#include "timeline.h"
#include "wire.h"

#define DATA_HEADER 25
#define KEEPALIVE_SIZE 18
#define STATUS_SIZE 34
#define EPOCH_OFFSET_SECONDS INT64_C(946684800) /* 2000-01-01 after 1970-01-01 */

struct Receiver {
    Database *database;
    int socket;    /* a duplicate of libpq's */
    char *message; /* of the last receiver_next */
    Lsn confirmed;
    Lsn start;
    int timeline;
};

static int connect_source(Receiver *receiver, const char *uri, Error *error)
{
    char *conninfo = database_replication(uri);
    int status = database_connect(conninfo != NULL ? conninfo : uri, DATABASE_SOURCE, "applier receive",
                                  &receiver->database, error);
    free(conninfo);
    if (status != 0) {
        return -1;
    }
    PGconn *connection = database_connection(receiver->database);
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    if (encoding == NULL || PQsetClientEncoding(connection, encoding) != 0) {
        database_error(receiver->database, NULL, error);
        return error_context(error, "setting the client encoding to the source database's own");
    }
    receiver->socket = dup(PQsocket(connection));
    return receiver->socket >= 0 ? 0
                                 : error_set(error, ERROR_SYSTEM, "no descriptor for the source's socket");
}

static int start_stream(Receiver *receiver, const ReceiverOptions *options, Error *error)
{
    char lsn[LSN_TEXT_SIZE];
    Text command = {0};
    char *slot = database_quote(options->slot);
    text_printf(&command,
                "START_REPLICATION SLOT %s LOGICAL %s (\"wire_version\" '%d', \"on_undecodable\" '%s', "
                "\"collect_memory\" '%zu', \"read_ahead\" '%d'",
                slot, lsn_format(options->start, lsn), WIRE_VERSION, options->on_undecodable,
                options->collect_memory, options->read_ahead);
    if (options->skip_relations != NULL) {
        text_append(&command, ", \"skip_relations\" '");
        text_append(&command, options->skip_relations);
        text_append(&command, "'");
    }
    text_append(&command, ")");
    free(slot);
    PGconn *connection = database_connection(receiver->database);
    PGresult *result = PQexec(connection, command.data);
    text_free(&command);
    int status = 0;
    if (PQresultStatus(result) != PGRES_COPY_BOTH) {
        database_error(receiver->database, result, error);
        status = error_context(error, "opening the stream of slot \"%s\"", options->slot);
    } else if (PQsetnonblocking(connection, 1) != 0) {
        status = database_error(receiver->database, NULL, error);
    }
    PQclear(result);
    return status;
}

int receiver_open(const ReceiverOptions *options, Receiver **out, Error *error)
{
    Receiver *receiver = calloc(1, sizeof *receiver);
    *out = NULL;
    if (receiver == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for the receiver");
    }
    receiver->socket = -1;
    if (connect_source(receiver, options->source, error) != 0 ||
        source_check(receiver->database, options, &receiver->timeline, error) != 0 ||
        timeline_check(receiver->database, options, receiver->timeline, error) != 0 ||
        slot_check(receiver->database, options, receiver->timeline, &receiver->confirmed, error) != 0 ||
        start_stream(receiver, options, error) != 0) {
        receiver_close(receiver);
        return -1;
    }
    receiver->start = options->start > receiver->confirmed ? options->start : receiver->confirmed;
    *out = receiver;
    return 0;
}

void receiver_close(Receiver *receiver)
{
    if (receiver != NULL) {
        PQfreemem(receiver->message);
        if (receiver->socket >= 0) {
            close(receiver->socket);
        }
        database_close(receiver->database);
        free(receiver);
    }
}

int receiver_socket(const Receiver *receiver)
{
    return receiver->socket;
}

int receiver_session(const Receiver *receiver)
{
    return PQbackendPID(database_connection(receiver->database));
}

int receiver_timeline(const Receiver *receiver)
{
    return receiver->timeline;
}

Lsn receiver_confirmed(const Receiver *receiver)
{
    return receiver->confirmed;
}

Lsn receiver_start(const Receiver *receiver)
{
    return receiver->start;
}

int receiver_read(Receiver *receiver, bool *bytes_wait, Error *error)
{
    int waiting = 0;
    if (PQconsumeInput(database_connection(receiver->database)) == 1) {
        *bytes_wait = ioctl(receiver_socket(receiver), FIONREAD, &waiting) != 0 || waiting > 0;
        return 0;
    }
    database_error(receiver->database, NULL, error);
    error->code = ERROR_CONNECTION;
    return error_context(error, "reading the stream");
}

static uint64_t read_be64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static void write_be64(char *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

static int parse_message(const char *message, size_t size, Received *out, Error *error)
{
    if (size >= DATA_HEADER && message[0] == 'w') {
        out->kind = RECEIVED_DATA;
        out->data = bytes_of(message + DATA_HEADER, size - DATA_HEADER);
        return 0;
    }
    if (size == KEEPALIVE_SIZE && message[0] == 'k') {
        out->kind = RECEIVED_KEEPALIVE;
        out->wal_end = read_be64(message + 1);
        out->reply_requested = message[17] != 0;
        return 0;
    }
    return error_set(error, ERROR_PROTOCOL,
                     "the source sent a message of %zu bytes that starts with byte %d, which is "
                     "neither data nor a keepalive",
                     size, size > 0 ? message[0] : 0);
}

/* The source ended the COPY: why? */
static int stream_ended(Receiver *receiver, Error *error)
{
    PGconn *connection = database_connection(receiver->database);
    PGresult *result = PQgetResult(connection);
    if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        database_error(receiver->database, result, error);
        error_context(error, "the source ended the stream");
    } else {
        error_set(error, ERROR_CONNECTION, "the source ended the stream");
    }
    PQclear(result);
    return -1;
}

void receiver_release(Receiver *receiver)
{
    PQfreemem(receiver->message);
    receiver->message = NULL;
}

int receiver_next(Receiver *receiver, Received *out, Error *error)
{
    receiver_release(receiver);
    *out = (Received){.kind = RECEIVED_NOTHING};
    int size = PQgetCopyData(database_connection(receiver->database), &receiver->message, 1);
    if (size > 0) {
        return parse_message(receiver->message, (size_t)size, out, error);
    }
    if (size == 0) {
        return 0;
    }
    if (size == -1) {
        return stream_ended(receiver, error);
    }
    database_error(receiver->database, NULL, error);
    return error_context(error, "reading the stream");
}

static int64_t postgres_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (now.tv_sec - EPOCH_OFFSET_SECONDS) * 1000000 + now.tv_nsec / 1000;
}

int receiver_send_status(Receiver *receiver, Lsn written, Lsn durable, bool request_reply, Error *error)
{
    char message[STATUS_SIZE] = {'r'};
    write_be64(message + 1, written > durable ? written : durable);
    write_be64(message + 9, durable);
    write_be64(message + 17, durable);
    write_be64(message + 25, (uint64_t)postgres_now());
    message[33] = request_reply ? 1 : 0;
    /* 0 means that the output buffer is full: a later status says more anyway. */
    if (PQputCopyData(database_connection(receiver->database), message, sizeof message) >= 0) {
        return 0;
    }
    database_error(receiver->database, NULL, error);
    return error_context(error, "sending a status update");
}

int receiver_flush(Receiver *receiver, bool *pending, Error *error)
{
    int left = PQflush(database_connection(receiver->database));
    *pending = left == 1;
    if (left >= 0) {
        return 0;
    }
    database_error(receiver->database, NULL, error);
    error->code = ERROR_CONNECTION;
    return error_context(error, "sending a status update");
}
