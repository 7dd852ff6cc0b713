/*
 * What a table costs depends on its columns, indexes and constraints, and what of it was looked at: 9 kB for one of three columns
 * with a key (PostgreSQL 14), several times that for a wide one with ten indexes. So the server is asked:
 * pg_backend_memory_contexts has what the process that reads it has taken (from 14 on; to be read by superusers, and from 15 on by
 * pg_read_all_stats). It makes a row for each index, 1 or 2 microseconds' work, so it is not read after each batch: between two
 * looks there is half of what is left until the limit, by what a table took so far. The first look comes early, in case that tables
 * are large.
 *
 * A server that does not say is taken to keep GUESSED_BYTES for a table.
 */
#include "growth.h"

#include <stdlib.h>

#define GUESSED_BYTES ((size_t)40 << 10)
#define LARGEST_BYTES (GUESSED_BYTES * 8) /* of a table, that the first look reckons with */
#define CLOSE_ENOUGH 16                   /* that part of the limit is not worth another look */

void growth_begin(Growth *growth)
{
    growth->next = growth->limit / LARGEST_BYTES + 1;
}

/* Bytes that the session's process has taken, or 0: it does not say. */
static size_t measure(Session *session)
{
    PGresult *row = NULL;
    if (session_describe(session,
                         "SELECT pg_catalog.sum(total_bytes) FROM pg_catalog.pg_backend_memory_contexts", 0,
                         NULL, NULL, NULL, &row) != 0) {
        return 0;
    }
    size_t bytes = (size_t)strtoull(PQgetvalue(row, 0, 0), NULL, 10);
    PQclear(row);
    return bytes;
}

/* At how many tables the next look is due, when so many took so much. */
static size_t next_look(const Growth *growth, size_t tables, size_t bytes)
{
    size_t left = growth->limit - bytes;
    size_t more = (size_t)((double)left / (double)bytes * (double)tables / 2);
    return tables + more + 1;
}

bool growth_reached(Growth *growth, Session *session)
{
    size_t tables = session_tables(session);
    if (tables >= growth->tables) {
        return true;
    }
    if (tables < growth->next) {
        return false;
    }
    size_t bytes = growth->guesses ? 0 : measure(session);
    growth->guesses = bytes == 0;
    bytes = growth->guesses ? tables * GUESSED_BYTES : bytes;
    if (bytes >= growth->limit - growth->limit / CLOSE_ENOUGH) {
        return true;
    }
    growth->next = next_look(growth, tables, bytes);
    return false;
}
