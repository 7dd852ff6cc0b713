/* PostgreSQL 11: the row of pg_type. */
#pragma once

typedef struct FormData_pg_type {
    NameData typname;
    Oid typnamespace;
    Oid typowner;
    int16 typlen;
    bool typbyval;
    char typtype;
    char typcategory;
    bool typispreferred;
    bool typisdefined;
    char typdelim;
    Oid typrelid;
    Oid typelem;
    Oid typarray;
    regproc typinput;
    regproc typoutput;
    regproc typreceive;
    regproc typsend;
    regproc typmodin;
    regproc typmodout;
    regproc typanalyze;
    char typalign;
    char typstorage;
    bool typnotnull;
    Oid typbasetype;
    int32 typtypmod;
    int32 typndims;
    Oid typcollation;
} FormData_pg_type;

typedef FormData_pg_type *Form_pg_type;

#define TYPTYPE_DOMAIN 'd'
