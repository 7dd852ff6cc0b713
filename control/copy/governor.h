/*
 * Sets the brake once a second by what penstock.throttle says and by what the servers are at: one for a process that copies.
 *
 *     penstock.throttle ──► limits ─┐
 *     source, target    ──► figures ┴──► how many jobs may run, and why not more ──► brake, progress, penstock.throttle
 *
 * Over a limit the number of jobs is halved with each look, to none; below it, it grows by one. Jobs that run are never broken off:
 * what is slowed down is slow, never wrong.
 */
#pragma once

#include "brake.h"
#include "copy.h"

typedef struct Governor Governor;

/* copy and brake are borrowed; copy's connections are used by governor_tick alone. The caller frees with governor_free. */
Governor *governor_new(const Copy *copy, Brake *brake);
void governor_free(Governor *governor);

/* Writes down the limits that the command line has. */
int governor_set(const Copy *copy, Error *error) MUST_CHECK;

int governor_tick(Governor *governor, Error *error) MUST_CHECK;

/* Nothing is begun at the moment. */
bool governor_holds(const Governor *governor);
