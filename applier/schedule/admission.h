/*
 * Which changes the target still needs, while the copy of the tables goes on beside the stream. Pure.
 *
 *     a change of transaction X in a part of a table
 *         the part is not copied          ──► left out: the snapshot that it will be copied under sees X, because the applier
 *                                             passes no transaction that the newest published snapshot does not see
 *         copied under S, which sees X    ──► left out: it is in the rows
 *         copied under S, which does not  ──► applied
 *
 * An update that moves a row between parts may be applied to one of them alone: there the row goes away, or comes. One that
 * comes without the values that the update did not touch cannot be made here: its part has to be copied anew.
 */
#pragma once

#include "error.h"
#include "reader.h"
#include "relation.h"

/* What is the same for all rows of one run, or for a truncate. */
typedef struct Admission {
    const ApplyRelation *relation;
    const RowsRecord *rows; /* NULL for a truncate */
    uint32_t xid;
    Lsn commit_lsn;
} Admission;

typedef enum Admitted {
    ADMIT_NOTHING,
    ADMIT_WHOLE,
    ADMIT_OLD,    /* of an update: the old row goes away */
    ADMIT_NEW,    /* of an update: the new row comes */
    ADMIT_BY_ROW, /* of a run or a truncate: not the same for all */
    ADMIT_RECOPY, /* the part of the new row has to be copied anew */
} Admitted;

/* Of all rows at once: nothing, whole, or by row. */
Admitted admit_run(const Admission *admission);

/*
 * Of one row. *job is the part to copy anew when that is the answer. ERROR_PROTOCOL when the key that parts are ranges of
 * is not there or is of another type.
 */
int admit_row(const Admission *admission, uint32_t row, Admitted *out, int64_t *job, Error *error) MUST_CHECK;

/* Whether part number `part` of the relation's origin needs the transaction's changes. */
bool admit_part(const Admission *admission, size_t part);
