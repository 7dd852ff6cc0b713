/*
 * What a rollback would lose: of tables without a usable replica identity updates and deletes, of unlogged ones everything, of
 * tables that were made since the cutover all rows. What can be shown not to have been written to loses nothing.
 */
#pragma once

#include "cutover.h"

/* The tables of which something would be lost, as reverse_limits has them. */
int losses_limits(Cutover *cutover, char *inserts, char *nothing, size_t size, Error *error) MUST_CHECK;

/* ERROR_STATE, naming them, when something would be lost and that is not accepted. */
int losses_check(Cutover *cutover, Error *error) MUST_CHECK;

/* The same, and gives the tables, which takes reading rows of theirs. */
int losses_check_limits(Cutover *cutover, char *inserts, char *nothing, size_t size, Error *error) MUST_CHECK;
