/*
 * The snapshots under which tables are copied, one after the other.
 *
 *     taken ──► written down ──► workers take it over (snapshots_adopt) ──► a cycle is over ──► the next is taken
 *                  └ published, as soon as nobody copies under an earlier one any more: the stream may go on to there
 *
 * So at most two are in use: one that some are still at, and its successor. What is copied is copied under a snapshot that is
 * published or will be next, and nothing is ever copied under an earlier one than the newest published: the row of
 * penstock.snapshot that a worker locks for as long as it copies (snapshots_join), and the publisher for update,
 * sees to that, whatever process dies when.
 *
 * A snapshot holds back vacuum on the source for as long as it is exported or a worker reads under it: a cycle and a job.
 *
 * snapshots_adopt and snapshots_pass may be called on any thread, the rest on the one that made it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "copy.h"

typedef struct Snapshots Snapshots;

/* copy is borrowed, and is read for connection strings and limits. The caller frees *out with snapshots_free. */
int snapshots_new(const Copy *copy, const atomic_bool *stop, Snapshots **out, Error *error) MUST_CHECK;

/*
 * For a process that copies along: those that another one takes are taken over. adopt waits for one, as long as the stall timeout;
 * snapshots_tick, _advance and _offer are not for it.
 */
int snapshots_new_joined(const Copy *copy, const atomic_bool *stop, Snapshots **out, Error *error) MUST_CHECK;
void snapshots_free(Snapshots *snapshots);

/*
 * Opens a read-only transaction on worker, a connection to the source, that sees what the current snapshot sees; *number is
 * that snapshot's. Waits, bounded, where a new snapshot has to be made. *number is 0, and nothing was opened, when that is
 * waited for from another process and all jobs are done meanwhile.
 */
int snapshots_adopt(Snapshots *snapshots, Database *worker, int *number, Error *error) MUST_CHECK;

/*
 * A later snapshot than this is wanted: true when there is one, or the next adopt will take one. Else it is to be asked again:
 * this one is not published yet.
 */
bool snapshots_pass(Snapshots *snapshots, int number);

/*
 * Within the transaction on the target that copies under the snapshot: *open is false when a later one is published, so that
 * nothing may be copied under it any more.
 */
int snapshots_join(Database *target, const char *migration, int number, bool *open, Error *error) MUST_CHECK;

/* Publishes what can be published, and lets a snapshot go that has got old. A few times a second, while workers work. */
int snapshots_tick(Snapshots *snapshots, Error *error) MUST_CHECK;

/* Sees to it that there is one to copy under, for others who copy along: takes one where the last is gone, or old and published. */
int snapshots_offer(Snapshots *snapshots, Error *error) MUST_CHECK;

/* Takes and publishes one more, under which nothing will be copied, so that the stream can go on. While nobody copies. */
int snapshots_advance(Snapshots *snapshots, Error *error) MUST_CHECK;

/* The number of the newest. */
int snapshots_newest(Snapshots *snapshots);
