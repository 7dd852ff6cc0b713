/*
 * What many tables look like on both sides, in one round trip to each, as the subjects of comparisons.
 */
#pragma once

#include "forms.h"
#include "pair.h"
#include "table_query.h"

typedef struct Described {
    CompareSubject subject; /* its strings and columns belong to the Described */
    char *problem;          /* why it cannot be compared, or NULL */
    bool gone;              /* that is: it is not there at the source */
} Described;

/*
 * Describes count tables by names as the servers give them. *out is an array of count, to be freed with described_free. Forms
 * are those of the source.
 */
int describe_tables(ComparePair *pair, Forms *forms, const char *const *schemas, const char *const *names,
                    int count, Described **out, Error *error) MUST_CHECK;
void described_free(Described *described, int count);
