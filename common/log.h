/*
 * One line for each event, on stderr, for the operator and for the machine that collects them.
 *
 *     text     2026-11-22 03:14:07.123 UTC  error  the source has no replication slot "…" (PST-1401)
 *     logfmt   time=2026-11-22T03:14:07.123Z level=error program=penstock-applier migration=default phase=following
 *              lsn=0/1A2B3C8 code=PST-1401 hint="…" msg="the source has no replication slot …"
 *     json     the same fields as an object
 *
 * Text is for reading: an error's hint has a line of its own. To systemd's journal a line of any form begins with its priority
 * (`<3>`, sd-daemon(3)), which the journal takes off, and text comes without the time, which the journal has.
 *
 * Only the boundary of a program logs (main, the event loop, a worker's loop): functions below return errors.
 * Safe to call from any thread: a line is written with one write().
 */
#pragma once

#include <stdatomic.h>

#include "error.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR } LogLevel;

typedef enum LogFormat { LOG_TEXT, LOG_LOGFMT, LOG_JSON } LogFormat;

/* Where the program is: what every line of logfmt and JSON says. Threads may set and read it at the same time. */
typedef struct LogPlace {
    const char *program;
    const char *migration;       /* or NULL */
    _Atomic(const char *) phase; /* its phase as it was read last, a literal; NULL: not known */
    _Atomic(uint64_t) lsn;       /* up to where the target has the source's changes; 0: not known */
} LogPlace;

typedef struct Log {
    LogLevel level; /* lines below it are not written */
    LogFormat format;
    bool journal;         /* stderr leads to systemd's journal */
    const char *encoding; /* PostgreSQL's name of that of texts that are not UTF-8, or NULL: encoding.h */
    LogPlace *place;      /* borrowed, outlives the log; or NULL */
} Log;

/* "text", "logfmt" or "json"; false for another name. */
bool log_format_parse(const char *name, LogFormat *out);
const char *log_format_name(LogFormat format);

/* Whether stderr is the stream that systemd has connected to its journal ($JOURNAL_STREAM). */
bool log_is_journal(void);

/* Where the migration is by now; phase and lsn as in LogPlace, each of them left alone by NULL and 0. */
void log_stands(const Log *log, const char *phase, uint64_t lsn);

void log_line(const Log *log, LogLevel level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The error, with its code, SQLSTATE and hint. */
void log_error(const Log *log, const Error *error);

/* The error as a warning: what is done about it is said behind it. */
void log_handled(const Log *log, const Error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
