/*
 * Log sequence numbers: byte positions in the WAL of one server, and their text form "16/B374D848".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t Lsn;

#define LSN_INVALID ((Lsn)0)
#define LSN_TEXT_SIZE 18

/* Writes the text form into out, which holds LSN_TEXT_SIZE bytes, and returns out. */
char *lsn_format(Lsn lsn, char out[LSN_TEXT_SIZE]);

/* Reads the text form; false when text is anything else. */
bool lsn_parse(const char *text, Lsn *out);

/*
 * Where the WAL ends when the next record begins at lsn. The two differ where a page begins: the record comes behind its header (24
 * bytes, 40 at the begin of a segment: SizeOfXLogShortPHD, SizeOfXLogLongPHD, 11 to 18), which is not written before the record is.
 * pg_current_wal_insert_lsn says the one, IDENTIFY_SYSTEM and pg_current_wal_flush_lsn the other.
 */
Lsn lsn_end_before(Lsn lsn);
