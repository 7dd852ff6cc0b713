/* PostgreSQL 11: what a row's columns are. */
#pragma once

#include "catalog/pg_attribute.h"

typedef struct tupleDesc {
    int natts;
    Oid tdtypeid;
    int32 tdtypmod;
    bool tdhasoid;
    int tdrefcount;
    struct TupleConstr *constr;
    FormData_pg_attribute attrs[];
} * TupleDesc;

#define TupleDescAttr(description, index) (&(description)->attrs[index])
