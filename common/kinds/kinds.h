/*
 * What can go wrong, as a table: each kind of error has a number that is never given to another (PST-1402), what it means, and
 * what to do. `penstock help PST-1402` and docs/errors.md are written from these rows.
 *
 * Which kind an Error is of is told where it is shown, in this order:
 *   1. by the words of its message: a row's words stand in the format that error_set was called with;
 *   2. by the server's SQLSTATE, or its class;
 *   3. by its ErrorCode: each has a row, so no error is without a number.
 *
 * So nobody who fills an error has to choose a number, and a message may be worded anew: tests/errors.pl says which words stand
 * in no message any more, and which message two rows claim.
 */
#pragma once

#include <stddef.h>

#include "error.h"

#define ERROR_NUMBER_SIZE 16

typedef struct ErrorKind {
    int number; /* the first two digits are its section's */
    const char *title;
    const char *cause;
    const char *cure;
    const char *const *words; /* NULL at the end; or NULL */
    const char *sqlstates;    /* beginnings of them, with blanks between; or NULL */
    ErrorCode code;           /* ERROR_NONE, but for the row of last resort of a code */
} ErrorKind;

/* What a row is found by. */
#define WORDS(...) .words = ((const char *const[]){__VA_ARGS__, NULL})
#define SQLSTATES(text) .sqlstates = text

typedef struct ErrorSection {
    int first; /* number: 1400 for all from 1400 to 1499 */
    const char *title;
    const ErrorKind *kinds;
    size_t count;
} ErrorSection;

#define ERROR_SECTION(name) const ErrorSection name = {FIRST, TITLE, kinds, sizeof kinds / sizeof *kinds}

/* All sections, in the order of their numbers; their number goes to *count. */
const ErrorSection *const *error_sections(size_t *count);

/* The kind of error; NULL when it is none (ERROR_NONE). */
const ErrorKind *error_kind(const Error *error);

/* "PST-1402" of error into out, "" when it is none. Returns out. */
const char *error_number(const Error *error, char out[ERROR_NUMBER_SIZE]);

/* The kind that text names: "PST-1402", "pst-1402" or "1402"; NULL when there is none of it. */
const ErrorKind *error_kind_named(const char *text);
