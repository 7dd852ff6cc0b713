/*
 * One failure is no habit: a key swap happens once, and sets are much faster. A relation that fails again within NEAR
 * batches after its pause is left in peace for 2 batches, then 4, up to LONGEST; then sets are tried again.
 *
 *     batch   1 failed   2 failed   3 4 by rows   5 failed   6 7 8 9 by rows   10 as a set   … 20 failed: no pause
 */
#include "fallback.h"

#define NEAR 4
#define LONGEST 256

static Fallback *find(Fallbacks *fallbacks, const ApplyRelation *relation)
{
    for (size_t i = 0; i < FALLBACK_RELATIONS; i++) {
        if (fallbacks->entries[i].relation == relation) {
            return &fallbacks->entries[i];
        }
    }
    return NULL;
}

void fallbacks_begin(Fallbacks *fallbacks)
{
    fallbacks->batch++;
}

bool fallbacks_pausing(const Fallbacks *fallbacks, const ApplyRelation *relation)
{
    const Fallback *entry = find((Fallbacks *)fallbacks, relation);
    return entry != NULL && fallbacks->batch > entry->batch &&
           fallbacks->batch - entry->batch <= entry->pause;
}

void fallbacks_failed(Fallbacks *fallbacks, const ApplyRelation *relation)
{
    Fallback *entry = find(fallbacks, relation);
    if (entry == NULL) {
        entry = &fallbacks->entries[fallbacks->next++ % FALLBACK_RELATIONS];
        *entry = (Fallback){.relation = relation, .batch = fallbacks->batch};
        return;
    }
    bool near = fallbacks->batch - entry->batch <= entry->pause + NEAR;
    uint64_t longer = entry->pause == 0 ? 2 : entry->pause * 2;
    entry->pause = !near ? 0 : longer < LONGEST ? longer : LONGEST;
    entry->batch = fallbacks->batch;
}
