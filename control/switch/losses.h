/*
 * What a rollback would lose: of tables without a usable replica identity updates and deletes, of unlogged ones everything, of
 * tables that were made since the cutover all rows. What can be shown not to have been written to loses nothing.
 */
#pragma once

#include "cutover.h"
#include "unwritten.h"

/*
 * The tables of which something would be lost. Reads rows, for --compare-limit at most, and while clients are held for half of
 * what is left of the hold at most.
 */
int losses_limits(Cutover *cutover, Limits *out, Error *error) MUST_CHECK;

/* ERROR_STATE, naming them, when something would be lost and that is not accepted. */
int losses_check(Cutover *cutover, Error *error) MUST_CHECK;

/* The same, and gives the tables; anew: those, too, that were made, or made anew, since the cutover, whose rows no way back has. */
int losses_check_limits(Cutover *cutover, bool anew, Limits *out, Error *error) MUST_CHECK;
