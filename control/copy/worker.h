/*
 * Copying all tables of the queue with several connections at a time.
 */
#pragma once

#include "copy.h"

/*
 * Returns when no table is left, or with the first error of any worker, when the others have stopped. Tables
 * that were copied by then stay copied.
 */
int workers_copy_tables(Copy *copy, Error *error) MUST_CHECK;

/* Runs each statement (count of them) on the target, several at a time; what says what they do, for messages. */
int workers_run_on_target(Copy *copy, char *const *statements, int count, const char *what,
                          Error *error) MUST_CHECK;
