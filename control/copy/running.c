/*
 * Making a logical slot writes the record (ReplicationSlotReserveWal of slot.c), and another one when the transactions that ran
 * have ended (SnapBuildWaitSnapshot of snapbuild.c), from 10 to 18. A temporary one needs nothing but what the copy's own slot
 * needed, and is gone with its session. (pg_log_standby_snapshot() is there from 16 on, and wants another right.)
 */
#include "running.h"

#include <stdio.h>

#include "session.h"

#define LIMIT "SET statement_timeout = '500ms'"
#define MOST_NAME 63 /* of an identifier of the server */

void running_note(const Copy *copy)
{
    char name[MOST_NAME + 1]; /* not one that a migration's slot could have */
    Error ignored;
    Database *source = NULL;
    snprintf(name, sizeof name, "running_%.54s", copy->migration.slot_name);
    if (session_open(copy->settings->source, DATABASE_SOURCE, "copy running", NULL, &source, &ignored) == 0 &&
        database_execute(source, &ignored, LIMIT, 0) == 0) {
        (void)!database_execute(source, &ignored,
                                "SELECT pg_catalog.pg_create_logical_replication_slot($1, 'penstock', true)",
                                1, name);
    }
    database_close(source);
}
