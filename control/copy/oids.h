/*
 * Rows of a COPY in binary have OIDs of types in them, beside what is the same everywhere: array_send writes the element's,
 * record_send that of each field. The target gave other ones to types of users. Here they are put in place, within a row.
 *
 *     oids_new ──► oids_load for the columns of a table ──► oids_row for each row of its COPY ──► oids_free
 *
 * One for a worker: what was asked about a type stays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "database.h"

typedef struct Oids Oids;

Oids *oids_new(void);
void oids_free(Oids *oids);

/*
 * The next rows have columns of these types (OIDs at the source, in the order of the COPY). Asks both sides about those that
 * are new.
 * *needed is false when no row of theirs has an OID to be changed. ERROR_TARGET when a type is not there.
 */
int oids_load(Oids *oids, Database *source, Database *target, const uint32_t *types, size_t count,
              bool *needed, Error *error) MUST_CHECK;

/*
 * Changes a message of the COPY, which is a row, the header with a row, or the trailer, as the server sends them. ERROR_PROTOCOL
 * when it is none of these. Pure.
 */
int oids_row(const Oids *oids, char *data, size_t size, bool first, Error *error) MUST_CHECK;

/* A type as oids_load finds it. */
typedef enum OidsKind { OIDS_ATOM, OIDS_ARRAY, OIDS_RECORD, OIDS_RANGE, OIDS_MULTIRANGE } OidsKind;

typedef struct OidsType {
    uint32_t oid;
    uint32_t on_target;
    OidsKind kind;
    uint32_t inner; /* of an array, a range, a multirange: the type within */
    bool changes;   /* a value of it has an OID to be changed */
} OidsType;

/* What oids_load is made of. A type that is known stays as it is. */
void oids_add(Oids *oids, const OidsType *type);
const OidsType *oids_find(const Oids *oids, uint32_t oid);
void oids_columns(Oids *oids, const uint32_t *types, size_t count);
