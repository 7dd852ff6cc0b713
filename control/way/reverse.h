/*
 * The way back: what is written to the target after the switch goes to the fenced source, by the servers' own logical
 * replication. On the target two publications and a slot (pgoutput), on the source one subscription.
 *
 *     target:  penstock_reverse_X  (all changes)     ──┐
 *              penstock_inserts_X  (INSERT, TRUNCATE) ─┴─► slot penstock_reverse_X ──► source: subscription of that name
 *
 * The second is for tables of which no row can be found again: an UPDATE of one that published it would fail on the
 * target.
 *
 * The apply worker begins read-only behind the fence like everyone, and writes all the same: it runs no statements. Only
 * what its triggers do (ENABLE ALWAYS, ENABLE REPLICA) is refused there.
 *
 * Each function can be repeated, and finds out for itself what is left to do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "database.h"
#include "error.h"
#include "state.h"
#include "watched.h"

/* The name of slot, subscription and publication. ERROR_USAGE when the migration's name is too long for one. */
int reverse_name(const Migration *migration, char out[64], Error *error) MUST_CHECK;

/* Hears of each thing that is wrong; fix is the statement that mends it. */
typedef struct ReverseListener {
    void (*found)(void *context, const Error *problem, const char *fix);
    void *context;
} ReverseListener;

/* That slot and publications on the target, and the subscription on the source, would not meet a user's of their names. */
int reverse_check_names(Database *source, Database *target, const Migration *migration,
                        const ReverseListener *listener, Error *error) MUST_CHECK;

/*
 * Tells the listener of event triggers on that side that would act on what a switch defines there, in spite of how it does, and refuse
 * it: tried, and rolled back.
 */
int reverse_try_definitions(Database *database, DatabaseEnd end, const ReverseListener *listener,
                            Error *error) MUST_CHECK;

/* What can be known beforehand: settings, rights and names of both servers. */
int reverse_check_servers(Database *source, Database *target, const Migration *migration,
                          const ReverseListener *listener, Error *error) MUST_CHECK;

/*
 * A login at the target from the source, done there; takes a superuser of the source. Where the source's server finds the password
 * of *conninfo by itself (a passfile, a service file), *conninfo becomes one without it; *stored: it has to be kept with the
 * subscription.
 */
int reverse_check_login(Database *source, const Migration *migration, char **conninfo, bool *stored,
                        Error *error) MUST_CHECK;

/* What will not come back is written to warning, "" when everything will. target NULL: there is no copy yet, and the tables of
 * the source are asked. */
int reverse_name_limits(Database *source, Database *target, const Migration *migration, char *warning,
                        size_t size, Error *error) MUST_CHECK;

/* The tables of which only INSERT and TRUNCATE come back, and those of which nothing does; "" for none. */
int reverse_limits(Database *target, const Migration *migration, char *inserts, char *nothing, size_t size,
                   Error *error) MUST_CHECK;

/*
 * The tables on the target that the way back, as it stands, would leave behind: those of the migration that are not in its
 * publications or not in its subscription (they were made, or made anew, after it was), or were published since without having been
 * copied; and those with rows that the migration does not know. published_at is what reverse_published_at gave when it was
 * made, NULL: not known. NULL for none; the caller frees both.
 */
int reverse_uncovered(Database *source, Database *target, const Migration *migration,
                      const char *published_at, char **known, char **made, Error *error) MUST_CHECK;
int reverse_published_at(Database *target, char **out, Error *error) MUST_CHECK;

/* The tables of which everything comes back, as an array literal of penstock.relation.id; NULL: none. The caller frees *ids. */
int reverse_whole_tables(Database *target, const Migration *migration, char **ids, Error *error) MUST_CHECK;

/* In parts, so that no statement locks more tables than a server has locks for. Waits for who has locked one. */
int reverse_publish(Database *target, const Migration *migration, const WatchedWait *wait,
                    Error *error) MUST_CHECK;
int reverse_unpublish(Database *target, const Migration *migration, Error *error) MUST_CHECK;

/*
 * How many tables reverse_publish would publish, and how long that would take: the first part is published, timed, and rolled
 * back. *seconds is -1 where that cannot be tried now, because a table of it is locked.
 */
int reverse_measure(Database *target, const Migration *migration, size_t *tables, double *seconds,
                    Error *error) MUST_CHECK;

/*
 * The slot of the way back, made anew: what an old one would send is not wanted. It begins before clients are held, and is
 * moved on while they are (reverse_move_slot), which waits for nobody; the making waits for the transactions that have begun to
 * write anywhere on that server.
 */
int reverse_make_slot(Database *target, const Migration *migration, const WatchedWait *wait,
                      Error *error) MUST_CHECK;
/*
 * ERROR_STATE when the server has a slot of that name that is another database's, or not of our plugin: names of slots are the
 * server's, and one that the migration of another database has for its own way back is neither ours to use nor to drop.
 */
int reverse_slot_is_free(Database *target, const Migration *migration, Error *error) MUST_CHECK;
/* *begins is where it is then. A server that crashes forgets that (slot.c: it is written at the next checkpoint): see
 * reverse_begin_at. */
int reverse_move_slot(Database *target, const Migration *migration, Lsn *begins, Error *error) MUST_CHECK;
int reverse_drop_slot(Database *target, const Migration *migration, int limit_ms, Error *error) MUST_CHECK;

/*
 * Makes the subscription, disabled: conninfo is the target as the source reaches it. It has every table of the publications,
 * and asks the target for nothing before it is enabled.
 */
int reverse_subscribe(Database *source, Database *target, const Migration *migration, const char *conninfo,
                      Error *error) MUST_CHECK;
/* Nothing that was committed before begins comes by the subscription, wherever the slot may be: its origin says so, in the WAL. */
int reverse_begin_at(Database *source, const Migration *migration, Lsn begins, Error *error) MUST_CHECK;
int reverse_enable(Database *source, const Migration *migration, Error *error) MUST_CHECK;
/* The way back stands still, or goes on; nothing where there is none. */
int reverse_stand(Database *source, const Migration *migration, bool still, Error *error) MUST_CHECK;
int reverse_unsubscribe(Database *source, const Migration *migration, Error *error) MUST_CHECK;

/*
 * How many changes, at least, and 0 only when there are none, behind since the slot of the way back has to send, that is, how much was written to the published tables since
 * it was moved on to there. Nobody may use it meanwhile. What the applier wrote last in each lane is left out: the lane's row is of the
 * same transaction. A row that passed the source's fence comes through the stream, and is at the source, too.
 */
int reverse_written(Database *target, const Migration *migration, Lsn since, int64_t *changes,
                    Error *error) MUST_CHECK;

/*
 * The way there once more, for a rollback: the slot on the source by which the target can follow it again, and where its
 * stream begins; LSN_INVALID when there is no such slot. Made and moved on as the one of the way back.
 */
int reverse_make_forward(Database *source, const Migration *migration, const WatchedWait *wait,
                         Error *error) MUST_CHECK;
int reverse_move_forward(Database *source, const Migration *migration, Lsn *begins, Error *error) MUST_CHECK;
int reverse_forward_begins(Database *source, const Migration *migration, Lsn *out, Error *error) MUST_CHECK;

/* Where the way back stands. */
typedef struct ReverseState {
    bool exists; /* the slot; nothing else is set otherwise */
    bool active;
    Lsn confirmed;
    int64_t lag; /* bytes */
} ReverseState;

int reverse_state(Database *target, const Migration *migration, ReverseState *out, Error *error) MUST_CHECK;

/* Whether the source has the subscription of the way back, and whether it is enabled. */
int reverse_subscription(Database *source, const Migration *migration, bool *exists, bool *enabled,
                         Error *error) MUST_CHECK;

/*
 * Why the source cannot start a worker for the subscription, and the statement that mends it: both NULL when it has one, or could.
 * The caller frees both.
 */
int reverse_no_worker(Database *source, const Migration *migration, char **why, char **fix,
                      Error *error) MUST_CHECK;

/* Waits for the subscription's worker to stream, for at most limit_ms; *streams is what came of it. */
int reverse_streams(Database *target, const Migration *migration, int limit_ms, bool *streams,
                    Error *error) MUST_CHECK;

/*
 * Ends the stream from source to target by dropping its slot, so that what comes back to the source is not sent to the
 * target once more, over newer rows.
 */
int reverse_end_forward(Database *source, const Migration *migration, int limit_ms, Error *error) MUST_CHECK;
