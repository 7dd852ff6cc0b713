/*
 * The transactions to be met, in order of the stream, and how many of them were. The same WAL gives the same
 * transactions, and logical decoding sends each whose commit record lies at or behind the point that the stream starts at
 * (SnapBuildXactNeedsSkip in snapbuild.c, all majors), so none of them may be missing.
 */
#include "witness.h"

#include <stdlib.h>

struct Witness {
    Witnessed last[2]; /* that began: the newest first */
    size_t count;
    size_t met;
    Witnessed expected[]; /* ascending, each once */
};

static int by_place(const void *a, const void *b)
{
    Lsn one = ((const Witnessed *)a)->commit_lsn, other = ((const Witnessed *)b)->commit_lsn;
    return (one > other) - (one < other);
}

Witness *witness_new(const Witnessed *known, size_t count, Lsn start)
{
    Witness *witness = calloc(1, sizeof *witness + count * sizeof *witness->expected);
    if (witness == NULL) {
        abort();
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (known[i].commit_lsn >= start) {
            witness->expected[kept++] = known[i];
        }
    }
    qsort(witness->expected, kept, sizeof *witness->expected, by_place);
    for (size_t i = 0; i < kept; i++) {
        if (i == 0 || witness->expected[i].commit_lsn != witness->expected[i - 1].commit_lsn) {
            witness->expected[witness->count++] = witness->expected[i];
        }
    }
    return witness;
}

void witness_free(Witness *witness)
{
    free(witness);
}

static int is_missing(const Witnessed *missing, Error *error)
{
    char lsn[LSN_TEXT_SIZE];
    error_set(
        error, ERROR_STATE,
        "the source's WAL is another one than the target's rows come from: it does not have the transaction "
        "that was committed at %s",
        lsn_format(missing->commit_lsn, lsn));
    return error_hint(error,
                      "The source was restored to an earlier point, or is a copy of the server that the "
                      "migration began with. If that one still runs, let --source lead to it; else run "
                      "penstock finish --abandon, then penstock copy again.");
}

int witness_begin(Witness *witness, Lsn commit_lsn, int64_t commit_time, Error *error)
{
    witness->last[1] = witness->last[0];
    witness->last[0] = (Witnessed){commit_lsn, commit_time};
    if (witness->met == witness->count || commit_lsn < witness->expected[witness->met].commit_lsn) {
        return 0;
    }
    const Witnessed *next = &witness->expected[witness->met++];
    return commit_lsn == next->commit_lsn && commit_time == next->commit_time ? 0 : is_missing(next, error);
}

int witness_passed(Witness *witness, Lsn lsn, Error *error)
{
    if (witness->met == witness->count || lsn <= witness->expected[witness->met].commit_lsn) {
        return 0;
    }
    return is_missing(&witness->expected[witness->met], error);
}

int64_t witness_time(const Witness *witness, const Batch *batch)
{
    for (int i = 0; i < 2; i++) {
        if (witness->last[i].commit_lsn == batch->last.commit_lsn) {
            return witness->last[i].commit_time;
        }
    }
    return 0;
}
