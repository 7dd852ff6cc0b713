/*
 * The entries that a rehearsal plays with: who plays, and the lines in the file. Private to this folder.
 */
#pragma once

#include "pgbouncer/pgbouncer.h"
#include "text.h"

/* Somebody as whom PgBouncer logs in at the server for an entry. */
typedef struct Player {
    const char *entry; /* borrowed */
    char *line;        /* the entry's */
    char *user;
    char *password; /* of its clients; NULL: not known */
    bool forced;    /* the line names the user itself */
} Player;

typedef struct Rehearsal {
    Proxy *proxy;
    const ProxyContext *context;
    const PGresult *config;
    Player *players;
    size_t count, room;
    bool silent;     /* nobody to log in as: the lines are there, and nobody uses them */
    char target[32]; /* its system identifier */
    Text untried;
} Rehearsal;

/* The name of an entry for the number-th player: as is "" where the line forces the user, "_plain" where a client comes under
 * its own name; when is "now" or "next". */
void stage_name(size_t number, const char *as, const char *when, char out[64]);

/* The lines for all players, which the caller frees. */
char *stage_lines(const Rehearsal *all);

/* Makes the file itself have those lines behind all others, or none of ours (NULL); what it includes stays. */
int stage_set(Proxy *proxy, const char *block, Error *error) MUST_CHECK;

/* Takes the lines away, so that the file is before again, byte for byte, unless somebody else has changed it; and reloads. */
int stage_strike(Proxy *proxy, const char *before, Error *error) MUST_CHECK;
