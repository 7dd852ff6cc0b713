/*
 * Capture of DDL at the source: event triggers that write each statement into the stream, at its place (capture.sql).
 *
 *     capture_choose ──► capture_install, before the slot is made ──► … ──► capture_remove, by finish
 *
 * The triggers are there before the slot, whose making waits for every transaction that had begun before: so of what comes
 * behind the slot's consistent point no statement is missing in the stream.
 */
#pragma once

#include <stdbool.h>

#include "database.h"
#include "error.h"

typedef enum DdlMode { DDL_UNSET, DDL_CAPTURE, DDL_WATCH, DDL_OFF } DdlMode;

/* "capture", "watch", "off"; false for anything else. */
bool ddl_mode_parse(const char *text, DdlMode *out);
const char *ddl_mode_name(DdlMode mode);

/*
 * What to do where the operator has said nothing: capture where the role of the source is a superuser, which event triggers take,
 * and nothing of another's is in the way; else watch, and *why says why (a text of ours).
 */
int capture_choose(Database *source, DdlMode *out, const char **why, Error *error) MUST_CHECK;

/*
 * Makes schema, functions and event triggers, or makes them anew. ERROR_SOURCE, with what to do, when the role may not, or when a
 * schema penstock is there that is not ours.
 */
int capture_install(Database *source, Error *error) MUST_CHECK;

/* Whether all of it is there and enabled. */
int capture_is_there(Database *source, bool *there, Error *error) MUST_CHECK;

/* The key that messages are sealed with, in hex. The caller frees it. */
int capture_token(Database *source, char **out, Error *error) MUST_CHECK;

/*
 * Removes what was made, unless another slot of the plugin in this database is there, whose migration needs it (*kept). Says in
 * *removed whether anything was there. A schema penstock with other things in it stays.
 */
int capture_remove(Database *source, const char *slot, bool *removed, bool *kept, Error *error) MUST_CHECK;
