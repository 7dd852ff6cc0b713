/*
 * How much memory the server's process of a session has taken, which a server gives back only at the session's end: when it is
 * time for another one. One per worker, one thread.
 *
 *     growth_begin for each new session ──► growth_reached after each batch, outside transactions
 */
#pragma once

#include "session.h"

typedef struct Growth {
    size_t limit;  /* bytes that the process may take */
    size_t tables; /* that the session may write to, whatever they take */
    bool guesses;  /* the server does not say what its process takes */
    size_t next;   /* number of tables at which it is asked again */
} Growth;

void growth_begin(Growth *growth);

/* True when the session should be made anew. Asks the server, where the answer may have become another one. */
bool growth_reached(Growth *growth, Session *session);
