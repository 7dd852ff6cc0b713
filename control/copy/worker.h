/*
 * One of those who copy: takes jobs until none is left that nobody is at.
 */
#pragma once

#include "crew.h"
#include "session.h"
#include "yard.h"

/* The work of a crew's member whose context is a WorkerYard. Jobs that were done by then stay done. */
int worker_copy(const CrewMember *member, Error *error) MUST_CHECK;

/* A connection to the target for the copy's work, on which no trigger fires. */
int worker_open_target(const Copy *copy, SessionKind kind, const char *encoding, Database **out,
                       Error *error) MUST_CHECK;
