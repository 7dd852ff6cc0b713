/*
 * Reading the rows on a physical standby of the source.
 *
 * What a snapshot there sees is what committed up to the point that replay has come to: on a standby visibility follows the WAL. So
 * replay is paused for the moment in which one is taken, and that point is read.
 */
#pragma once

#include "copy.h"
#include "exported.h"
#include "lsn.h"

/* Where rows are read: the connection string of the standby, or of the source. */
const char *standby_uri(const Copy *copy);

/*
 * When rows are read on a standby: whether it is one of the source's, may be paused, and will not cancel what we read there at
 * once, of which it warns.
 */
int standby_check(Copy *copy, Error *error) MUST_CHECK;

/*
 * Begins a read-only transaction on holder, a connection to the standby, with a snapshot that is exported: its name comes in
 * exported, and in *end where it stands: it sees what committed before. Waits until replay is past least. Replay goes on
 * afterwards, whatever happens: that it is paused by us is noted before in the state, which state is a connection to, so that the next
 * call lets it go on where a process was killed in that moment.
 */
int standby_take(const Copy *copy, Database *state, Database *holder, Lsn least, char exported[EXPORTED_SIZE],
                 Lsn *end, Error *error) MUST_CHECK;
