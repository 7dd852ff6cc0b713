/*
 * Which statements a session has prepared, and by what names. Pure bookkeeping: whoever has the connection sends Parse and
 * DEALLOCATE. One per session, one thread.
 *
 *     cache_use for each statement ──► fresh: send its Parse; its result sets `confirmed`
 *     cache_end_round after each round trip ──► the names to close
 *     cache_forget_unconfirmed when one failed
 *
 * A statement that is used for the first time goes by the unnamed statement, which the next one replaces; until then it is used
 * again as it is, for one row after the other. When it comes again after others, not more of them than may have a name, it gets
 * a name. So a thousand tables that change once leave nothing in the server, and neither do a hundred thousand in turn.
 */
#pragma once

#include "statement.h"

typedef struct StatementCache StatementCache;

typedef struct CachedStatement {
    const char *name; /* "" for the unnamed statement */
    bool fresh;       /* its Parse has to be sent */
    bool again;       /* it is the one that was used last, for another row */
    bool *
        confirmed; /* to be set when the Parse went through; NULL when nobody asks. Lives until the round ends */
} CachedStatement;

/* named: how many may have a name from one round trip to the next; twice as many are remembered. */
StatementCache *cache_new(size_t named);
void cache_free(StatementCache *cache);

/* The statement of relation and shape. Another call may end the life of what the last one gave, `confirmed` excepted. */
CachedStatement cache_use(StatementCache *cache, const ApplyRelation *relation, const Shape *shape);

/* Something else is sent, which takes the unnamed statement. */
void cache_interrupt(StatementCache *cache);

/* All that was sent in the round trip has succeeded. Calls close for each name to let go of, the least used first. */
void cache_end_round(StatementCache *cache, void (*close)(void *context, const char *name), void *context);

/* Something has failed: behind it the server did not take Parses. */
void cache_forget_unconfirmed(StatementCache *cache);

/* How many have a name. */
size_t cache_named(const StatementCache *cache);
