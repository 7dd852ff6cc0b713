/*
 * `penstock report`: gathers and writes. Each file is written beside its name and takes its place whole.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "option.h"
#include "report.h"
#include "write_file.h"

#define PATH_SIZE 4096

typedef struct ReportOptions {
    const char *output;
} ReportOptions;

char *report_name(const char *migration, char *out, size_t size)
{
    snprintf(out, size, "penstock-report-%.100s.html", migration);
    for (char *at = out + strlen("penstock-report-"); at < out + strlen(out) - strlen(".html"); at++) {
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_') {
            *at = '_';
        }
    }
    return out;
}

/* path with .json in place of .html, or behind it. */
static void json_name(const char *path, char *out, size_t size)
{
    size_t length = strlen(path);
    bool html = length > 5 && strcmp(path + length - 5, ".html") == 0;
    snprintf(out, size, "%.*s.json", (int)(html ? length - 5 : length), path);
}

int report_write(const json_t *document, const char *path, Error *error)
{
    Text page = {0};
    char beside[PATH_SIZE];
    char *json = json_dumps(document, JSON_INDENT(1));
    json_name(path, beside, sizeof beside);
    report_html(&page, document);
    int status = json != NULL ? write_file(beside, json, strlen(json), 0666, error)
                              : error_set(error, ERROR_SYSTEM, "out of memory");
    if (status == 0) {
        status = write_file(path, page.data, page.size, 0666, error);
    }
    free(json);
    text_free(&page);
    return status;
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    const ReportOptions *options = input;
    char name[PATH_SIZE], beside[PATH_SIZE];
    const char *path =
        options->output != NULL ? options->output : report_name(settings->migration, name, sizeof name);
    json_t *document = NULL;
    if (report_gather(settings, &document, error) != 0) {
        return EXIT_FAILED;
    }
    int status =
        settings->json ? json_dumpf(document, stdout, JSON_INDENT(1)) : report_write(document, path, error);
    json_decref(document);
    if (status == 0 && !settings->json) {
        json_name(path, beside, sizeof beside);
        printf("The report is in %s; all of its numbers are in %s.\n", path, beside);
    }
    return status == 0 ? EXIT_DONE : EXIT_FAILED;
}

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Where to write the page (penstock-report-MIGRATION.html)", 0},
    {0},
};

static const OptionField fields[] = {OPTION_TEXT('o', ReportOptions, output)};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, state->input)
               ? 0
               : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc = "\vWrites one HTML page that needs nothing else, and a JSON file beside it, with the whole "
           "migration: what was "
           "moved, when, how long; lag and rates over time; the cutover in milliseconds; what was verified; "
           "what was out of "
           "the ordinary. With --json the document goes to standard output. `penstock finish` writes the "
           "same before it "
           "removes anything.",
};

const Command command_report = {
    .name = "report",
    .summary = "Write down the whole migration, for the change ticket",
    .argp = &argp,
    .options_size = sizeof(ReportOptions),
    .run = run,
};
