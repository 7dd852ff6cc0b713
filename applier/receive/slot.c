/*
 * Each way in which a source can be the wrong one, or its slot unusable, has its own error here, because
 * START_REPLICATION would answer most of them in the server's words or, worse, not at all: a slot that was
 * dropped and made again streams happily from its new place.
 *
 * A slot stays active for a moment after its reader has died, until the server notices. So an active slot is
 * waited for, with a limit, and then the process that has it is named. Where the network was cut, the server may not
 * notice for very long: when it is the process of our own lost connection, it is asked to end, again and again: once
 * it cannot send its last words to us, only the next request makes it go without.
 * Queries go through the replication connection, which knows only the simple protocol.
 */
#include "slot.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PLUGIN "penstock"
#define WAIT_STEP_MS 100
#define ASK_MS 1000 /* how often our own lost connection is asked to end */

/* On the migration's own timeline the WAL cannot end before what the target has of it. */
static int judge_end(const ReceiverOptions *options, const char *text, int timeline, Error *error)
{
    Lsn end;
    char known[LSN_TEXT_SIZE];
    if ((options->timeline != 0 && timeline != options->timeline) || !lsn_parse(text, &end) ||
        end >= lsn_end_before(options->known)) {
        return 0;
    }
    error_set(error, ERROR_STATE,
              "the source's WAL ends at %s, before %s, up to where the target may have its changes", text,
              lsn_format(options->known, known));
    return error_hint(error,
                      "The source was restored to an earlier point, or is an older copy of the server that "
                      "the migration began with. If that one still runs, let --source lead to it; else run "
                      "penstock finish --abandon, then penstock copy again.");
}

int source_check(Database *source, const ReceiverOptions *options, int *timeline, Error *error)
{
    PGresult *result;
    if (database_query(source, &result, error, "IDENTIFY_SYSTEM", 0) != 0) {
        return error_context(error, "asking the source who it is");
    }
    int status = 0;
    const char *system = PQgetvalue(result, 0, 0);
    const char *database = PQgetvalue(result, 0, 3);
    *timeline = (int)strtol(PQgetvalue(result, 0, 1), NULL, 10);
    if (strcmp(system, options->system) != 0) {
        error_set(error, ERROR_STATE,
                  "the source is another server: its system identifier is %s, that of the "
                  "server this migration began with is %s",
                  system, options->system);
        status = error_hint(error,
                            "Check --source. After a restore from a backup or a pg_upgrade of the source the "
                            "migration cannot go on: finish it and copy again.");
    } else if (strcmp(database, options->database) != 0) {
        error_set(error, ERROR_STATE, "the source URI leads to database \"%s\", the migration is of \"%s\"",
                  database, options->database);
        status = error_hint(error, "Check the database name in --source.");
    } else {
        status = judge_end(options, PQgetvalue(result, 0, 2), *timeline, error);
    }
    PQclear(result);
    return status;
}

typedef struct Slot {
    bool exists;
    bool active;
    int pid;
    char plugin[64];
    Lsn confirmed;
} Slot;

static int load_slot(Database *source, const char *name, Slot *slot, Error *error)
{
    char *literal = PQescapeLiteral(database_connection(source), name, strlen(name));
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT coalesce(plugin, ''), active, coalesce(active_pid, 0), confirmed_flush_lsn "
             "FROM pg_catalog.pg_replication_slots WHERE slot_name = %s",
             literal != NULL ? literal : "''");
    PQfreemem(literal);
    PGresult *result;
    if (database_query(source, &result, error, sql, 0) != 0) {
        return error_context(error, "looking for slot \"%s\"", name);
    }
    *slot = (Slot){.exists = PQntuples(result) == 1};
    if (slot->exists) {
        snprintf(slot->plugin, sizeof slot->plugin, "%s", PQgetvalue(result, 0, 0));
        slot->active = *PQgetvalue(result, 0, 1) == 't';
        slot->pid = (int)strtol(PQgetvalue(result, 0, 2), NULL, 10);
        slot->exists = PQgetisnull(result, 0, 3) || lsn_parse(PQgetvalue(result, 0, 3), &slot->confirmed);
    }
    PQclear(result);
    return 0;
}

static int judge_position(const char *name, const Slot *slot, Lsn safe, Error *error)
{
    char at[LSN_TEXT_SIZE], known[LSN_TEXT_SIZE];
    if (slot->confirmed <= safe) {
        return 0;
    }
    error_set(error, ERROR_STATE,
              "replication slot \"%s\" stands at %s, past %s, up to where the target has everything", name,
              lsn_format(slot->confirmed, at), lsn_format(safe, known));
    return error_hint(
        error, "Changes between the two are lost for the target: someone else read or advanced the slot, "
               "or the target was restored, or failed over, without its last transactions. Run penstock "
               "finish --abandon, then penstock copy again.");
}

static int judge_slot(const ReceiverOptions *options, const Slot *slot, int timeline, Error *error)
{
    const char *name = options->slot;
    if (!slot->exists && options->timeline != 0 && timeline != options->timeline) {
        error_set(
            error, ERROR_STATE,
            "the source has no replication slot \"%s\": a standby was promoted (it is on timeline %d, the "
            "migration on timeline %d), and the slot stayed behind",
            name, timeline, options->timeline);
        return error_hint(
            error,
            "If the server of timeline %d still runs, let --source lead to it; else run penstock "
            "finish --abandon, then penstock copy again.",
            options->timeline);
    }
    if (!slot->exists) {
        error_set(error, ERROR_STATE, "the source has no replication slot \"%s\"", name);
        return error_hint(
            error, "Without the slot the changes since it was lost are gone: run penstock finish, then "
                   "penstock copy again.");
    }
    if (strcmp(slot->plugin, PLUGIN) != 0) {
        error_set(error, ERROR_STATE,
                  "replication slot \"%s\" on the source belongs to the output plugin \"%s\", not "
                  "to " PLUGIN,
                  name, slot->plugin);
        return error_hint(
            error, "Someone dropped the migration's slot and made another one of that name: run penstock "
                   "finish, then penstock copy again.");
    }
    return slot->active ? 0 : judge_position(name, slot, options->safe, error);
}

/* True when interrupt_fd became readable within the step. */
static bool wait_step(int interrupt_fd)
{
    struct pollfd descriptor = {.fd = interrupt_fd, .events = POLLIN};
    return poll(&descriptor, 1, WAIT_STEP_MS) > 0;
}

static int end_session(Database *source, int pid, Error *error)
{
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT pg_catalog.pg_terminate_backend(%d)", pid);
    return database_execute(source, error, sql, 0);
}

static int slot_in_use(const ReceiverOptions *options, const Slot *slot, Error *error)
{
    ErrorCode code = slot->pid == options->earlier_session ? ERROR_TRANSIENT : ERROR_STATE;
    error_set(error, code, "replication slot \"%s\" is read by process %d of the source", options->slot,
              slot->pid);
    return error_hint(error,
                      "Stop the other applier; if there is none, SELECT pg_terminate_backend(%d) on the "
                      "source ends what it left behind.",
                      slot->pid);
}

int slot_check(Database *source, const ReceiverOptions *options, int timeline, Lsn *confirmed, Error *error)
{
    for (int waited = 0;; waited += WAIT_STEP_MS) {
        Slot slot;
        if (load_slot(source, options->slot, &slot, error) != 0 ||
            judge_slot(options, &slot, timeline, error) != 0) {
            return -1;
        }
        if (!slot.active) {
            *confirmed = slot.confirmed;
            return 0;
        }
        if (waited >= options->slot_wait_ms) {
            return slot_in_use(options, &slot, error);
        }
        if (waited > 0 && waited % ASK_MS == 0 && slot.pid == options->earlier_session &&
            end_session(source, slot.pid, error) != 0) {
            return -1;
        }
        if (wait_step(options->interrupt_fd)) {
            return error_set(error, ERROR_INTERRUPTED, "stopped while waiting for slot \"%s\"",
                             options->slot);
        }
    }
}
