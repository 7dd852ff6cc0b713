/*
 * The gate: a listener on 127.0.0.1 that accepts connections and keeps them waiting, and later leads each to a
 * server.
 *
 * It is a process of its own and outlives the one that started it: what waits in it goes on waiting when the
 * operator's command dies. It is commanded by its port alone, through a socket in Linux's abstract namespace
 * that only the same user (or root) may use, so a later process needs to know nothing but the port. Two parts
 * begin each other again should one die: the port stays open. What is lost with the one that serves are the
 * connections that were in it; with the one that keeps the port, nothing.
 *
 *     hold ──► open ──► ending ──► (gone, when its last connection has ended, and nobody tries again to log in)
 *      └── by itself, to where clients came from, when whoever answers for the hold is gone and its time is over
 *
 * A gate that is ending closes idle sessions after 5 seconds without a byte; a query or an open transaction it lets end,
 * however long that takes. A connection in TLS cannot be looked into: it is closed after an hour without a byte.
 *
 * Linux only.
 */
#pragma once

#include <stdbool.h>

#include "error.h"
#include "gate_answer.h"

/* Takes a port: *port, or any when that is 0. The caller closes *fd, or gives it to gate_start. */
int gate_take_port(int *port, int *fd, Error *error) MUST_CHECK;

/* Starts a gate on the port that gate_take_port took; it holds. Takes over fd. What goes wrong in it is
 * appended to log. */
int gate_start(int port, int fd, const char *log, Error *error) MUST_CHECK;

/* True when a gate answers on port. */
bool gate_answers(int port, GateAnswer *answer);

/*
 * The calling process answers for the hold from now on: once it is gone and limit_ms have passed, the gate opens by itself to
 * host and port, where its clients came from, so that nobody is held by nobody. May be said again, by another process, too.
 * ERROR_STATE when the gate does not hold any more.
 */
int gate_guard(int port, int limit_ms, const char *host, const char *server_port, Error *error) MUST_CHECK;

/* How many connections a gate that this process starts can take: it raises its limit of descriptors as far as it may. */
int gate_most(void);

/* Leads what waits, and what comes, to host and port. */
int gate_open(int port, const char *host, const char *server_port, Error *error) MUST_CHECK;

/* Ends an open gate once its last connection has ended; a minute after the last login through it that failed (splice.h). */
int gate_end(int port, Error *error) MUST_CHECK;
