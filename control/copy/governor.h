/*
 * Sets the brake once a second by what penstock.throttle says and by what the servers are at: one for a process that copies or
 * compares.
 *
 *     penstock.throttle ──► limits ─┐
 *     source, target    ──► figures ┴──► how many jobs may run, and why not more ──► brake, progress, penstock.throttle
 *
 * Over a limit the number of jobs is halved with each look, to none; below it, it grows by one. Jobs that run are never broken off:
 * what is slowed down is slow, never wrong.
 */
#pragma once

#include "brake.h"
#include "database.h"

typedef struct Governor Governor;

/* All borrowed; the connections are used by governor_tick alone. */
typedef struct GovernorOptions {
    Database *source, *target;
    const char *migration;
    const char *slot_name; /* the limit of WAL is about what is kept for this */
    int jobs;              /* that may work where nothing else is said */
    int64_t rate;          /* bytes per second at most, whatever else is said; 0: no bound of its own */
    const char *what;      /* is slowed down, as people call it: "the copy" */
    void (*say)(void *context, const char *line); /* what changes, for people */
    void *context;
} GovernorOptions;

/* brake is borrowed. The caller frees with governor_free. */
Governor *governor_new(const GovernorOptions *options, Brake *brake);
void governor_free(Governor *governor);

int governor_tick(Governor *governor, Error *error) MUST_CHECK;

/* Nothing is begun at the moment. */
bool governor_holds(const Governor *governor);
