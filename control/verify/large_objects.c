/*
 * pg_largeobject has pages of 2 kB; what was never written has none, and is read as zeros, as is a page of zeros: these are left
 * out on both sides. A last page may be shorter: so the length is compared, too.
 *
 * What changed since it was brought is no difference: no stream carries large objects, the switch brings them once more.
 *
 * Objects are summed in buckets (buckets.h), and only those in buckets that differ are looked at one by one.
 */
#include "large_objects.h"

#include <stdlib.h>
#include <string.h>

#include "buckets.h"
#include "chunk.h"
#include "large.h"
#include "text.h"

/* Of objects whose OID satisfies the condition: OID, length, sum of the hashes of pages. */
#define OBJECTS(condition)                                                                                   \
    "SELECT m.oid, coalesce(max(l.pageno::int8 * 2048 + length(l.data)), 0) AS size,"                        \
    "       coalesce(sum(hashtextextended(concat(l.pageno, ' ', md5(l.data)), 0)"                            \
    "                    ) FILTER (WHERE l.data <> decode(repeat('00', length(l.data)), 'hex')), 0) AS hash" \
    "  FROM pg_largeobject_metadata m LEFT JOIN pg_largeobject l ON l.loid = m.oid" condition " GROUP BY 1"

static const char buckets_sql[] = "SELECT (oid::int8 & 4095)::int4, count(*), "
                                  "sum(hashtextextended(concat(oid, ' ', size, ' ', hash), 0))"
                                  "  FROM (" OBJECTS("") ") o GROUP BY 1 ORDER BY 1";

static const char objects_sql[] = "SELECT oid::int8, concat(size, ' bytes, hash ', hash) FROM (" OBJECTS(
    " WHERE (m.oid::int8 & 4095)::int4 = ANY ($1::int4[])") ") o ORDER BY 1";

/* An object that differs; source and target are borrowed from the results, NULL where it is not there. */
typedef struct Wrong {
    const char *oid, *source, *target;
} Wrong;

static size_t find_wrong(const PGresult *source, const PGresult *target, Wrong *out)
{
    int s = 0, t = 0;
    size_t count = 0;
    while (s < PQntuples(source) || t < PQntuples(target)) {
        long long left = s < PQntuples(source) ? strtoll(PQgetvalue(source, s, 0), NULL, 10) : 1LL << 40;
        long long right = t < PQntuples(target) ? strtoll(PQgetvalue(target, t, 0), NULL, 10) : 1LL << 40;
        const char *here = left <= right ? PQgetvalue(source, s, 1) : NULL;
        const char *there = right <= left ? PQgetvalue(target, t, 1) : NULL;
        if (here == NULL || there == NULL || strcmp(here, there) != 0) {
            out[count++] =
                (Wrong){left <= right ? PQgetvalue(source, s, 0) : PQgetvalue(target, t, 0), here, there};
        }
        s += left <= right;
        t += right <= left;
    }
    return count;
}

static bool has_oid(const PGresult *rows, const char *oid)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(PQgetvalue(rows, row, 0), oid) == 0) {
            return true;
        }
    }
    return false;
}

/* Which of them have changed on the side that is written, since they were brought: the switch, or the way back, brings them. */
static int find_changed(Verify *verify, const LargeKnown *known, const Wrong *wrong, size_t count,
                        PGresult **out, Error *error)
{
    bool switched = verify->migration.phase == PHASE_SWITCHED;
    Text oids = {0};
    for (size_t i = 0; i < count; i++) {
        text_array_add(&oids, wrong[i].oid);
    }
    text_array_end(&oids);
    int status = large_changed(switched ? verify->target : verify->source,
                               switched ? known->target : known->source, oids.data, out, error);
    text_free(&oids);
    return status;
}

/* One that the side that is written has removed is removed on the other in the same way. */
static int note_wrong(Verify *verify, const LargeKnown *known, const Wrong *wrong, size_t count, Error *error)
{
    bool switched = verify->migration.phase == PHASE_SWITCHED;
    PGresult *changed = NULL;
    int status = count == 0 ? 0 : find_changed(verify, known, wrong, count, &changed, error);
    for (size_t i = 0, noted = 0; status == 0 && i < count && noted < (size_t)verify->options->limit; i++) {
        bool removed = switched ? wrong[i].target == NULL : wrong[i].source == NULL;
        if (!removed && !has_oid(changed, wrong[i].oid)) {
            status = pass_note(verify->target, &verify->pass, "large object", wrong[i].oid, NULL,
                               wrong[i].source, wrong[i].target, error);
            atomic_fetch_add(&verify->different, 1);
            noted++;
        }
    }
    PQclear(changed);
    return status;
}

static int note_objects(Verify *verify, const LargeKnown *known, const PGresult *source,
                        const PGresult *target, Error *error)
{
    Wrong *wrong = calloc((size_t)(PQntuples(source) + PQntuples(target)) + 1, sizeof(*wrong));
    if (wrong == NULL) {
        abort();
    }
    size_t count = find_wrong(source, target, wrong);
    int status = note_wrong(verify, known, wrong, count, error);
    free(wrong);
    return status;
}

static int compare(Verify *verify, const LargeKnown *known, ComparePair *pair, Error *error)
{
    PGresult *source, *target;
    Text buckets = {0};
    if (pair_query(pair, buckets_sql, 0, NULL, &source, &target, error) != 0) {
        return -1;
    }
    int found = buckets_find(source, target, BUCKETS_LISTED, &buckets), status = 0;
    PQclear(source);
    PQclear(target);
    if (found > 0) {
        const char *values[1] = {buckets.data};
        status = pair_query(pair, objects_sql, 1, values, &source, &target, error);
        if (status == 0) {
            status = note_objects(verify, known, source, target, error);
            PQclear(source);
            PQclear(target);
        }
    }
    text_free(&buckets);
    return status;
}

int large_objects_verify(Verify *verify, Error *error)
{
    bool there = false, here = false;
    int number;
    LargeKnown known;
    static const char any[] = "SELECT 1 FROM pg_catalog.pg_largeobject_metadata LIMIT 1";
    if (large_load(verify->target, verify->settings->migration, &known, error) != 0) {
        return -1;
    }
    if (!known.known) {
        return 0;
    }
    if (database_found(verify->source, &here, error, any, 0) != 0 ||
        database_found(verify->target, &there, error, any, 0) != 0) {
        return -1;
    }
    if (!here && !there) {
        return 0;
    }
    ComparePair pair = {.stop = interrupted, .say = verify_say, .context = verify};
    const Settings *settings = verify->settings;
    int status = verify_connect(settings, DATABASE_SOURCE, "verify", &pair.source, error) == 0 &&
                         verify_connect(settings, DATABASE_TARGET, "verify", &pair.target, error) == 0 &&
                         pairs_adopt(verify->pairs, pair.source, pair.target, &number, error) == 0
                     ? compare(verify, &known, &pair, error)
                     : -1;
    pair_close(&pair);
    return status == 0 ? 0 : error_context(error, "comparing large objects");
}
