/*
 * `penstock status`: one look, or with --watch one each second until Ctrl-C.
 *
 * A single look takes a second sample shortly after the first while the applier runs, so that the rates are
 * those of now and not of its whole life. While watching, a target that goes away is shown and tried again.
 */
#include "status.h"

#include <poll.h>
#include <string.h>

#define WATCH_MS 1000
#define SAMPLE_MS 600
#define CLEAR_SCREEN "\033[H\033[2J"

typedef struct StatusOptions {
    bool watch;
    bool tables;
} StatusOptions;

/* Returns early when a signal comes. */
static void pause_ms(int milliseconds)
{
    if (!interrupted()) {
        poll(NULL, 0, milliseconds);
    }
}

static void show(const Settings *settings, const json_t *document, bool watch)
{
    if (settings->json) {
        json_dumpf(document, stdout, watch ? JSON_COMPACT : JSON_INDENT(2));
        fputc('\n', stdout);
    } else {
        fputs(watch && settings->terminal ? CLEAR_SCREEN : "", stdout);
        status_print(stdout, document);
        fputs(watch && !settings->terminal ? "\n" : "", stdout);
    }
    fflush(stdout);
}

static ExitStatus look_once(StatusSession *session, Error *error)
{
    json_t *first = NULL, *second = NULL;
    if (status_gather(session, NULL, &first, error) != 0) {
        return EXIT_FAILED;
    }
    if (strcmp(status_text(first, "applier.state"), "streaming") == 0 &&
        status_true(first, "running.applier")) {
        pause_ms(SAMPLE_MS);
        if (status_gather(session, first, &second, error) != 0) {
            json_decref(first);
            return EXIT_FAILED;
        }
    }
    show(session->settings, second != NULL ? second : first, false);
    json_decref(second);
    json_decref(first);
    return EXIT_DONE;
}

static ExitStatus watch(StatusSession *session)
{
    json_t *previous = NULL, *document = NULL;
    while (!interrupted() && !ferror(stdout)) {
        Error error = {.code = ERROR_NONE};
        if (status_gather(session, previous, &document, &error) == 0) {
            show(session->settings, document, true);
            json_decref(previous);
            previous = document;
        } else {
            log_error(&session->settings->log, &error);
        }
        pause_ms(WATCH_MS);
    }
    json_decref(previous);
    return EXIT_DONE;
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    const StatusOptions *options = input;
    StatusSession session = {.settings = settings, .tables = options->tables};
    ExitStatus status = options->watch ? watch(&session) : look_once(&session, error);
    status_close(&session);
    return status;
}

static const struct argp_option options[] = {
    {"watch", 'w', NULL, 0, "Look again each second until Ctrl-C", 0},
    {"tables", 't', NULL, 0, "List the tables too", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    StatusOptions *parsed = state->input;
    (void)argument;
    switch (key) {
    case 'w':
        parsed->watch = true;
        return 0;
    case 't':
        parsed->tables = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "\vShows phase, slot, copy, applier, lag, what Penstock made on both servers, the last steps of "
           "the journal, and what to do next. With --json, one document; with --watch --json, one line each "
           "second.",
};

const Command command_status = {
    .name = "status",
    .summary = "Show how far the migration is, and what to do next",
    .argp = &argp,
    .options_size = sizeof(StatusOptions),
    .run = run,
};
