/* PostgreSQL 11: lists of identifiers as text. */
#pragma once

#include "nodes/pg_list.h"

extern bool SplitIdentifierString(char *text, char separator, List **names);
