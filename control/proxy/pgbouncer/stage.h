/*
 * The entries that a rehearsal plays with: who plays, and the lines in the file. Private to this folder.
 */
#pragma once

#include "pgbouncer/pgbouncer.h"
#include "text.h"

/* Somebody as whom PgBouncer logs in at the server for an entry. */
typedef struct Player {
    char *entry;
    char *line; /* the entry's */
    char *user;
    char *password; /* NULL: not known; of its clients, or the line's where that forces the user */
    bool forced;    /* the line names the user itself */
    bool unseen;    /* whether he gets in where clients are now is not known */
} Player;

typedef struct Rehearsal {
    Proxy *proxy;
    const ProxyContext *context;
    const PGresult *config;
    const BlockKey *key; /* of its lines */
    Player *players;
    size_t count, room;
    bool silent;     /* nobody to log in as: the lines are there, and nobody uses them */
    char target[32]; /* its system identifier */
    Text untried;
    Text later; /* who can only be tried after the copy */
} Rehearsal;

/* The name of an entry for the number-th player: as is "" where the line forces the user, "_plain" where a client comes under
 * its own name; when is "now" or "next". */
void stage_name(const BlockKey *key, size_t number, const char *as, const char *when, char out[64]);

/* Whether text, of the file itself, has the lines of that key. */
bool stage_stands(const char *text, const BlockKey *key);

/* Makes the file itself have those lines, or none of that key (NULL); what it includes stays.
 * With keep, what was there stays beside it. Only by who has the files. */
int stage_set(Proxy *proxy, const BlockKey *key, const char *lines, bool keep, Error *error) MUST_CHECK;

/* Puts all players' lines into the file and reloads it. */
int stage_build(const Rehearsal *all, bool keep, Error *error) MUST_CHECK;

/* Takes the lines away, so that the file is what it was, byte for byte, but for what somebody else has changed; and reloads. */
int stage_strike(Proxy *proxy, const BlockKey *key, Error *error) MUST_CHECK;

/* --- rehearse.c --- */

/* Fills all->players; the caller frees them with rehearsal_dismiss, whatever is returned. */
int rehearsal_cast(Rehearsal *all, const char *text, char *const *entries, Error *error) MUST_CHECK;
void rehearsal_dismiss(Rehearsal *all);

/* How a login comes into one of our entries: as "" the console's user, who becomes the player, or "_plain" the player itself. */
typedef struct Way {
    const char *as;
    const char *user, *password; /* of the client; borrowed */
} Way;

/* The way in which the number-th player gets in where clients are now; false when there is none. */
bool rehearsal_way(const Rehearsal *all, size_t number, Way *way);
