/* PostgreSQL 11: the row of pg_class, as far as the relation cache keeps it. */
#pragma once

typedef struct FormData_pg_class {
    NameData relname;
    Oid relnamespace;
    Oid reltype;
    Oid reloftype;
    Oid relowner;
    Oid relam;
    Oid relfilenode;
    Oid reltablespace;
    int32 relpages;
    float4 reltuples;
    int32 relallvisible;
    Oid reltoastrelid;
    bool relhasindex;
    bool relisshared;
    char relpersistence;
    char relkind;
    int16 relnatts;
    int16 relchecks;
    bool relhasoids;
    bool relhasrules;
    bool relhastriggers;
    bool relhassubclass;
    bool relrowsecurity;
    bool relforcerowsecurity;
    bool relispopulated;
    char relreplident;
    bool relispartition;
    Oid relrewrite;
    TransactionId relfrozenxid;
    TransactionId relminmxid;
} FormData_pg_class;

typedef FormData_pg_class *Form_pg_class;

#define RelationRelationId 1259

#define RELKIND_RELATION 'r'
#define RELKIND_PARTITIONED_TABLE 'p'
#define RELPERSISTENCE_PERMANENT 'p'
#define RELPERSISTENCE_UNLOGGED 'u'
#define REPLICA_IDENTITY_DEFAULT 'd'
#define REPLICA_IDENTITY_NOTHING 'n'
#define REPLICA_IDENTITY_FULL 'f'
#define REPLICA_IDENTITY_INDEX 'i'
