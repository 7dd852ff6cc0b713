/*
 * `penstock status`: one look, or with --watch one each second until Ctrl-C. While watching, a target that goes away is
 * shown and tried again. With --exit-code, one look whose exit status says whether something needs attention.
 */
#include "status.h"

#include <poll.h>
#include <string.h>

#include "terminal.h"

#define WATCH_MS 1000
#define CLEAR_SCREEN "\033[H\033[2J"

typedef struct StatusOptions {
    bool watch;
    bool tables;
    bool all;
    bool exit_code;
    bool schema;
} StatusOptions;

/* Returns early when a signal comes. */
static void pause_ms(int milliseconds)
{
    if (!interrupted()) {
        poll(NULL, 0, milliseconds);
    }
}

static void show_screen(const json_t *document, StatusTrail *trail)
{
    status_trail_add(trail, document);
    fputs(CLEAR_SCREEN, stdout);
    status_screen(stdout, document, trail, terminal_width(), terminal_height());
    fflush(stdout);
}

static void show(const Settings *settings, const json_t *document, bool watch)
{
    if (settings->json) {
        json_dumpf(document, stdout, watch ? JSON_COMPACT : JSON_INDENT(2));
        fputc('\n', stdout);
    } else {
        status_print(stdout, document, watch);
        fputs(watch ? "\n" : "", stdout);
    }
    fflush(stdout);
}

static ExitStatus look_once(ViewSession *session, bool exit_code, Error *error)
{
    json_t *document = NULL;
    if (view_gather(session, &document, error) != 0) {
        return EXIT_FAILED;
    }
    show(session->settings, document, false);
    bool well = json_array_size(view_at(document, "health")) == 0;
    json_decref(document);
    return exit_code && !well ? EXIT_ANSWER_NO : EXIT_DONE;
}

/* On a screen each time, with the time, so that it does not stand still; elsewhere once. */
static void show_failure(const Settings *settings, bool screen, const Error *error, const Error *before)
{
    fputs(screen ? CLEAR_SCREEN : "", stdout);
    fflush(stdout);
    if (screen || strcmp(error->message, before->message) != 0) {
        log_error(&settings->log, error);
    }
}

static ExitStatus watch(ViewSession *session)
{
    const Settings *settings = session->settings;
    bool screen = settings->terminal && !settings->json;
    StatusTrail trail = {.count = 0};
    Error before = {.code = ERROR_NONE};
    while (!interrupted() && !ferror(stdout)) {
        json_t *document = NULL;
        Error error = {.code = ERROR_NONE};
        if (view_gather(session, &document, &error) != 0) {
            show_failure(settings, screen, &error, &before);
        } else if (screen) {
            show_screen(document, &trail);
        } else {
            show(settings, document, true);
        }
        before = error;
        json_decref(document);
        pause_ms(WATCH_MS);
    }
    return EXIT_DONE;
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    const StatusOptions *options = input;
    ViewSession session = {.settings = settings,
                           .schema = options->schema,
                           .once = !options->watch,
                           .tables = options->tables || options->all,
                           .all_tables = options->all};
    ExitStatus status = options->watch ? watch(&session) : look_once(&session, options->exit_code, error);
    view_close(&session);
    return status;
}

enum { OPTION_EXIT_CODE = 256, OPTION_SCHEMA };

static const struct argp_option options[] = {
    {"watch", 'w', NULL, 0, "Look again each second until Ctrl-C", 0},
    {"tables", 't', NULL, 0, "List the 20 busiest tables, with their lanes", 0},
    {"all", 'a', NULL, 0, "List all tables", 0},
    {"schema", OPTION_SCHEMA, NULL, 0, "Compare what is defined on both sides", 0},
    {"exit-code", OPTION_EXIT_CODE, NULL, 0,
     "End with 1 when something needs attention, for cron and monitoring", 0},
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
    case 'a':
        parsed->all = true;
        return 0;
    case OPTION_SCHEMA:
        parsed->schema = true;
        return 0;
    case OPTION_EXIT_CODE:
        parsed->exit_code = true;
        return 0;
    case ARGP_KEY_END:
        if (parsed->watch && parsed->exit_code) {
            argp_error(state, "--exit-code is for one look, without --watch");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "\vShows what needs attention, how far behind the target is, how fast it catches up, phase, slot, "
           "copy, applier, what "
           "Penstock made on both servers, the last steps of the journal, and what to do next; with --watch "
           "only what changes. With --json, one document; with --watch --json, one line each "
           "second.",
};

const Command command_status = {
    .name = "status",
    .summary = "Show how far the migration is, and what to do next",
    .argp = &argp,
    .options_size = sizeof(StatusOptions),
    .run = run,
};
