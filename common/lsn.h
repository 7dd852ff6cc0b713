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
