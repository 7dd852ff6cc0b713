/* PostgreSQL 11: the row of pg_attribute, as far as tuple descriptors keep it. */
#pragma once

typedef struct FormData_pg_attribute {
    Oid attrelid;
    NameData attname;
    Oid atttypid;
    int32 attstattarget;
    int16 attlen;
    int16 attnum;
    int32 attndims;
    int32 attcacheoff;
    int32 atttypmod;
    bool attbyval;
    char attstorage;
    char attalign;
    bool attnotnull;
    bool atthasdef;
    bool atthasmissing;
    char attidentity;
    bool attisdropped;
    bool attislocal;
    int32 attinhcount;
    Oid attcollation;
} FormData_pg_attribute;

typedef FormData_pg_attribute *Form_pg_attribute;

#define AttributeRelationId 1249
#define Anum_pg_attribute_attrelid 1
