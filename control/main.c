/*
 * The frame of the CLI: dispatch, help and the hint for a misspelt name, all from the table of commands.
 *
 * A command line is `penstock [option…] COMMAND [option…]`. The options of every command may stand on either
 * side of the command's name; its own stand behind it. `penstock help COMMAND` is `penstock COMMAND --help`. Both are argps:
 * the command's is a child of the one that is built here for the run, beside the common one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "disposition.h"
#include "kinds.h"
#include "secrets.h"
#include "session_settings.h"
#include "settings.h"

#define USAGE_WIDTH 12
#define MAX_COMMANDS 64

const char *argp_program_version = "penstock " PENSTOCK_VERSION;

static volatile sig_atomic_t signals_seen;

bool interrupted(void)
{
    return signals_seen > 0;
}

/* The first signal asks the command to stop between two steps; who insists twice more gets the default action. */
static void on_signal(int number)
{
    if (++signals_seen >= 3) {
        signal_default(number);
        raise(number);
    }
}

static void catch_signals(void)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) {
        struct sigaction before;
        if (sigaction(caught[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(caught[i], &action, NULL); /* nohup, and a shell's background, ask to be left alone */
        }
    }
    signal_ignore(SIGPIPE);
}

static void print_overview(FILE *out)
{
    fprintf(
        out,
        "Penstock moves a live PostgreSQL 11 database to PostgreSQL 14 while applications keep writing.\n\n"
        "  penstock COMMAND --source URI --target URI [--migration NAME] [option...]\n\n"
        "The commands, in the order of a migration:\n\n");
    for (size_t i = 0; i < commands_count(); i++) {
        fprintf(out, "  %-*s%s\n", USAGE_WIDTH, commands[i]->name, commands[i]->summary);
    }
    fprintf(out,
            "\nNothing is changed before `copy`, and applications notice nothing before `cutover`.\n"
            "Every command can be interrupted and run again. `penstock COMMAND --help` says more of each;\n"
            "`penstock --help` lists the options that all of them take; `penstock help PST-1234` explains an "
            "error.\n");
}

static int unknown_command(const char *name, Error *error)
{
    const char *names[MAX_COMMANDS];
    size_t count = 0;
    while (count < MAX_COMMANDS && commands[count] != NULL) {
        names[count] = commands[count]->name;
        count++;
    }
    error_set(error, ERROR_USAGE, "there is no command \"%s\"", name);
    const char *nearest = settings_nearest(name, names, count);
    return nearest != NULL
               ? error_hint(error, "The nearest is `penstock %s`; `penstock` alone lists all.", nearest)
               : error_hint(error, "`penstock` alone lists all commands.");
}

/* What the parsers of one run share. */
typedef struct Invocation {
    SettingsInput input;
    const Command *command; /* NULL before its name was read */
    void *options;
    int command_index; /* of its name in argv */
    Config config;
    LogPlace place;
    Log log; /* for the error that the program ends with */
} Invocation;

static error_t parse_program(int key, char *argument, struct argp_state *state)
{
    Invocation *invocation = state->input;
    (void)argument;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &invocation->input;
        return 0;
    case ARGP_KEY_ARG:
        invocation->command_index = state->next - 1;
        state->next = state->argc;
        return 0;
    case '?':
        print_overview(stdout);
        fputc('\n', stdout);
        argp_state_help(state, stdout, ARGP_HELP_LONG);
        exit(EXIT_DONE);
    case 'V':
        puts(argp_program_version);
        exit(EXIT_DONE);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_command(int key, char *argument, struct argp_state *state)
{
    Invocation *invocation = state->input;
    (void)argument;
    if (key != ARGP_KEY_INIT) {
        return ARGP_ERR_UNKNOWN;
    }
    state->child_inputs[0] = &invocation->input;
    if (invocation->command->argp != NULL) {
        state->child_inputs[1] = invocation->options;
    }
    return 0;
}

/* Options up to the command's name. Leaves command_index 0 when there is none. */
static void parse_before_command(int argc, char **argv, Invocation *invocation)
{
    static const struct argp_option help[] = {
        {"help", '?', NULL, 0, "Show this help", -1}, {"version", 'V', NULL, 0, "Show the version", -1}, {0}};
    const struct argp_child children[] = {{.argp = &settings_argp}, {0}};
    const struct argp argp = {.options = help, .parser = parse_program, .children = children};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, invocation);
}

/*
 * The file that --config names, wherever it stands: the file's lines are parsed with the command line, so this is read
 * before that is.
 */
static const char *find_config(int argc, char **argv, const Invocation *invocation)
{
    const char *named = invocation->input.flags->config;
    for (int i = invocation->command_index + 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0) {
            named = argv[i] + 9;
        } else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            named = argv[++i];
        }
    }
    return named;
}

static int read_config(int argc, char **argv, Invocation *invocation, Arena *arena, Error *error)
{
    return config_read(find_config(argc, argv, invocation), arena, &invocation->config, error) == 0
               ? config_check(&invocation->config, settings_names, SETTINGS, commands, error)
               : -1;
}

static int parse_behind_command(int argc, char **argv, Invocation *invocation, Arena *arena, Error *error)
{
    const Command *command = invocation->command;
    const struct argp_child children[] = {{.argp = &settings_argp}, {.argp = command->argp}, {0}};
    const struct argp argp = {.parser = parse_command, .children = children, .doc = command->summary};
    argc -= invocation->command_index;
    argv += invocation->command_index;
    argv[0] = arena_printf(arena, "penstock %s", command->name);
    char **arguments = config_arguments(&invocation->config, command, &argc, argv, arena, error);
    if (arguments == NULL) {
        return -1;
    }
    argp_parse(&argp, argc, arguments, 0, NULL, invocation);
    const char *named = invocation->input.flags->config;
    if (named != NULL && (invocation->config.path == NULL || strcmp(named, invocation->config.path) != 0)) {
        return error_set(error, ERROR_USAGE, "--config has to be written out");
    }
    return 0;
}

static ExitStatus run_command(Invocation *invocation, Error *error)
{
    Settings settings;
    int status =
        settings_resolve(invocation->input.flags, &invocation->config, &invocation->place, &settings, error);
    invocation->log = settings.log;
    if (status != 0) {
        return EXIT_USAGE;
    }
    if (invocation->input.flags->password_shown) {
        log_line(&settings.log, LOG_WARNING,
                 "a password stood on the command line, where the process list showed it for a moment; "
                 "PENSTOCK_SOURCE and PENSTOCK_TARGET, ~/.pgpass or a 0600 config file keep it to yourself");
    }
    catch_signals();
    return invocation->command->run(&settings, invocation->options, error);
}

/* `help COMMAND` becomes `COMMAND --help`; `help` alone, and with the number of an error, is answered here, and is false. */
static bool ask_for_help(int argc, char **argv, const Invocation *invocation)
{
    static char option[] = "--help";
    int word = invocation->command_index;
    const ErrorKind *kind = word + 1 < argc ? error_kind_named(argv[word + 1]) : NULL;
    if (word + 1 >= argc) {
        print_overview(stdout);
        return false;
    }
    if (kind != NULL) {
        printf("PST-%04d  %s\n\n%s\n\nWhat to do: %s\n", kind->number, kind->title, kind->cause, kind->cure);
        return false;
    }
    argv[word] = argv[word + 1];
    argv[word + 1] = option;
    return true;
}

static ExitStatus run(int argc, char **argv, Invocation *invocation, Arena *arena, Error *error)
{
    parse_before_command(argc, argv, invocation);
    if (invocation->command_index == 0) {
        print_overview(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[invocation->command_index], "version") == 0) {
        puts(argp_program_version);
        return EXIT_DONE;
    }
    if (strcmp(argv[invocation->command_index], "help") == 0 && !ask_for_help(argc, argv, invocation)) {
        return EXIT_DONE;
    }
    invocation->command = commands_find(argv[invocation->command_index]);
    if (invocation->command == NULL) {
        return unknown_command(argv[invocation->command_index], error), EXIT_USAGE;
    }
    if (invocation->command->options_size > 0) {
        invocation->options = arena_zalloc(arena, invocation->command->options_size);
    }
    if (read_config(argc, argv, invocation, arena, error) != 0 ||
        parse_behind_command(argc, argv, invocation, arena, error) != 0) {
        return EXIT_USAGE;
    }
    return run_command(invocation, error);
}

int main(int argc, char **argv)
{
    session_settings_forget_environment();
    Error error = {.code = ERROR_NONE};
    Arena *arena = arena_new(4096);
    char **words = secrets_take(argc, argv, arena);
    argp_err_exit_status = EXIT_USAGE;
    SettingsFlags flags = {.json = false};
    Invocation invocation = {.input = {.flags = &flags, .arena = arena},
                             .log = {.level = LOG_ERROR, .journal = log_is_journal()}};
    ExitStatus status = run(argc, words, &invocation, arena, &error);
    if (error.code != ERROR_NONE) {
        log_error(&invocation.log, &error);
        status =
            status == EXIT_DONE || status == EXIT_FAILED ? (ExitStatus)error_exit_status(&error) : status;
    }
    arena_free(arena);
    return status;
}
