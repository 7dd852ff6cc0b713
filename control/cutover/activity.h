/*
 * Who is at work in the source database: what a drain waits for, and whom to name when it waits in vain.
 */
#pragma once

#include "database.h"
#include "error.h"

/* How many application sessions are not idle. */
int activity_busy(Database *source, int *count, Error *error) MUST_CHECK;

/* Appends those sessions, oldest transaction first, to error's hint: pid, user, state, age, query. */
void activity_name_blockers(Database *source, Error *error);

/* ERROR_STATE, naming them, when a transaction of an application is older than limit seconds. */
int activity_check_age(Database *source, double limit, Error *error) MUST_CHECK;
