/* PostgreSQL 11: questions to the relation cache. */
#pragma once

#include "utils/rel.h"

/* Of the replica identity, computing the index list first where need be. */
extern Oid RelationGetReplicaIndex(Relation relation);

/* NULL: it is not there. The caller closes it. */
extern Relation RelationIdGetRelation(Oid relation);
extern void RelationClose(Relation relation);
