/*
 * The list has the top-level transactions that ran (GetSnapshotData keeps subtransactions apart, and txid.c shows only the
 * former), and the stream names top-level transactions: so the two meet without any knowledge of subtransactions.
 */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reads a number and moves *text behind it; false when there is none. */
static bool take_number(const char **text, uint64_t *out)
{
    char *end = NULL;
    if (**text < '0' || **text > '9') {
        return false;
    }
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

static bool take_colon(const char **text)
{
    return *(*text)++ == ':';
}

static size_t most_numbers(const char *list)
{
    size_t count = 1;
    for (const char *comma = strchr(list, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        count++;
    }
    return count;
}

/* The list behind the second colon: ascending, between xmin and xmax, separated by commas. */
static bool take_list(const char *text, Snapshot *out)
{
    if (*text == '\0') {
        return true;
    }
    out->running = calloc(most_numbers(text), sizeof *out->running);
    if (out->running == NULL) {
        abort();
    }
    for (;;) {
        uint64_t xid;
        if (!take_number(&text, &xid) || xid < out->xmin || xid >= out->xmax ||
            (out->running_count > 0 && xid <= out->running[out->running_count - 1])) {
            return false;
        }
        out->running[out->running_count++] = xid;
        if (*text != ',') {
            return *text == '\0';
        }
        text++;
    }
}

int snapshot_parse(const char *text, Lsn end, Snapshot *out, Error *error)
{
    const char *rest = text;
    *out = (Snapshot){.end = end};
    bool good = take_number(&rest, &out->xmin) && take_colon(&rest) && take_number(&rest, &out->xmax) &&
                take_colon(&rest) && out->xmin > 0 && out->xmin <= out->xmax && take_list(rest, out);
    if (!good) {
        snapshot_free(out);
        return error_set(error, ERROR_PROTOCOL, "\"%.100s\" is not a snapshot", text);
    }
    return 0;
}

Snapshot snapshot_by_lsn(Lsn end)
{
    return (Snapshot){.end = end, .by_lsn = true};
}

void snapshot_free(Snapshot *snapshot)
{
    free(snapshot->running);
    *snapshot = (Snapshot){0};
}

/* The id with the epoch that brings it next to xmax. */
static uint64_t with_epoch(uint32_t xid, uint64_t xmax)
{
    int32_t distance = (int32_t)(xid - (uint32_t)xmax);
    return xmax + (uint64_t)(int64_t)distance;
}

static bool was_running(const Snapshot *snapshot, uint64_t xid)
{
    size_t low = 0, high = snapshot->running_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->running[middle] < xid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < snapshot->running_count && snapshot->running[low] == xid;
}

bool snapshot_sees(const Snapshot *snapshot, uint32_t xid, Lsn commit_lsn)
{
    if (commit_lsn >= snapshot->end) {
        return false;
    }
    if (snapshot->by_lsn) {
        return true;
    }
    uint64_t full = with_epoch(xid, snapshot->xmax);
    return full < snapshot->xmin || (full < snapshot->xmax && !was_running(snapshot, full));
}

bool snapshot_is_past(const Snapshot *snapshot, uint64_t xid)
{
    return snapshot->xmin >= xid;
}
