/*
 * PostgreSQL 11's basic types: integers, Datum, variable-length values.
 *
 * This tree is the project's own description of what the decoder touches in a PostgreSQL 11 server on 64-bit
 * Linux; headers have the server's names so that the decoder's sources compile against either. tests/decoder
 * checks every offset, size and value in it against ../structs.tsv, ../enums.tsv and ../functions.tsv.
 */
#pragma once

#include <limits.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PG_VERSION_NUM 110000
#define NAMEDATALEN 64
#define FLEXIBLE_ARRAY_MEMBER /* no size */

typedef int16_t int16;
typedef int32_t int32;
typedef int64_t int64;
typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;
typedef uint64_t uint64;
typedef uint8 bits8;
typedef size_t Size;
typedef float float4;
typedef double float8;

typedef unsigned int Oid;
typedef Oid regproc;
typedef uint32 TransactionId;
typedef uint32 SubTransactionId;
typedef uint32 CommandId;
typedef uint64 XLogRecPtr;
typedef uint32 TimeLineID;
typedef uint16 RepOriginId;
typedef int16 AttrNumber;
typedef int BackendId;
typedef int64 TimestampTz;
typedef int LOCKMODE;

#define InvalidOid ((Oid)0)
#define OidIsValid(oid) ((oid) != InvalidOid)
#define FirstNormalObjectId 16384
#define InvalidRepOriginId 0
#define InvalidXLogRecPtr ((XLogRecPtr)0)

typedef struct nameData {
    char data[NAMEDATALEN];
} NameData;

#define NameStr(name) ((name).data)

typedef struct {
    int32 vl_len_;
    int ndim;
    int32 dataoffset;
    Oid elemtype;
    int dim1;
    int lbound1;
    int16 values[];
} int2vector;

typedef uintptr_t Datum;

#define DatumGetPointer(datum) ((char *)(datum))
#define PointerGetDatum(pointer) ((Datum)(pointer))
#define ObjectIdGetDatum(oid) ((Datum)(oid))
#define DatumGetInt16(datum) ((int16)(datum))
#define DatumGetInt32(datum) ((int32)(datum))
#define DatumGetInt64(datum) ((int64)(datum))

/*
 * Variable-length values. The lowest bits of the first byte tell the form:
 *   xxxxxx00  plain, four-byte header      xxxxxx10  compressed, four-byte header
 *   xxxxxxx1  plain, one-byte header       00000001  a pointer to a value kept elsewhere, its tag in the
 * second byte
 */
struct varlena {
    char vl_len_[4];
    char vl_dat[];
};

typedef struct varlena bytea;
typedef struct varlena text;

#define VARHDRSZ ((int32)sizeof(int32))

typedef enum vartag_external {
    VARTAG_INDIRECT = 1,
    VARTAG_EXPANDED_RO = 2,
    VARTAG_EXPANDED_RW = 3,
    VARTAG_ONDISK = 18,
} vartag_external;

typedef struct varatt_external {
    int32 va_rawsize;
    int32 va_extsize;
    Oid va_valueid;
    Oid va_toastrelid;
} varatt_external;

typedef struct varatt_indirect {
    struct varlena *pointer;
} varatt_indirect;

static inline uint8 varlena_byte(const void *value, int index)
{
    return ((const uint8 *)value)[index];
}

static inline uint32 varlena_header(const void *value)
{
    uint32 header;
    memcpy(&header, value, sizeof(header));
    return header;
}

#define VARATT_IS_1B(value) ((varlena_byte(value, 0) & 1) == 1)
#define VARATT_IS_COMPRESSED(value) ((varlena_byte(value, 0) & 3) == 2)
#define VARATT_IS_EXTERNAL(value) (varlena_byte(value, 0) == 1)
#define VARTAG_EXTERNAL(value) (varlena_byte(value, 1))
#define VARATT_IS_EXTERNAL_ONDISK(value)                                                                     \
    (VARATT_IS_EXTERNAL(value) && VARTAG_EXTERNAL(value) == VARTAG_ONDISK)
#define VARATT_IS_EXTERNAL_INDIRECT(value)                                                                   \
    (VARATT_IS_EXTERNAL(value) && VARTAG_EXTERNAL(value) == VARTAG_INDIRECT)
#define VARDATA_EXTERNAL(value) ((char *)(value) + 2)

#define VARSIZE(value) (varlena_header(value) >> 2)
#define VARDATA(value) ((char *)(value) + VARHDRSZ)

/* Of a value that is neither compressed nor external. */
#define VARSIZE_ANY_EXHDR(value)                                                                             \
    (VARATT_IS_1B(value) ? (uint32)(varlena_byte(value, 0) >> 1) - 1 : VARSIZE(value) - VARHDRSZ)
#define VARDATA_ANY(value) ((char *)(value) + (VARATT_IS_1B(value) ? 1 : VARHDRSZ))

#include "utils/elog.h"
#include "utils/palloc.h"
