#include "buckets.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

/* The bucket of a row; behind the last row one that is behind all others. */
static int number_at(const PGresult *rows, int row)
{
    return row < PQntuples(rows) ? number_int(PQgetvalue(rows, row, 0)) : 1 << 30;
}

static bool is_same(const PGresult *source, int s, const PGresult *target, int t)
{
    return strcmp(PQgetvalue(source, s, 1), PQgetvalue(target, t, 1)) == 0 &&
           strcmp(PQgetvalue(source, s, 2), PQgetvalue(target, t, 2)) == 0;
}

int buckets_find(const PGresult *source, const PGresult *target, int most, Text *out)
{
    int s = 0, t = 0, found = 0;
    while (s < PQntuples(source) || t < PQntuples(target)) {
        int left = number_at(source, s), right = number_at(target, t);
        if (left != right || !is_same(source, s, target, t)) {
            if (found++ < most) {
                char number[16];
                snprintf(number, sizeof number, "%d", left < right ? left : right);
                text_array_add(out, number);
            }
        }
        s += left <= right;
        t += right <= left;
    }
    text_array_end(out);
    return found;
}
