/*
 * Options of `penstock serve`, and its life: until a signal.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "option.h"
#include "serve.h"

#define DEFAULT_LISTEN "127.0.0.1:9466"
#define TOKEN_SIZE 512
#define LEAST_TOKEN 16

typedef struct ServeOptions {
    const char *listen;
    const char *token_file;
    const char *notify;
    int notify_after;
    int notify_lag;
    int notify_wal_mb;
} ServeOptions;

/* "HOST:PORT", "[HOST]:PORT" or ":PORT" in two. */
static int split_address(const char *listen, char *host, size_t size, const char **port, Error *error)
{
    const char *colon = strrchr(listen, ':');
    size_t length = colon != NULL ? (size_t)(colon - listen) : 0;
    bool brackets = length > 1 && listen[0] == '[' && listen[length - 1] == ']';
    if (colon == NULL || colon[1] == '\0' || length >= size) {
        error_set(error, ERROR_USAGE, "\"%s\" is not HOST:PORT", listen);
        return error_hint(error, "For instance --listen %s.", DEFAULT_LISTEN);
    }
    snprintf(host, size, "%.*s", (int)(brackets ? length - 2 : length), brackets ? listen + 1 : listen);
    *port = colon + 1;
    return 0;
}

/* The first line of the file. */
static int read_token(const char *path, char token[TOKEN_SIZE], Error *error)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(error, ERROR_USAGE, "opening %s: %s", path, strerror(errno));
    }
    char *line = fgets(token, TOKEN_SIZE, file);
    bool shared = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0;
    fclose(file);
    token[line != NULL ? strcspn(token, "\r\n") : 0] = '\0';
    if (shared) {
        error_set(error, ERROR_USAGE, "others may read the token in %s", path);
        return error_hint(error, "Run `chmod 600 %s`.", path);
    }
    if (strlen(token) < LEAST_TOKEN) {
        error_set(error, ERROR_USAGE, "the token in %s has fewer than %d characters", path, LEAST_TOKEN);
        return error_hint(error, "`openssl rand -hex 24 > %s` makes one.", path);
    }
    return 0;
}

static ExitStatus serve(const Settings *settings, const HttpOptions *options, const NotifyOptions *notify,
                        Error *error)
{
    Board *board = NULL;
    Http *http = NULL;
    if (board_start(settings, notify, &board, error) != 0) {
        return EXIT_FAILED;
    }
    if (http_start(options, board, &http, error) != 0) {
        board_stop(board);
        return EXIT_FAILED;
    }
    bool brackets = strchr(options->host, ':') != NULL;
    log_line(&settings->log, LOG_INFO, "listening on http://%s%s%s:%s/", brackets ? "[" : "", options->host,
             brackets ? "]" : "", options->port);
    while (!interrupted()) {
        clock_pause_ms(1000);
    }
    http_stop(http);
    board_stop(board);
    return EXIT_DONE;
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    const ServeOptions *options = input;
    char host[256], token[TOKEN_SIZE];
    HttpOptions http = {.host = host};
    if (split_address(options->listen != NULL ? options->listen : DEFAULT_LISTEN, host, sizeof host,
                      &http.port, error) != 0 ||
        (options->token_file != NULL && read_token(options->token_file, token, error) != 0)) {
        return EXIT_USAGE;
    }
    http.token = options->token_file != NULL ? token : NULL;
    if (http.token == NULL && !http_is_local(host)) {
        error_set(error, ERROR_USAGE, "%s is not this machine alone, and there is no token", host);
        error_hint(error, "Give one with --token-file; whoever has it may see names of tables and errors.");
        return EXIT_USAGE;
    }
    const NotifyOptions notify = {
        .to = options->notify,
        .after = options->notify_after,
        .lag_seconds = options->notify_lag,
        .wal_bytes = (double)options->notify_wal_mb * (1 << 20),
        .log = &settings->log,
    };
    return serve(settings, &http, &notify, error);
}

enum {
    OPTION_LISTEN = 256,
    OPTION_TOKEN_FILE,
    OPTION_NOTIFY,
    OPTION_NOTIFY_AFTER,
    OPTION_NOTIFY_LAG,
    OPTION_NOTIFY_WAL,
};

static const OptionField fields[] = {
    OPTION_TEXT(OPTION_LISTEN, ServeOptions, listen),
    OPTION_TEXT(OPTION_TOKEN_FILE, ServeOptions, token_file),
    OPTION_TEXT(OPTION_NOTIFY, ServeOptions, notify),
    OPTION_NUMBER(OPTION_NOTIFY_AFTER, "notify-after", ServeOptions, notify_after, 0, 86400),
    OPTION_NUMBER(OPTION_NOTIFY_LAG, "notify-lag", ServeOptions, notify_lag, 1, 31536000),
    OPTION_NUMBER(OPTION_NOTIFY_WAL, "notify-wal", ServeOptions, notify_wal_mb, 1, 1 << 30),
};

static const struct argp_option options[] = {
    {"listen", OPTION_LISTEN, "HOST:PORT", 0, "Where to listen (" DEFAULT_LISTEN ")", 0},
    {"token-file", OPTION_TOKEN_FILE, "FILE", 0,
     "A token that has to be given to see anything; needed for every address that is not of this machine "
     "alone",
     0},
    {"notify", OPTION_NOTIFY, "COMMAND|URL", 0,
     "Run COMMAND, or POST to URL, when something needs attention, no longer does, or the phase changes", 0},
    {"notify-after", OPTION_NOTIFY_AFTER, "SECONDS", 0, "Tell what has stood for so long (10)", 0},
    {"notify-lag", OPTION_NOTIFY_LAG, "SECONDS", 0, "Tell when the target is further behind", 0},
    {"notify-wal", OPTION_NOTIFY_WAL, "MB", 0, "Tell when the source keeps more WAL", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    ServeOptions *parsed = state->input;
    if (key == ARGP_KEY_INIT) {
        parsed->notify_after = 10;
        return 0;
    }
    return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, parsed)
               ? 0
               : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "\vA page for a browser with what status shows, and charts of how it went; /metrics for "
           "Prometheus, /healthz for "
           "whoever asks whether all is well, /status.json for machines. It changes nothing, and needs the "
           "rights "
           "of status. It speaks plain HTTP: put a proxy with TLS before it where others listen on the way.",
};

const Command command_serve = {
    .name = "serve",
    .summary = "Show the migration in a browser, and to Prometheus",
    .argp = &argp,
    .options_size = sizeof(ServeOptions),
    .run = run,
};
