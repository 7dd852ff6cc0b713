/*
 * The comparison of tables, or of a range of one's keys, by one pair of sessions. Private to those who compare.
 */
#pragma once

#include "describe.h"
#include "pair.h"

/* What is to be compared, beside the table's names. */
typedef struct ChunkShape {
    const char *condition; /* as in CompareSubject, like the next ones */
    QueryRange range;
    int sample;
    ComparePace pace;
    bool key_parts;
} ChunkShape;

/*
 * Compares count tables, named in tables, within the pair's transactions: fills their counts, the answers and, of one that
 * differs, up to max_keys rows. shapes has one for each, or is NULL. Many small tables cost one round trip. What is wrong with a
 * table alone (a column missing on the target) becomes its problem; an error is returned for what ends the transactions.
 *
 * When the pair is careful, rows are read with the search_path of the database (the planner looks into functions that
 * indexes call, which may need it), and each value is reduced to a hash of its own, so that a row may be longer than a text
 * can be. Both cost more, so that only what failed once is read like this: chunk_wants_care says whether it may help.
 */
int chunk_compare(ComparePair *pair, Forms *forms, int max_keys, const ChunkShape *shapes,
                  CompareTable *tables, int count, Error *error) MUST_CHECK;

/* Whether it failed for a reason that is not there for a careful pair. */
bool chunk_wants_care(const Error *error);
