/*
 * Two positions for any number of messages: once the mark has passed the first, the newest is waited for. One between them has
 * the newest's report, or the regular one.
 */
#include "awaited.h"

#include "captured.h"

void awaited_came(Awaited *awaited, const Record *record, Lsn commit)
{
    if (!captured_is_waited_for(record)) {
        return;
    }
    awaited->first = awaited->first == LSN_INVALID ? commit : awaited->first;
    awaited->last = commit;
    awaited->came = true;
}

bool awaited_hurries(Awaited *awaited)
{
    bool came = awaited->came;
    awaited->came = false;
    return came;
}

bool awaited_passed(Awaited *awaited, Lsn low_water)
{
    if (awaited->first == LSN_INVALID || low_water <= awaited->first) {
        return false;
    }
    awaited->first = low_water <= awaited->last ? awaited->last : LSN_INVALID;
    return true;
}
