/*
 * The fence around the source database: from when it stands, no application can write there.
 *
 * Per database, not per server: CONNECTION LIMIT 0 turns new sessions away (superusers excepted),
 * default_transaction_read_only makes those that still get in read-only, and every client session that began before is
 * ended. Walsenders stay: the applier must read the end of the stream. The role that fences must be superuser, or it
 * would shut itself out; every connection that database_connect makes begins read-write whatever the default is.
 *
 * A superuser who insists (SET default_transaction_read_only = off) is not stopped by this: preflight names them.
 */
#pragma once

#include <jansson.h>

#include "database.h"
#include "error.h"

/* Puts into detail what fence_lift needs: the settings as they are now. */
int fence_remember(Database *source, json_t *detail, Error *error) MUST_CHECK;

/*
 * A fence whose detail has "readers": true leaves the door open: there is no connection limit, and who comes in is read-only, but
 * can say otherwise. What they write is noticed (prove.c), not prevented.
 */
bool fence_leaves_readers(const json_t *detail);

/*
 * Raises the fence, stops who would pass it (passers.h, of detail), and ends sessions until none is left, for at most limit_ms;
 * ERROR_LIMIT names those that stay. spare_ours: but for those of Penstock itself, which go by their application_name.
 * spared: nor those of these pids, an array of SQL: sessions of the caller's own.
 */
int fence_raise(Database *source, const json_t *detail, bool spare_ours, const char *spared, int limit_ms,
                bool (*stop)(void), Error *error) MUST_CHECK;

/* What follows ALTER DATABASE name to open it again, from the detail of fence_remember. */
typedef struct FenceBefore {
    char limit[64];
    char read_only[128];
    char mark[32]; /* "" for most */
} FenceBefore;

int fence_before(const json_t *detail, FenceBefore *out, Error *error) MUST_CHECK;

/* Puts the settings back as fence_remember found them. */
int fence_lift(Database *source, const json_t *detail, Error *error) MUST_CHECK;

/*
 * Half open, from the detail of fence_remember: logins are let in, and none of them writes, unless it says READ WRITE. So who comes
 * through a proxy that leads there too early gets an error, and nothing is written that would have to be undone.
 */
int fence_half_open(Database *side, json_t *detail, Error *error) MUST_CHECK;

/* Opens it whole, and ends the sessions that began while it was half open: they would be read-only as long as they last. */
int fence_open(Database *side, const json_t *detail, int limit_ms, Error *error) MUST_CHECK;

/* The statements of fence_lift for people, "on the SIDE: ALTER DATABASE …". */
void fence_advise(const char *database, const char *side, const json_t *detail, char *out, size_t size);
