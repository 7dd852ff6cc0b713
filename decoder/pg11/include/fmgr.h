/* PostgreSQL 11: calling functions by OID, and the block that says which server a module was built for. */
#pragma once

#include "lib/stringinfo.h"
#include "nodes/nodes.h"

typedef struct FunctionCallInfoData *FunctionCallInfo;
typedef Datum (*PGFunction)(FunctionCallInfo call);
typedef struct Node *fmNodePtr;

typedef struct FmgrInfo {
    PGFunction fn_addr;
    Oid fn_oid;
    short fn_nargs;
    bool fn_strict;
    bool fn_retset;
    unsigned char fn_stats;
    void *fn_extra;
    MemoryContext fn_mcxt;
    fmNodePtr fn_expr;
} FmgrInfo;

extern void fmgr_info_cxt(Oid function, FmgrInfo *info, MemoryContext context);
extern char *OutputFunctionCall(FmgrInfo *info, Datum value);
extern bytea *SendFunctionCall(FmgrInfo *info, Datum value);
extern struct varlena *pg_detoast_datum_packed(struct varlena *value);

typedef struct {
    int len;
    int version;
    int funcmaxargs;
    int indexmaxkeys;
    int namedatalen;
    int float4byval;
    int float8byval;
} Pg_magic_struct;

#define PG_MODULE_MAGIC                                                                                      \
    extern const Pg_magic_struct *Pg_magic_func(void);                                                       \
    const Pg_magic_struct *Pg_magic_func(void)                                                               \
    {                                                                                                        \
        static const Pg_magic_struct magic = {                                                               \
            .len = sizeof(Pg_magic_struct),                                                                  \
            .version = PG_VERSION_NUM / 100,                                                                 \
            .funcmaxargs = 100,                                                                              \
            .indexmaxkeys = 32,                                                                              \
            .namedatalen = NAMEDATALEN,                                                                      \
            .float4byval = 1,                                                                                \
            .float8byval = 1,                                                                                \
        };                                                                                                   \
        return &magic;                                                                                       \
    }                                                                                                        \
    extern int penstock_no_such_variable
