/* PostgreSQL 11: opening relations. */
#pragma once

#include "utils/rel.h"

#define AccessShareLock 1

extern Relation relation_open(Oid relation, LOCKMODE mode);
extern void relation_close(Relation relation, LOCKMODE mode);
