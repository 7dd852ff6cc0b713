/*
 * What must hold before clients are held: a table of checks for each road. Each says all that it finds, and none ends the
 * others, so that one run names everything. None changes anything.
 *
 * Most of them make sense before there is a copy, too: penstock check runs those (preflight_early), from the same table, so that
 * a switch meets nothing new days later. What changes by the hour is only a warning there.
 */
#pragma once

#include <stdbool.h>

#include "command.h"
#include "database.h"
#include "options.h"

struct Cutover;

/* Whether a check is made before the copy, and what it refuses then. */
typedef enum PreflightEarly { NOT_EARLY, EARLY, EARLY_AS_A_WARNING } PreflightEarly;

typedef struct PreflightRow {
    const char *id;     /* stable, for scripts */
    const char *title;  /* what is looked at */
    const char *advice; /* what to do about its findings, beside their own hints */
    PreflightEarly early;
    bool ends; /* when it refuses, the others mean nothing */
    bool
        stream; /* not made when an earlier row of this kind has refused: it would wait for what is not there */
    const char *(*skip)(
        const struct Cutover *cutover); /* before the copy: why it is not made, or NULL; may be NULL */
    /* Tells by preflight_problem and cutover_warn, or returns -1 with the one problem that it has found. */
    int (*check)(struct Cutover *cutover, Error *error);
} PreflightRow;

typedef enum PreflightWeight {
    PREFLIGHT_NOTE,    /* before the copy only: what was not looked at */
    PREFLIGHT_WARNING, /* the switch goes on */
    PREFLIGHT_PROBLEM, /* the switch is refused */
    PREFLIGHT_UNKNOWN, /* the check could not be made; the switch is refused */
    PREFLIGHT_SKIPPED, /* before the copy only: words say why */
    PREFLIGHT_BEGINS,  /* no finding: what follows is of this row */
} PreflightWeight;

typedef struct PreflightFinding {
    PreflightWeight weight;
    const char *words;
    const char *hint;   /* what to do, or "" */
    const char *fix;    /* the statement that does it, or NULL */
    const Error *error; /* that words and hint are of; NULL: of none */
} PreflightFinding;

typedef void (*PreflightTell)(void *context, const PreflightRow *row, const PreflightFinding *finding);

/* Who listens to the checks; in Cutover while they run. */
typedef struct Preflight {
    PreflightTell tell;
    void *context;
    const PreflightRow *row;
    size_t problems; /* so far, of all rows */
    bool early;
} Preflight;

/* Are these the checks before the copy? */
bool preflight_is_early(const struct Cutover *cutover);

/* What may be known and does not keep it. */
void preflight_warning(struct Cutover *cutover, const char *words);

/* One thing that keeps the switch from beginning; the check goes on. */
void preflight_problem(struct Cutover *cutover, const Error *problem, const char *fix);

/*
 * The cutover's checks that need no copy. options are those of the cutover, and are filled; source and target are borrowed, and
 * one that is NULL skips what needs it. tell is called once with PREFLIGHT_BEGINS for each row, then for what it finds.
 */
void preflight_early(const Settings *settings, CutoverOptions *options, Database *source, Database *target,
                     PreflightTell tell, void *context);
