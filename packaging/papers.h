/*
 * What comes with the programs and is written from their own tables of options, so that it cannot differ from --help: manual
 * pages, and completion for bash and zsh.
 *
 *     commands.h, options.h (argp tables) ──► program_options ──► manual_*      ──► penstock.1, penstock-check.1 …
 *                                                            └──► completion_*  ──► penstock.bash, _penstock
 *
 * packaging/main.c is the program that the build runs; it is not installed. Everything here writes to a FILE that the
 * caller opens and closes, and allocates nothing that outlives a call.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

#define MAX_PAPER_OPTIONS 256

/* One option as --help shows it. A heading has no name. */
typedef struct PaperOption {
    const char *name;
    int letter;        /* 0: it has no short form */
    const char *value; /* NULL: a flag */
    const char *doc;
} PaperOption;

/* A program, or a command of one. */
typedef struct Paper {
    const char *program; /* "penstock", "penstock-applier" */
    const char *command; /* NULL: the program itself */
    const char *summary;
    const struct argp *argp; /* NULL: it has no options of its own */
} Paper;

/* The options of argp and of its children, hidden ones left out; returns how many of at most MAX_PAPER_OPTIONS. */
size_t program_options(const struct argp *argp, PaperOption out[MAX_PAPER_OPTIONS]);

/* The page of one program or command, in man(7). */
void manual_page(FILE *out, const Paper *paper);

/* docs/errors.md: every kind of error, with what it means and what to do, and each code's link to it. */
void error_page(FILE *out);

/* What bash and zsh read to complete `penstock` and `penstock-applier`. */
void completion_bash(FILE *out);
void completion_zsh(FILE *out);
