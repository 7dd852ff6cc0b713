/*
 * One document of the whole state, which `penstock status`, the page, the metrics and the report show. It is made in steps, so
 * that all but the first can be tested without servers:
 *
 *     gather.c, files.c, schema.c: both servers ──► the document ──► health.c: what needs attention
 *                                                               ├──► ready.c: whether the cutover may begin
 *                                                               └──► next.c: what to do now
 *
 * at.c reads it, figures.c says its numbers to people.
 */
#pragma once

#include <jansson.h>

#include "command.h"
#include "database.h"

#define VIEW_TABLES 20

/* The connections, kept open between two looks; NULL while one is lost. */
typedef struct ViewSession {
    const Settings *settings;
    Database *target;
    Database *source;
    bool tables;     /* add the list of tables: the busiest */
    bool all_tables; /* or all of them */
    bool schema;     /* compare what is defined … */
    bool once;       /* … which is done unasked where DDL is only watched */
} ViewSession;

/*
 * Looks at both servers. The target must answer; a source that does not is part of the document. The caller
 * owns *document.
 */
int view_gather(ViewSession *session, json_t **document, Error *error) MUST_CHECK;

/* Adds "drift", the differences of the two schemas as texts, where it is wanted. In schema.c. */
int view_gather_schema(const ViewSession *session, json_t *document, Error *error) MUST_CHECK;
void view_close(ViewSession *session);

/* Adds "proxy_files" of a migration that is switched: [{"file", "as_switched": true, false or null, "says"}]; see files.c. */
int view_gather_files(ViewSession *session, json_t *document, Error *error) MUST_CHECK;

/*
 * What needs attention: [{"id", "reason"}], the worst first, empty when all is well. Ids stay the same from version to
 * version. The caller owns it.
 */
json_t *view_health(const json_t *document);

/* {"now", "because"}: whether the cutover may begin, after view_health. The caller owns it. */
json_t *view_ready(const json_t *document);

/* What the operator should do now: one sentence, static. */
const char *view_next(const json_t *document);

/* "12.3 MB", "12,345", "3 min 20 s". They return out. */
char *view_bytes(double bytes, char *out, size_t size);
char *view_count(double count, char *out, size_t size);
char *view_duration(double seconds, char *out, size_t size);

/* text, or, when it is no UTF-8, a copy with \u00NN for each byte that is none, and text is freed; NULL for NULL. */
char *view_valid_json(char *text);

/* The JSON in text, which is freed; null for none. Bytes that are no UTF-8 become \u00NN. */
json_t *view_take_json(char *text);

/* The value at a path like "applier.state", or NULL. */
const json_t *view_at(const json_t *document, const char *path);
const char *view_text(const json_t *document, const char *path); /* "" where there is none */
double view_number(const json_t *document, const char *path);    /* -1 where there is none */
bool view_true(const json_t *document, const char *path);

/* Whether the migration is in that phase, and whether its cutover or rollback has begun and neither ended nor was undone. */
bool view_in_phase(const json_t *document, const char *phase);

/* After the switch: the slot is dropped, and the applier has ended. What the source writes since is no lag. */
bool view_stream_is_over(const json_t *document);
bool view_cutover_open(const json_t *document);
bool view_rollback_open(const json_t *document);

/*
 * The slot is gone with what happened since; the applier has ended with an error; some tables cannot be kept right by it any more.
 */
bool view_slot_lost(const json_t *document);
bool view_applier_failed(const json_t *document);
bool view_copy_again(const json_t *document);

/* After the switch the source does not follow the target. */
bool view_way_back_stands_still(const json_t *document);

/* Whether changes are being applied at this moment. */
bool view_applying(const json_t *document);
