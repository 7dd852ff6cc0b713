/*
 * Two connections, each with a mutex of its own: that of the look, which the thread has to itself, and that of what is read when
 * it is asked for. A look that hangs (a server that does not answer) leaves the latest document standing, with its age; nobody
 * who asks for it waits.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "history.h"
#include "kinds.h"
#include "overview.h"
#include "serve.h"
#include "view.h"
#include "text.h"

#define READ_MS 10000 /* what a page waits for */
#define STALE_SECONDS 30.0

struct Board {
    const Settings *settings;
    ViewSession session; /* the thread's own */
    Notify *notify;      /* the same; NULL: nobody is told */
    pthread_t thread;

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;
    bool stopping;
    json_t *document; /* NULL: none yet, or the target does not answer */
    double taken;     /* clock_seconds of it */
    Error failure;    /* why there is none */

    pthread_mutex_t reading; /* of what follows */
    Database *database;
};

/* What has changed since the last look: a target that is away for an hour is one line, and another when it is back. */
static void say(const Board *board, const Error *now)
{
    const Error *before = &board->failure;
    if (now->code == ERROR_NONE && before->code != ERROR_NONE) {
        log_line(&board->settings->log, LOG_INFO, "the target answers again");
    } else if (now->code != ERROR_NONE && strcmp(now->message, before->message) != 0) {
        log_error(&board->settings->log, now);
    }
}

static void look(Board *board)
{
    json_t *document = NULL;
    Error error = {.code = ERROR_NONE};
    if (view_gather(&board->session, &document, &error) != 0) {
        json_decref(document);
        document = NULL;
    } else {
        error = (Error){.code = ERROR_NONE};
    }
    say(board, &error);
    if (board->notify != NULL) {
        notify_look(board->notify, document, clock_seconds());
    }
    pthread_mutex_lock(&board->mutex);
    json_decref(board->document);
    board->document = document;
    board->taken = clock_seconds();
    board->failure = error;
    pthread_mutex_unlock(&board->mutex);
}

static void *watch(void *argument)
{
    Board *board = argument;
    for (bool stopping = false; !stopping;) {
        look(board);
        struct timespec until = clock_after_ms(BOARD_SECONDS * 1000);
        pthread_mutex_lock(&board->mutex);
        while (!board->stopping && pthread_cond_timedwait(&board->wake, &board->mutex, &until) == 0) {
        }
        stopping = board->stopping;
        pthread_mutex_unlock(&board->mutex);
    }
    return NULL;
}

int board_start(const Settings *settings, const NotifyOptions *notify, Board **out, Error *error)
{
    Board *board = calloc(1, sizeof *board);
    *out = NULL;
    if (board == NULL) {
        return error_set(error, ERROR_SYSTEM, "out of memory");
    }
    board->settings = settings;
    board->session = (ViewSession){.settings = settings};
    board->notify = notify->to != NULL ? notify_new(notify) : NULL;
    pthread_mutex_init(&board->mutex, NULL);
    pthread_mutex_init(&board->reading, NULL);
    clock_condition(&board->wake);
    int status = pthread_create(&board->thread, NULL, watch, board);
    if (status != 0) {
        notify_free(board->notify);
        free(board);
        return error_set(error, ERROR_SYSTEM, "cannot start a thread: %s", strerror(status));
    }
    *out = board;
    return 0;
}

void board_stop(Board *board)
{
    if (board == NULL) {
        return;
    }
    pthread_mutex_lock(&board->mutex);
    board->stopping = true;
    pthread_cond_broadcast(&board->wake);
    pthread_mutex_unlock(&board->mutex);
    pthread_join(board->thread, NULL);
    view_close(&board->session);
    notify_free(board->notify);
    database_close(board->database);
    json_decref(board->document);
    pthread_cond_destroy(&board->wake);
    pthread_mutex_destroy(&board->mutex);
    pthread_mutex_destroy(&board->reading);
    free(board);
}

/* What /healthz says: a line for each reason. Under the mutex. */
static char *health(const Board *board, double age)
{
    Text text = {0};
    const json_t *reasons = view_at(board->document, "health"), *reason;
    size_t index;
    if (board->document == NULL) {
        text_printf(&text, "target-unreachable: %s\n",
                    board->failure.code != ERROR_NONE ? board->failure.message : "not looked at yet");
    } else if (age > STALE_SECONDS) {
        text_printf(&text, "no-answer: no server has answered for %.0f s\n", age);
    }
    json_array_foreach(reasons, index, reason)
    {
        text_printf(&text, "%s: %s\n", view_text(reason, "id"), view_text(reason, "reason"));
    }
    if (text.size == 0) {
        text_append(&text, "ok\n");
    }
    return text.data;
}

static char *status_json(const Board *board, double age)
{
    if (board->document == NULL) {
        char number[ERROR_NUMBER_SIZE];
        json_t *failure = json_pack("{s:s, s:s}", "error", board->failure.message, "number",
                                    error_number(&board->failure, number));
        char *text = failure != NULL ? json_dumps(failure, 0) : NULL;
        json_decref(failure);
        return text != NULL ? text : strdup("{}");
    }
    json_object_set_new(board->document, "look_age_seconds", json_real(age));
    return json_dumps(board->document, JSON_COMPACT);
}

char *board_text(Board *board, BoardText which, bool *well)
{
    pthread_mutex_lock(&board->mutex);
    double age = board->document != NULL ? clock_seconds() - board->taken : 0;
    *well = board->document != NULL && age <= STALE_SECONDS &&
            json_array_size(view_at(board->document, "health")) == 0;
    const json_t *fresh = age <= STALE_SECONDS ? board->document : NULL;
    char *text = which == BOARD_STATUS        ? status_json(board, age)
                 : which == BOARD_METRICS     ? metrics_text(fresh, age, METRICS_TEXT)
                 : which == BOARD_OPENMETRICS ? metrics_text(fresh, age, METRICS_OPEN)
                                              : health(board, age);
    pthread_mutex_unlock(&board->mutex);
    return text;
}

/* --- what is read when it is asked for --- */

/* A connection whose calls end after READ_MS. Under the mutex of reading. */
static int connect_reader(Board *board, Error *error)
{
    const QueryLimits limits = {.deadline = clock_ms() + READ_MS};
    if (board->database != NULL && PQstatus(database_connection(board->database)) == CONNECTION_OK) {
        database_limit(board->database, limits);
        return 0;
    }
    database_close(board->database);
    board->database = NULL;
    return database_connect_within(board->settings->target, DATABASE_TARGET, "serve", limits,
                                   &board->database, error);
}

/* What is read: wish is of its own kind. */
typedef int (*Read)(Database *database, const char *migration, const void *wish, char **text, Error *error);

/* There is nothing to read before the first copy. */
static char *read_now(Board *board, Read read, const void *wish, Error *error)
{
    char *text = NULL;
    bool there = false;
    pthread_mutex_lock(&board->reading);
    int status = connect_reader(board, error);
    if (status == 0) {
        status = database_found(board->database, &there, error, "SELECT to_regclass('penstock.history')", 0);
    }
    if (status == 0 && there) {
        status = read(board->database, board->settings->migration, wish, &text, error);
    }
    pthread_mutex_unlock(&board->reading);
    if (status != 0) {
        free(text);
        return NULL;
    }
    return text != NULL ? view_valid_json(text) : strdup("[]");
}

static int read_history(Database *database, const char *migration, const void *wish, char **text,
                        Error *error)
{
    return state_history(database, migration, *(const double *)wish, text, error);
}

static int read_tables(Database *database, const char *migration, const void *wish, char **text, Error *error)
{
    const TablesWish *tables = wish;
    return state_tables_page(database, migration, tables->search, tables->sort, tables->offset, tables->limit,
                             text, error);
}

static int read_journal(Database *database, const char *migration, const void *wish, char **text,
                        Error *error)
{
    (void)wish;
    return state_journal_list(database, migration, text, error);
}

char *board_history(Board *board, double hours, Error *error)
{
    return read_now(board, read_history, &hours, error);
}

char *board_tables(Board *board, const TablesWish *wish, Error *error)
{
    return read_now(board, read_tables, wish, error);
}

char *board_journal(Board *board, Error *error)
{
    return read_now(board, read_journal, NULL, error);
}
