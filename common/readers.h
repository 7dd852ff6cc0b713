/*
 * More sessions of the server that a session is on, to read with: each is sent a statement, the answers are taken in turns, so that
 * the server, or the way to it, works on several at a time.
 *
 *     readers_open ──► readers_run, again and again ──► readers_free
 *
 * The statement of one number always goes to the same session, whose caches know its relations from the last time. The session
 * that leads takes its turn like the others. Belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "database.h"
#include "error.h"
#include "text.h"

typedef struct Readers Readers;

/* What is read: the statement of that number (false: there is none any more), and what came of it, in the order of numbers. */
typedef struct Reading {
    void *context;
    bool (*ask)(void *context, size_t number, Text *sql);
    void (*take)(void *context, size_t number, const PGresult *rows);
} Reading;

/*
 * Up to count sessions beside lead, which uri led to, each "penstock PURPOSE". As many as there can be: where the server has
 * none left, or uri leads to another one now, there are fewer. lead is borrowed, and has to outlive them. The caller frees
 * them with readers_free.
 */
Readers *readers_open(Database *lead, DatabaseEnd end, const char *uri, const char *purpose, int count);
void readers_free(Readers *readers); /* NULL is none */

/* How many read at a time; 1 where there are none. */
size_t readers_width(const Readers *readers);

/* The pids of their backends as an array of SQL, "{…}"; borrowed. */
const char *readers_pids(const Readers *readers);

/*
 * Asks all that there is to ask, within the limits of lead, which need not be the lead that they were opened with: with another
 * one, and once one of them has failed, lead reads alone. An error leaves readers that can only be freed.
 */
int readers_run(Readers *readers, Database *lead, const Reading *reading, Error *error) MUST_CHECK;
