/*
 * ANALYZE of very many tables, several at a time.
 */
#pragma once

#include "copy.h"

/*
 * rows: a table's name, quoted, and its bytes, the largest first. Small ones go many in one statement: one way there and back. What
 * the target refuses for a table is told, and the others go on.
 */
int statements_analyze(Copy *copy, const PGresult *rows, Error *error) MUST_CHECK;
