/*
 * Pages in man(7): the plain macros that every formatter knows. Text is escaped so that nothing in it can be taken for a request:
 * backslashes, and a dot or an apostrophe at the begin of a line.
 */
#include <string.h>

#include "commands.h"
#include "papers.h"
#include "settings.h"

static void put_text(FILE *out, const char *text, size_t length)
{
    bool begin = true;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (begin && (c == '.' || c == '\'')) {
            fputs("\\&", out);
        }
        begin = c == '\n';
        if (c == '\\') {
            fputs("\\e", out);
        } else if (c == '-') {
            fputs("\\-", out);
        } else {
            fputc(c, out);
        }
    }
}

static void put(FILE *out, const char *text)
{
    put_text(out, text, strlen(text));
}

static void put_option(FILE *out, const PaperOption *option)
{
    if (option->name == NULL) {
        fputs(".SS ", out);
        put(out, option->doc);
        fputc('\n', out);
        return;
    }
    fputs(".TP\n\\fB", out);
    if (option->letter != 0) {
        fprintf(out, "\\-%c\\fR, \\fB", option->letter);
    }
    fputs("\\-\\-", out);
    put(out, option->name);
    fputs("\\fR", out);
    if (option->value != NULL) {
        fputs("=\\fI", out);
        put(out, option->value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put(out, option->doc);
    fputc('\n', out);
}

static void put_options(FILE *out, const char *section, const struct argp *argp)
{
    PaperOption options[MAX_PAPER_OPTIONS];
    size_t count = program_options(argp, options);
    if (count > 0) {
        fprintf(out, ".SH %s\n", section);
    }
    for (size_t i = 0; i < count; i++) {
        put_option(out, &options[i]);
    }
}

/* argp's doc has two parts, before and behind the options, with \v between them. */
static void put_description(FILE *out, const Paper *paper)
{
    const char *doc = paper->argp != NULL && paper->argp->doc != NULL ? paper->argp->doc : "";
    size_t before = strcspn(doc, "\v");
    fputs(".SH DESCRIPTION\n", out);
    if (before > 0) {
        put_text(out, doc, before);
        fputc('\n', out);
    } else {
        put(out, paper->summary);
        fputs(".\n", out);
    }
    if (doc[before] == '\v') {
        fputs(".PP\n", out);
        put(out, doc + before + 1);
        fputc('\n', out);
    }
}

static void put_commands(FILE *out)
{
    fputs(".SH COMMANDS\nIn the order of a migration; each has a page of its own.\n", out);
    for (size_t i = 0; commands[i] != NULL; i++) {
        fprintf(out, ".TP\n\\fB%s\\fR\n", commands[i]->name);
        put(out, commands[i]->summary);
        fputc('\n', out);
    }
}

static void put_surroundings(FILE *out)
{
    fputs(".SH EXIT STATUS\n"
          "0 done; 1 the answer is \"no\" (check or a comparison found something); 2 wrong usage; 3 failed; "
          "4 interrupted, the same command goes on where it stopped.\n"
          ".SH ENVIRONMENT\n"
          "PENSTOCK_SOURCE, PENSTOCK_TARGET, PENSTOCK_MIGRATION and PENSTOCK_CONFIG stand for the options of "
          "those "
          "names; libpq's own variables, services and password files work, too.\n"
          ".SH FILES\n"
          "\\&./penstock.conf or ~/.config/penstock.conf: settings, one on a line, that all commands read; "
          "\\fBpenstock init\\fR writes one.\n",
          out);
}

static void put_see_also(FILE *out, const Paper *paper)
{
    fputs(".SH SEE ALSO\n", out);
    fprintf(out, ".BR %s (1)", paper->command != NULL ? "penstock" : "penstock\\-applier");
    for (size_t i = 0; paper->command == NULL && commands[i] != NULL; i++) {
        fprintf(out, ",\n.BR penstock\\-%s (1)", commands[i]->name);
    }
    fputc('\n', out);
}

void manual_page(FILE *out, const Paper *paper)
{
    bool of_command = paper->command != NULL;
    bool has_commands = !of_command && strcmp(paper->program, "penstock") == 0;
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", paper->program, of_command ? "\\-" : "",
             of_command ? paper->command : "");
    fprintf(out, ".TH %s 1 \"\" \"Penstock %s\" \"Penstock\"\n.SH NAME\n%s \\- ", name, PENSTOCK_VERSION,
            name);
    put(out, paper->summary);
    fprintf(out, "\n.SH SYNOPSIS\n.B %s%s%s\n", paper->program, of_command ? " " : "",
            of_command     ? paper->command
            : has_commands ? " COMMAND"
                           : "");
    fputs("[\\fIoption\\fR...]", out);
    if (paper->argp != NULL && paper->argp->args_doc != NULL) {
        fputc(' ', out);
        put(out, paper->argp->args_doc);
    }
    fputc('\n', out);
    put_description(out, paper);
    if (has_commands) {
        put_commands(out);
    }
    put_options(out, "OPTIONS", paper->argp);
    if (of_command) {
        put_options(out, "OPTIONS OF EVERY COMMAND", &settings_argp);
    }
    put_surroundings(out);
    put_see_also(out, paper);
}
