/*
 * What must be true of the two ends of a migration before anything is done with them.
 */
#pragma once

#include "database.h"

/*
 * Whether both connections lead to one database of one server, by whatever names: *same. Asked with an advisory lock, which
 * tells also a server from its copies, and takes no rights; it is given back at once.
 */
int ends_same(Database *source, Database *target, bool *same, Error *error) MUST_CHECK;

/* ERROR_USAGE when they do. */
int ends_differ(Database *source, Database *target, Error *error) MUST_CHECK;
