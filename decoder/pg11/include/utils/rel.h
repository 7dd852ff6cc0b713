/* PostgreSQL 11: an open relation. */
#pragma once

#include "access/tupdesc.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "nodes/pg_list.h"

typedef struct RelFileNode {
    Oid spcNode;
    Oid dbNode;
    Oid relNode;
} RelFileNode;

/* Up to the last member that is used; the server's own goes on behind it. */
typedef struct RelationData {
    RelFileNode rd_node;
    struct SMgrRelationData *rd_smgr;
    int rd_refcnt;
    BackendId rd_backend;
    bool rd_islocaltemp;
    bool rd_isnailed;
    bool rd_isvalid;
    char rd_indexvalid;
    bool rd_statvalid;
    SubTransactionId rd_createSubid;
    SubTransactionId rd_newRelfilenodeSubid;
    Form_pg_class rd_rel;
    TupleDesc rd_att;
    Oid rd_id;
} RelationData;

typedef RelationData *Relation;

#define RelationGetRelid(relation) ((relation)->rd_id)
#define RelationGetDescr(relation) ((relation)->rd_att)
#define RelationGetNamespace(relation) ((relation)->rd_rel->relnamespace)
#define RelationGetRelationName(relation) (NameStr((relation)->rd_rel->relname))
