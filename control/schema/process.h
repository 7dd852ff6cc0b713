/*
 * Running a program of PostgreSQL's and waiting for it.
 */
#pragma once

#include "error.h"
#include "text.h"

typedef struct Process {
    const char *const *argv;        /* NULL-terminated; argv[0] is the path */
    const char *const *environment; /* "NAME=value" to add, NULL-terminated, or NULL */
    const char *what;               /* for messages: "pg_dump" */
    void (*idle)(void *context);    /* called a few times a second while it runs, or NULL */
    void *context;
} Process;

/*
 * Runs it to its end. *out holds what it wrote to stdout, *messages what it wrote to stderr, both to be freed
 * with text_free whatever happened. ERROR_SYSTEM when it cannot be run or does not end with 0;
 * ERROR_INTERRUPTED when a signal asked us to stop, in which case it was ended first. Should this process be
 * killed, so is the program.
 */
int process_run(const Process *process, Text *out, Text *messages, Error *error) MUST_CHECK;
