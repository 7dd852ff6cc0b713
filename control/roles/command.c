/*
 * penstock roles: makes the roles that the target lacks.
 */
#include <stdio.h>

#include <jansson.h>

#include "command.h"
#include "ends.h"
#include "option.h"
#include "roles.h"

typedef struct CommandOptions {
    bool no_passwords;
} CommandOptions;

enum OptionKey { OPTION_NO_PASSWORDS = 0x100 };

static const struct argp_option argp_options[] = {
    {.name = "no-passwords", .key = OPTION_NO_PASSWORDS, .doc = "Make the roles without their passwords"},
    {0},
};

static const OptionField fields[] = {OPTION_FLAG(OPTION_NO_PASSWORDS, CommandOptions, no_passwords)};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, state->input)
               ? 0
               : ARGP_ERR_UNKNOWN;
}

static const struct argp roles_argp = {
    .options = argp_options,
    .parser = parse_option,
    .doc = "Makes on the target the roles of the source that it lacks, with attributes, passwords, "
           "memberships, settings and "
           "comments.\vA role that is there already stays as it is; penstock check names how it differs. The "
           "role of --target needs "
           "CREATEROLE, or be superuser for roles that are. Passwords are only readable for superusers of "
           "the source: "
           "others bring the roles over without them. It can be run again at any time.",
};

typedef struct Report {
    const Settings *settings;
    json_t *roles;
} Report;

static void told(void *context, const char *role, const char *words)
{
    Report *report = context;
    json_array_append_new(report->roles, json_pack("{s:s, s:s?}", "role", role, "error", words));
    if (words != NULL) {
        log_line(&report->settings->log, LOG_WARNING, "role %s: %s", role, words);
    } else if (!report->settings->json) {
        printf("made role %s\n", role);
    }
}

static void print(const Settings *settings, const RolesResult *result, json_t *roles)
{
    if (settings->json) {
        json_t *document = json_pack("{s:O, s:i, s:i, s:b}", "roles", roles, "made", result->made, "refused",
                                     result->refused, "with_passwords", !result->without_passwords);
        json_dumpf(document, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
        json_decref(document);
        return;
    }
    printf("%d role%s made%s.\n", result->made, result->made == 1 ? "" : "s",
           result->made > 0 && result->without_passwords ? ", without passwords" : "");
    if (result->made > 0 && result->without_passwords) {
        printf("Set their passwords on the target: ALTER ROLE … PASSWORD, or \\password of psql.\n");
    }
}

static ExitStatus run(const Settings *settings, void *options, Error *error)
{
    const CommandOptions *command = options;
    Database *source = NULL, *target = NULL;
    RolesResult result = {0};
    Report report = {.settings = settings, .roles = json_array()};
    const RolesRequest request = {.no_passwords = command->no_passwords, .told = told, .context = &report};
    int status = database_connect(settings->source, DATABASE_SOURCE, "roles", &source, error);
    if (status == 0) {
        status = database_connect(settings->target, DATABASE_TARGET, "roles", &target, error);
    }
    if (status == 0) {
        status = ends_differ(source, target, error);
    }
    if (status == 0) {
        status = roles_make(source, target, &request, &result, error);
    }
    if (status == 0) {
        print(settings, &result, report.roles);
        if (result.refused > 0) {
            error_set(error, ERROR_TARGET, "the target refuses %d statement%s about roles", result.refused,
                      result.refused == 1 ? "" : "s");
            status = error_hint(
                error, "The lines above say why; connect as a superuser of the target where it takes one.");
        }
    }
    database_close(source);
    database_close(target);
    json_decref(report.roles);
    return status == 0 ? EXIT_DONE : (ExitStatus)error_exit_status(error);
}

const Command command_roles = {
    .name = "roles",
    .summary = "Make the roles that the target lacks",
    .argp = &roles_argp,
    .options_size = sizeof(CommandOptions),
    .run = run,
};
