/*
 * A snapshot can be adopted only while the replication connection that exported it is idle and open; once
 * adopted, it lives in the worker's transaction. So making, adopting and dropping happen under one mutex, and
 * nothing counts users. The wait of a new slot is not on our own workers: read-only transactions have no
 * transaction id.
 */
#include "exported.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "session.h"
#include "slot.h"
#include "text.h"

struct Snapshots {
    const Copy *copy;
    const atomic_bool *stop;
    pthread_mutex_t mutex;
    Database *replication; /* exports the current snapshot; NULL when there is none */
    Slot slot;
    double made_at;
    unsigned number;
};

Snapshots *snapshots_new(const Copy *copy, const atomic_bool *stop)
{
    Snapshots *snapshots = calloc(1, sizeof(*snapshots));
    if (snapshots == NULL) {
        abort();
    }
    snapshots->copy = copy;
    snapshots->stop = stop;
    pthread_mutex_init(&snapshots->mutex, NULL);
    return snapshots;
}

static void drop_current(Snapshots *snapshots)
{
    database_close(snapshots->replication);
    snapshots->replication = NULL;
}

void snapshots_free(Snapshots *snapshots)
{
    if (snapshots != NULL) {
        drop_current(snapshots);
        pthread_mutex_destroy(&snapshots->mutex);
        free(snapshots);
    }
}

static bool is_old(const Snapshots *snapshots)
{
    return snapshots->replication != NULL &&
           clock_seconds() - snapshots->made_at >= snapshots->copy->options->snapshot_age;
}

static int make_slot(Snapshots *snapshots, Database *replication, Database *watcher, Error *error)
{
    char name[64];
    snprintf(name, sizeof(name), "penstock_copy_%d_%u", (int)getpid(), ++snapshots->number);
    SlotRequest request = {.name = name,
                           .temporary = true,
                           .timeout_seconds = snapshots->copy->options->slot_timeout,
                           .progress = snapshots->copy->progress,
                           .stop = snapshots->stop};
    return slot_create(replication, watcher, &request, &snapshots->slot, error);
}

static int make_current(Snapshots *snapshots, Error *error)
{
    const char *uri = snapshots->copy->settings->source;
    Database *watcher = NULL, *replication = NULL;
    int status = session_open(uri, DATABASE_SOURCE, "copy", NULL, &watcher, error);
    if (status == 0) {
        status = session_open_replication(uri, "copy snapshot", &replication, error);
    }
    if (status == 0) {
        status = make_slot(snapshots, replication, watcher, error);
    }
    database_close(watcher);
    if (status != 0) {
        database_close(replication);
        return -1;
    }
    snapshots->replication = replication;
    snapshots->made_at = clock_seconds();
    return 0;
}

static int adopt(Snapshots *snapshots, Database *worker, Lsn *lsn, Error *error)
{
    if (is_old(snapshots)) {
        drop_current(snapshots);
    }
    if (snapshots->replication == NULL && make_current(snapshots, error) != 0) {
        return -1;
    }
    char sql[160];
    snprintf(sql, sizeof(sql),
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'",
             snapshots->slot.snapshot);
    *lsn = snapshots->slot.consistent_point;
    return database_execute(worker, error, sql, 0);
}

int snapshots_adopt(Snapshots *snapshots, Database *worker, Lsn *lsn, Error *error)
{
    pthread_mutex_lock(&snapshots->mutex);
    int status = adopt(snapshots, worker, lsn, error);
    pthread_mutex_unlock(&snapshots->mutex);
    return status;
}

void snapshots_expire(Snapshots *snapshots)
{
    if (pthread_mutex_trylock(&snapshots->mutex) == 0) {
        if (is_old(snapshots)) {
            drop_current(snapshots);
        }
        pthread_mutex_unlock(&snapshots->mutex);
    }
}
