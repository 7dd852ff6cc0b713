/*
 * The one way in which anything outside the plugin fails.
 *
 * A function that can fail takes an `Error *` as its last parameter, is marked MUST_CHECK and returns 0, or
 * -1 with the error filled (pointer-returning ones return NULL). The error is filled once, where the fact is
 * known; callers may add context on the way up; main() prints it once. Nothing is logged on the way.
 *
 * An Error is a plain value: no allocation, nothing to free, and it may be copied between threads.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

typedef enum ErrorCode {
    ERROR_NONE = 0,
    ERROR_USAGE,       /* the command line or a setting is wrong */
    ERROR_CONNECTION,  /* a server cannot be reached, or went away: worth another try */
    ERROR_TRANSIENT,   /* the server said to try again: serialization, deadlock, resources, shutdown */
    ERROR_PROTOCOL,    /* bytes from outside are not what the wire format says */
    ERROR_SOURCE,      /* the source server refused something */
    ERROR_TARGET,      /* the target server refused something */
    ERROR_PROXY,       /* the proxy's admin console refused something */
    ERROR_CONFLICT,    /* a change does not fit the rows on the target */
    ERROR_STATE,       /* the migration is not in a state that allows this */
    ERROR_LIMIT,       /* a time or size limit passed */
    ERROR_SYSTEM,      /* the operating system refused something */
    ERROR_INTERRUPTED, /* a signal asked us to stop */
} ErrorCode;

typedef struct Error {
    ErrorCode code;
    char sqlstate[6]; /* of the server's error, or "" */
    uint64_t lsn;     /* commit LSN of the source transaction that it stops at; 0: of none */
    const char
        *format; /* of error_set, a literal: by its words the error has its number (kinds/kinds.h); or NULL */
    char message[1024]; /* what happened, to which object, at which LSN; outermost context first */
    char hint[512];     /* what to do now, or "" */
} Error;

/*
 * Fills error and returns -1, so that a caller can `return error_set(…)`. A filled error is overwritten. The format is a literal:
 * the error keeps it.
 */
int error_set(Error *error, ErrorCode code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Says what to do now; overwrites an earlier hint. Returns -1. */
int error_hint(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "context: " before the message. Returns -1. */
int error_context(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True for the codes that a retry with backoff may cure (ERROR_CONNECTION, ERROR_TRANSIENT). */
bool error_is_retryable(const Error *error);

/* The process exit status of the CLI contract that this error leads to: 2 usage, 4 interrupted, else 3. */
int error_exit_status(const Error *error);
