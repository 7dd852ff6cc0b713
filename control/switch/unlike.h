/*
 * Settings under which applications would find another server than they leave: another time zone, a search_path that names their
 * tables no more. Definitions of objects, and settings of the database, are drift's (drift.h).
 */
#pragma once

#include "cutover.h"

/*
 * Compares what a session of this database gets from its server, and what each role that may log in has for itself. Each
 * difference is told, with the statement that mends it; on the way there they are an error, unless they are accepted.
 */
int unlike_settings(Cutover *cutover, Error *error) MUST_CHECK;
