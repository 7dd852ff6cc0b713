/*
 * `penstock status` in three steps, so that the last two can be tested without servers:
 *
 *     gather.c: both servers ──► one JSON document ──► health.c: what needs attention
 *                                                 ├──► ready.c: whether the cutover may begin
 *                                                 ├──► next.c: what to do now
 *                                                 └──► print.c: the same for people
 */
#pragma once

#include <jansson.h>

#include "command.h"
#include "database.h"

#define STATUS_TABLES 20

/* The connections, kept open between two looks; NULL while one is lost. */
typedef struct StatusSession {
    const Settings *settings;
    Database *target;
    Database *source;
    bool tables;     /* add the list of tables: the busiest */
    bool all_tables; /* or all of them */
    bool schema;     /* compare what is defined … */
    bool once;       /* … which is done unasked where DDL is only watched */
} StatusSession;

/*
 * Looks at both servers. The target must answer; a source that does not is part of the document. The caller
 * owns *document.
 */
int status_gather(StatusSession *session, json_t **document, Error *error) MUST_CHECK;

/* Adds "drift", the differences of the two schemas as texts, where it is wanted. In schema.c. */
int status_gather_schema(const StatusSession *session, json_t *document, Error *error) MUST_CHECK;
void status_close(StatusSession *session);

/* Adds "proxy_files" of a migration that is switched: [{"file", "as_switched": true, false or null, "says"}]; see files.c. */
int status_gather_files(StatusSession *session, json_t *document, Error *error) MUST_CHECK;

/*
 * What needs attention: [{"id", "reason"}], the worst first, empty when all is well. Ids stay the same from version to
 * version. The caller owns it.
 */
json_t *status_health(const json_t *document);

/* {"now", "because"}: whether the cutover may begin, after status_health. The caller owns it. */
json_t *status_ready(const json_t *document);

/* What the operator should do now: one sentence, static. */
const char *status_next(const json_t *document);

/* All of it, the worst in the first line; with brief, what changes from one look to the next. */
void status_print(FILE *out, const json_t *document, bool brief);

#define STATUS_TRAIL 50

/* The lag at the last looks, the oldest first; -1 where it was not known. Zeroed it is empty. */
typedef struct StatusTrail {
    double lag[STATUS_TRAIL];
    int count;
} StatusTrail;
void status_trail_add(StatusTrail *trail, const json_t *document);

/* One screen for who watches: at most height - 1 lines of at most width characters, broken between words. */
void status_screen(FILE *out, const json_t *document, const StatusTrail *trail, int width, int height);

/* "12.3 MB", "12,345", "3 min 20 s". They return out. */
char *status_bytes(double bytes, char *out, size_t size);
char *status_count(double count, char *out, size_t size);
char *status_duration(double seconds, char *out, size_t size);

/* text, or, when it is no UTF-8, a copy with \u00NN for each byte that is none, and text is freed; NULL for NULL. */
char *status_valid_json(char *text);

/* The JSON in text, which is freed; null for none. Bytes that are no UTF-8 become \u00NN. */
json_t *status_take_json(char *text);

/* The value at a path like "applier.state", or NULL. */
const json_t *status_at(const json_t *document, const char *path);
const char *status_text(const json_t *document, const char *path); /* "" where there is none */
double status_number(const json_t *document, const char *path);    /* -1 where there is none */
bool status_true(const json_t *document, const char *path);

/* Whether the migration is in that phase, and whether its cutover or rollback has begun and neither ended nor was undone. */
bool status_in_phase(const json_t *document, const char *phase);

/* After the switch: the slot is dropped, and the applier has ended. What the source writes since is no lag. */
bool status_stream_is_over(const json_t *document);
bool status_cutover_open(const json_t *document);
bool status_rollback_open(const json_t *document);
