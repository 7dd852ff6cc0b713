/*
 * penstock proxy show and penstock proxy set. `show` asks the proxies alone: which of the places is the source or the
 * target is told by comparing addresses with --source and --target. `set` looks at every server that it is to lead to.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "database.h"
#include "gate.h"
#include "number.h"
#include "proxies.h"
#include "proxy.h"

#define MAX_PROXIES 32

typedef enum Action { ACTION_NONE, ACTION_SHOW, ACTION_SET } Action;

typedef struct ProxiesOptions {
    Action action;
    const char *proxies[MAX_PROXIES];
    size_t proxy_count;
    ProxyWish wish;
    bool has_primary;
    bool dry_run;
    bool undo;
} ProxiesOptions;

enum {
    OPTION_PROXY = 0x300,
    OPTION_PRIMARY,
    OPTION_REPLICA,
    OPTION_SPLIT,
    OPTION_MIRROR,
    OPTION_ACCEPT_PREPARED,
    OPTION_DRY_RUN,
    OPTION_UNDO,
};

static const struct argp_option proxies_options[] = {
    {"proxy", OPTION_PROXY, "KIND:...", 0, "As for cutover. May be repeated with show", 0},
    {"primary", OPTION_PRIMARY, "HOST:PORT", 0, "set: the server that takes writes", 1},
    {"replica", OPTION_REPLICA, "HOST:PORT", 0, "set: a server for reads. May be repeated", 1},
    {"split", OPTION_SPLIT, "on|off", 0, "set: send reads to the replicas", 1},
    {"mirror", OPTION_MIRROR, "HOST:PORT", 0,
     "set: a server that everything is sent to, too. May be repeated", 1},
    {"accept-prepared", OPTION_ACCEPT_PREPARED, NULL, 0,
     "set: split although prepared statements that write may go to a replica", 1},
    {"dry-run", OPTION_DRY_RUN, NULL, 0, "set: check everything and say what would change", 1},
    {"undo", OPTION_UNDO, NULL, 0, "set: take the last one back", 1},
    {0}};

static void read_place(const char *text, const char *option, Endpoint *out, struct argp_state *state)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    long port = colon != NULL ? strtol(colon + 1, &end, 10) : 0;
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof out->host || *end != '\0' ||
        port < 1 || port > 65535) {
        argp_error(state, "--%s wants HOST:PORT, not \"%s\"", option, text);
        return;
    }
    snprintf(out->host, sizeof out->host, "%.*s", (int)(colon - text), text);
    snprintf(out->port, sizeof out->port, "%ld", port);
}

static void read_more(const char *text, const char *option, Endpoint *places, size_t *count,
                      struct argp_state *state)
{
    if (*count == PROXY_PLACES) {
        argp_error(state, "at most %d of --%s", PROXY_PLACES, option);
    }
    read_place(text, option, &places[(*count)++], state);
}

static ProxySplit read_split(const char *text, struct argp_state *state)
{
    if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0) {
        argp_error(state, "--split is on or off, not \"%s\"", text);
    }
    return strcmp(text, "on") == 0 ? SPLIT_ON : SPLIT_OFF;
}

static Action read_action(const char *text, const ProxiesOptions *options, struct argp_state *state)
{
    if (options->action != ACTION_NONE || (strcmp(text, "show") != 0 && strcmp(text, "set") != 0)) {
        argp_error(state, "say show or set, once, not \"%s\"", text);
    }
    return strcmp(text, "show") == 0 ? ACTION_SHOW : ACTION_SET;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    ProxiesOptions *options = state->input;
    ProxyWish *wish = &options->wish;
    switch (key) {
    case OPTION_PROXY:
        if (options->proxy_count == MAX_PROXIES) {
            argp_error(state, "at most %d proxies", MAX_PROXIES);
        }
        options->proxies[options->proxy_count++] = argument;
        return 0;
    case OPTION_PRIMARY:
        options->has_primary = true;
        read_place(argument, "primary", &wish->primary, state);
        return 0;
    case OPTION_REPLICA:
        read_more(argument, "replica", wish->replicas, &wish->replica_count, state);
        return 0;
    case OPTION_MIRROR:
        read_more(argument, "mirror", wish->mirrors, &wish->mirror_count, state);
        return 0;
    case OPTION_SPLIT:
        wish->split = read_split(argument, state);
        return 0;
    case OPTION_ACCEPT_PREPARED:
        wish->accept_prepared = true;
        return 0;
    case OPTION_DRY_RUN:
        options->dry_run = true;
        return 0;
    case OPTION_UNDO:
        options->undo = true;
        return 0;
    case ARGP_KEY_ARG:
        options->action = read_action(argument, options, state);
        return 0;
    case ARGP_KEY_END:
        if (options->action == ACTION_NONE) {
            argp_error(state, "say what to do: show or set");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp proxies_argp = {
    .options = proxies_options, .parser = parse_option, .args_doc = "show|set"};

/* --- places --- */

/* The value of a connection string's keyword, or libpq's default for it; "" when there is none. */
static void conninfo_value(const char *uri, const char *keyword, char *out, size_t size)
{
    PQconninfoOption *all = uri != NULL ? PQconninfoParse(uri, NULL) : NULL;
    PQconninfoOption *defaults = PQconndefaults();
    PQconninfoOption *sets[] = {all, defaults};
    *out = '\0';
    for (size_t set = 0; set < 2; set++) {
        for (PQconninfoOption *one = sets[set]; *out == '\0' && one != NULL && one->keyword != NULL; one++) {
            if (strcmp(one->keyword, keyword) == 0 && one->val != NULL) {
                snprintf(out, size, "%s", one->val);
            }
        }
        PQconninfoFree(sets[set]);
    }
}

static bool is_local(const char *host)
{
    return *host == '\0' || *host == '/' || strcmp(host, "localhost") == 0 ||
           strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

static bool leads_to(const char *uri, const char *host, const char *port)
{
    char our_host[256], our_port[16];
    if (uri == NULL || *uri == '\0') {
        return false;
    }
    conninfo_value(uri, "host", our_host, sizeof our_host);
    conninfo_value(uri, "port", our_port, sizeof our_port);
    return strcmp(our_port, port) == 0 &&
           (strcmp(our_host, host) == 0 || (is_local(our_host) && is_local(host)));
}

static const char *which_is(const Settings *settings, const char *host, const char *port)
{
    if (leads_to(settings->source, host, port)) {
        return "the source";
    }
    if (leads_to(settings->target, host, port)) {
        return "the target";
    }
    return is_local(host) && gate_answers(number_int(port), &(GateAnswer){0}) ? "a gate" : "another";
}

/* --- show --- */

typedef struct Opened {
    ProxySpec spec;
    const ProxyOperations *operations;
    Proxy *proxy;
} Opened;

static int open_proxy(const Settings *settings, const char *text, Opened *out, Error *error)
{
    char database[64];
    *out = (Opened){0};
    if (proxy_spec_parse(text, &out->spec, error) != 0) {
        return -1;
    }
    conninfo_value(settings->source, "dbname", database, sizeof database);
    out->operations = proxy_operations(&out->spec, error);
    return out->operations == NULL
               ? -1
               : out->operations->open(&out->spec, settings->migration, database, &out->proxy, error);
}

static void close_proxy(Opened *opened)
{
    if (opened->proxy != NULL) {
        opened->operations->close(opened->proxy);
    }
    proxy_spec_free(&opened->spec);
}

static int show_one(const Settings *settings, const char *text, json_t *all, Error *error)
{
    Opened opened;
    json_t *rows = NULL, *row;
    size_t i;
    int status = open_proxy(settings, text, &opened, error);
    if (status == 0) {
        status = opened.operations->show(opened.proxy, &rows, error);
    }
    json_array_foreach(rows, i, row)
    {
        const char *host = json_string_value(json_object_get(row, "host"));
        const char *port = json_string_value(json_object_get(row, "port"));
        json_object_set_new(row, "proxy", json_string(opened.operations->name));
        json_object_set_new(row, "is", json_string(which_is(settings, host, port)));
        json_array_append(all, row);
    }
    json_decref(rows);
    close_proxy(&opened);
    return status;
}

/* One that does not answer does not hide the others; the first error is told at the end. */
static ExitStatus show(const Settings *settings, const ProxiesOptions *options, Error *error)
{
    json_t *all = json_array();
    int status = 0;
    for (size_t i = 0; i < options->proxy_count; i++) {
        Error one = {0};
        if (show_one(settings, options->proxies[i], all, &one) != 0 && status == 0) {
            *error = one;
            status = -1;
        }
    }
    if (settings->json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        printf("\n");
    } else if (json_array_size(all) > 0) {
        proxies_print_rows(all, stdout);
    }
    json_decref(all);
    return status == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* --- set --- */

static int check_options(const ProxiesOptions *options, Error *error)
{
    const ProxyWish *wish = &options->wish;
    if (options->proxy_count != 1) {
        return error_set(error, ERROR_USAGE, "penstock proxy set wants one --proxy");
    }
    if (options->undo && (options->has_primary || wish->replica_count > 0 || wish->mirror_count > 0 ||
                          wish->split != SPLIT_AS_IT_IS)) {
        return error_set(error, ERROR_USAGE, "--undo takes the last one back, and sets nothing else");
    }
    if (!options->undo && !options->has_primary) {
        error_set(error, ERROR_USAGE, "--primary is missing");
        return error_hint(
            error, "set says the whole of where clients are led: what is not named is not there afterwards.");
    }
    return 0;
}

/* The system identifier of --target, when it is given and a mirror might be it. The caller frees *out. */
static int identify_target(const Settings *settings, const ProxyWish *wish, char **out, Error *error)
{
    Database *target;
    *out = NULL;
    if (wish->mirror_count == 0 || settings->target == NULL) {
        return 0;
    }
    if (database_connect(settings->target, DATABASE_TARGET, "proxy", &target, error) != 0) {
        return -1;
    }
    int status = database_value(target, out, error, "SELECT system_identifier FROM pg_control_system()", 0);
    database_close(target);
    return status;
}

static void say(const Settings *settings, const ProxiesOptions *options, const json_t *change)
{
    if (settings->json) {
        json_dumpf(change, stdout, JSON_INDENT(2));
        printf("\n");
        return;
    }
    proxies_print_change(change, stdout);
    if (options->dry_run) {
        printf("Nothing was changed (--dry-run).\n");
    } else if (json_array_size(json_object_get(change, "changes")) > 0) {
        printf(options->undo ? "Taken back, and seen in the console.\n"
                             : "Set, and seen in the console. penstock proxy set --undo takes it back.\n");
    }
}

static ExitStatus set(const Settings *settings, ProxiesOptions *options, Error *error)
{
    Opened opened = {0};
    char *target = NULL;
    json_t *change = NULL;
    if (check_options(options, error) != 0) {
        return EXIT_USAGE;
    }
    int status = identify_target(settings, &options->wish, &target, error);
    options->wish.target_system = target;
    if (status == 0) {
        status = open_proxy(settings, options->proxies[0], &opened, error);
    }
    if (status == 0) {
        status = options->undo
                     ? opened.operations->set_back(opened.proxy, options->dry_run, &change, error)
                     : opened.operations->set(opened.proxy, &options->wish, options->dry_run, &change, error);
    }
    if (status == 0) {
        say(settings, options, change);
    }
    json_decref(change);
    free(target);
    close_proxy(&opened);
    return status == 0 ? EXIT_DONE : EXIT_FAILED;
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    ProxiesOptions *options = input;
    if (options->proxy_count == 0) {
        error_set(error, ERROR_USAGE, "--proxy is missing");
        error_hint(error, "Write --proxy 'pgcat:ADMIN_URI,config=/path/pgcat.toml'.");
        return EXIT_USAGE;
    }
    return options->action == ACTION_SHOW ? show(settings, options, error) : set(settings, options, error);
}

const Command command_proxy = {
    .name = "proxy",
    .summary = "Show where proxies lead their clients, or set it: primary, replicas, split, mirrors",
    .argp = &proxies_argp,
    .options_size = sizeof(ProxiesOptions),
    .run = run,
};
