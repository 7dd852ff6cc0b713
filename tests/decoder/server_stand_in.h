/*
 * What the decoder's parser of options needs of a server, for tests outside of one: allocation that ends with the call, and
 * errors that jump out of it.
 *
 *     if (!stand_in_run(parse, &arguments)) { … stand_in_error() … }
 *     stand_in_free();
 *
 * Everything is in the state of one process, as it is in the server; one thread.
 */
#pragma once

#include "postgres.h"

#include "nodes/parsenodes.h"

/* Runs function(argument). False: it raised an ERROR. What it allocated stays until stand_in_free. */
bool stand_in_run(void (*function)(void *argument), void *argument);

/* The message and the detail of the last error, with a line end between. */
const char *stand_in_error(void);

void stand_in_free(void);

/* Lets GetConfigOption give this value for a setting; both are borrowed. At most eight. */
void stand_in_setting(const char *name, const char *value);

/* A list of options: names and values in turns. A value of NULL is an option without one. Allocated as palloc does. */
List *stand_in_options(int count, const char *const *texts);
