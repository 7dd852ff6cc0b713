/*
 * Lines for the operator, on stderr: "2026-11-22 03:14:07.123 UTC  info  message".
 *
 * Only the boundary of a program logs (main, the event loop, a worker's loop): functions below return errors.
 * Safe to call from any thread: a line is written with one write().
 */
#pragma once

#include "error.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR } LogLevel;

typedef struct Log {
    LogLevel level;       /* lines below it are not written */
    const char *encoding; /* PostgreSQL's name of that of texts that are not UTF-8, or NULL: encoding.h */
} Log;

void log_line(const Log *log, LogLevel level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The error on one line, its hint on a second. */
void log_error(const Log *log, const Error *error);
