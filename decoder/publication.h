/*
 * Which tables a publication has. Publications are read as they were where the change stands in the WAL.
 */
#pragma once

#include "compat.h"

/*
 * True when the table, one of its partitioned parents (13) or its schema (15) is in one of the publications that names (a
 * list of char *) names, or one is FOR ALL TABLES. ERROR when a publication does not exist there, or says more than
 * which tables: leaves out operations, rows or columns. Reads the catalogs.
 */
bool publication_has_table(const List *names, Relation relation);
