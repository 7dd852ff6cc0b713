/*
 * `penstock serve`: what `penstock status` knows, over HTTP, for a browser, for Prometheus and for whoever asks whether all is
 * well.
 *
 *     board.c  a thread looks at both servers each two seconds ──► the latest document, as JSON and as metrics
 *     notify.c whoever is to be told of a change is told from that thread
 *     http.c   libmicrohttpd's thread answers from there; history, tables and journal are read when they are asked for
 *     page.html  the page: one file, nothing from elsewhere
 *
 *     /            the page                      /history.json?hours=H   samples of penstock.history
 *     /status.json the document                  /tables.json?search=&sort=&offset=&limit=
 *     /metrics     OpenMetrics                   /journal.json           all steps
 *     /healthz     200 or 503, with the reasons
 *
 * It changes nothing anywhere. Everything but the page itself and /healthz asks for the token, where there is one; without
 * one it listens on this machine alone, and answers only when it is called by a name of this machine, so that no page of
 * somebody else's can read it through a browser.
 */
#pragma once

#include <jansson.h>

#include "command.h"
#include "database.h"
#include "notify.h"

#define BOARD_SECONDS 2

/* --- board.c --- */

typedef struct Board Board;

/* Starts the thread. settings and what notify points to live as long as the board. The caller ends it with board_stop. */
int board_start(const Settings *settings, const NotifyOptions *notify, Board **out, Error *error) MUST_CHECK;
void board_stop(Board *board);

/* What is asked for. Each gives a text that the caller frees; any thread. */
typedef enum BoardText { BOARD_STATUS, BOARD_METRICS, BOARD_OPENMETRICS, BOARD_HEALTH } BoardText;

/* The latest; *well says whether nothing needs attention. */
char *board_text(Board *board, BoardText which, bool *well);

typedef struct TablesWish {
    const char *search; /* part of a name, "" for all */
    const char *sort;   /* a column of the list, "" for what needs someone first */
    int offset;
    int limit;
} TablesWish;

/* Read from the target now; NULL, with the error, when that fails. */
char *board_history(Board *board, double hours, Error *error);
char *board_tables(Board *board, const TablesWish *wish, Error *error);
char *board_journal(Board *board, Error *error);

/* --- metrics.c --- */

typedef enum MetricsForm {
    METRICS_TEXT,
    METRICS_OPEN
} MetricsForm; /* Prometheus's older text format, OpenMetrics */

/* The document as metrics; age_seconds is how old it is, and document NULL when there is none. The caller frees it. */
char *metrics_text(const json_t *document, double age_seconds, MetricsForm form);

/* --- http.c --- */

typedef struct Http Http;

typedef struct HttpOptions {
    const char *host; /* an address of this machine */
    const char *port;
    const char *token; /* NULL: nobody is asked */
} HttpOptions;

/* Whether the address is this machine's own: 127.0.0.0/8, ::1 or localhost. */
bool http_is_local(const char *host);

/* Listens; the caller ends it with http_stop. ERROR_USAGE when the address cannot be used. */
int http_start(const HttpOptions *options, Board *board, Http **out, Error *error) MUST_CHECK;
void http_stop(Http *http);
