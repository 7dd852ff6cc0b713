/*
 * Can the source really decode for us? Two probes that leave nothing behind.
 *
 * The plugin: a temporary slot is made with it, a marker message is written to the WAL, and peeking at the
 * slot shows what the plugin sends for it. Its first record on every connection is Hello, with its versions.
 * The slot belongs to a session of its own and goes with it, whatever happens. Making a slot waits for the
 * transactions that write at that moment, so there is a time limit: by then the plugin has been loaded, and
 * only its version stays unknown.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

#define SLOT_LIMIT "5s"
#define FRAME_LIMIT (16u << 20)
#define CONNECT_LIMIT "10"

int probe_replication(CheckContext *context, json_t *findings, Error *error)
{
    const char *uri = context->settings->source != NULL ? context->settings->source : "";
    const char *const keywords[] = {"dbname", "replication", "application_name", "connect_timeout", NULL};
    const char *const values[] = {uri, "database", "penstock check", CONNECT_LIMIT, NULL};
    PGconn *connection = PQconnectdbParams(keywords, values, 1);
    PGresult *result = PQstatus(connection) == CONNECTION_OK ? PQexec(connection, "IDENTIFY_SYSTEM") : NULL;
    (void)error;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        char *message = strdup(PQerrorMessage(connection));
        message[strcspn(message, "\n")] = '\0';
        finding_add(findings, "source", message, NULL);
        free(message);
    }
    PQclear(result);
    PQfinish(connection);
    return 0;
}

/* What the first record of the frame says, as a finding unless both sides speak the same wire version. */
static int judge_frame(Bytes bytes, json_t *findings, Error *error)
{
    const FrameReaderOptions options = {.max_raw_size = FRAME_LIMIT};
    FrameReader *reader = NULL;
    Record *records = NULL;
    size_t count = 0;
    Arena *arena = arena_new(64 * 1024);
    int status = frame_reader_new(&options, &reader, error);
    if (status == 0 && frame_reader_open(reader, bytes, arena, &records, &count, error) != 0) {
        error_context(error, "what it sends cannot be read, so it may be another plugin of this name");
        finding_add(findings, "plugin penstock", error->message, NULL);
        error->code = ERROR_NONE;
    } else if (status == 0 && count > 0 && records[0].kind == RECORD_HELLO) {
        const HelloRecord *hello = records[0].hello;
        if (hello->wire_version != WIRE_VERSION) {
            char *detail =
                arena_printf(arena, "version %.*s speaks wire version %u, this program %d",
                             (int)hello->plugin_version.size, (const char *)hello->plugin_version.data,
                             hello->wire_version, WIRE_VERSION);
            finding_add(findings, "plugin penstock", detail, NULL);
        }
    } else if (status == 0) {
        finding_add(findings, "plugin penstock", "it does not begin with the record that names its version",
                    NULL);
    }
    frame_reader_free(reader);
    arena_free(arena);
    return status;
}

/*
 * Reads the first frame that the plugin sends for the marker message. Decoding goes as far as the WAL has been flushed,
 * hence a message that is committed.
 */
static int peek(Database *session, const char *slot, json_t *findings, Error *error)
{
    PGresult *result = NULL;
    if (database_execute(
            session, error,
            "SET synchronous_commit = local; SELECT pg_logical_emit_message(true, 'penstock', 'check')",
            0) != 0 ||
        database_query(session, &result, error,
                       "SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, 1) LIMIT 1", 1,
                       slot) != 0) {
        return -1;
    }
    int status = 0;
    if (PQntuples(result) == 1) {
        size_t size = 0;
        unsigned char *data = PQunescapeBytea((const unsigned char *)PQgetvalue(result, 0, 0), &size);
        status = judge_frame(bytes_of(data, size), findings, error);
        PQfreemem(data);
    } else {
        finding_add(findings, "plugin penstock", "it sends nothing, so it may be another plugin of this name",
                    NULL);
    }
    PQclear(result);
    return status;
}

static int make_slot(Database *session, const char *slot, Error *error)
{
    if (database_execute(session, error, "SET statement_timeout = '" SLOT_LIMIT "'", 0) != 0) {
        return -1;
    }
    return database_execute(session, error, "SELECT pg_create_logical_replication_slot($1, 'penstock', true)",
                            1, slot);
}

/* LOAD takes a superuser; who is none learns it when slots can be made. */
static int look_for_file(Database *session, json_t *findings, Error *error)
{
    Error why = {.code = ERROR_NONE};
    error->code = ERROR_NONE;
    if (database_execute(session, &why, "LOAD 'penstock'", 0) == 0) {
        return 0;
    }
    if (strcmp(why.sqlstate, "42501") == 0) {
        return check_skip(error, "it can be tried when wal_level is logical");
    }
    finding_add(findings, "plugin penstock", why.message, NULL);
    return 0;
}

int probe_plugin(CheckContext *context, json_t *findings, Error *error)
{
    Database *session = NULL;
    char slot[64];
    if (database_connect(context->settings->source, DATABASE_SOURCE, "check", &session, error) != 0) {
        return -1;
    }
    snprintf(slot, sizeof slot, "penstock_check_%d", PQbackendPID(database_connection(session)));
    int status = make_slot(session, slot, error);
    if (status == 0) {
        status = peek(session, slot, findings, error);
    } else if (strcmp(error->sqlstate, "57014") == 0) {
        context->plugin_waited = true;
        error->code = ERROR_NONE;
        status = 0;
    } else if (strcmp(error->sqlstate, "55000") == 0) {
        /* wal_level forbids slots, and is a finding of its own: whether the file is there shows all the same. */
        status = look_for_file(session, findings, error);
    } else if (strcmp(error->sqlstate, "58P01") == 0 || strcmp(error->sqlstate, "42883") == 0 ||
               strcmp(error->sqlstate, "XX000") == 0) {
        finding_add(findings, "plugin penstock", error->message, NULL);
        error->code = ERROR_NONE;
        status = 0;
    }
    database_close(session);
    return status;
}

int probe_plugin_version(CheckContext *context, json_t *findings, Error *error)
{
    (void)error;
    if (context->plugin_waited) {
        finding_add(findings, "plugin penstock",
                    "it can be loaded; its version was not seen, since for " SLOT_LIMIT
                    " a slot waited for running transactions",
                    NULL);
    }
    return 0;
}
