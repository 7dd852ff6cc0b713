/*
 * Who is at work in the source database: what a drain waits for, and whom to name when it waits in vain.
 */
#pragma once

#include "database.h"
#include "error.h"

/* How many application sessions are not idle; with writers, only of those that have written in their transaction. */
int activity_busy(Database *source, bool writers, int *count, Error *error) MUST_CHECK;

/* Makes those sessions error's hint, oldest transaction first: pid, user, state, age, query. */
void activity_name_blockers(Database *source, Error *error);

/* Adds application sessions, idle or not, to error's hint. */
void activity_name_sessions(Database *database, Error *error);

/* The sessions that one of ours, or a subscription, waits for; NULL: none. The caller frees *who. */
int activity_in_our_way(Database *database, char **who, Error *error) MUST_CHECK;

/* Adds them to error's hint. */
void activity_name_waiters(Database *database, Error *error);

/* Age of the oldest open transaction of an application, and whose it is; 0 and NULL without one. The caller frees
 * *who. */
int activity_oldest(Database *source, double *seconds, char **who, Error *error) MUST_CHECK;

/* Application sessions that are there: *others of them are no superusers. *who names all, NULL for none; the caller
 * frees it. */
int activity_left(Database *database, int *others, char **who, Error *error) MUST_CHECK;

/* ERROR_STATE, naming them, when a transaction of an application is older than limit seconds. */
int activity_check_age(Database *source, double limit, Error *error) MUST_CHECK;

/* Whom the session with that pid waits for, anywhere on the server; NULL: nobody. The caller frees *who. */
int activity_who_blocks(Database *database, const char *pid, char **who, Error *error) MUST_CHECK;
