/*
 * pg_largeobject has pages of 2 kB; what was never written has none, and is read as zeros, as is a page of zeros: these are left
 * out on both sides. A last page may be shorter: so the length is compared, too.
 *
 * What changed since it was brought is no difference: no stream carries large objects, the switch brings them once more.
 *
 * Objects are summed in buckets (buckets.h), and only those in buckets that differ are looked at one by one: content, owner, grants,
 * labels and comment, as the copy brings them. Of a comment or label that was taken away nothing tells since when it is not there:
 * where the side that is written has none, that is no difference.
 */
#include "large_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buckets.h"
#include "chunk.h"
#include "large.h"
#include "text.h"

/* Buckets whose objects are looked at one by one at a time: each time pg_largeobject is read. */
#define BUCKETS_AT_A_TIME 512

/*
 * All objects, or those of buckets $4 to $5 of the array $3. $1 and $2: whether owners and grants are looked at.
 */
#define OBJECTS                                                                                              \
    "WITH roles AS (SELECT oid, CASE WHEN oid = 10 THEN '(made the cluster)' ELSE rolname::text END AS is"   \
    "   FROM pg_roles UNION ALL SELECT 0, 'PUBLIC'),"                                                        \
    " pages AS (SELECT loid, max(pageno::int8 * 2048 + length(data)) AS size,"                               \
    "     sum(hashtextextended(concat(pageno, ' ', md5(data)), 0))"                                          \
    "       FILTER (WHERE data <> decode(repeat('00', length(data)), 'hex')) AS hash"                        \
    "   FROM pg_largeobject WHERE $3::int4[] IS NULL"                                                        \
    "     OR (loid::int8 & 4095)::int4 = ANY (($3::int4[])[$4::int4:$5::int4]) GROUP BY 1),"                 \
    " objects AS (SELECT m.oid::int8 AS oid, concat(coalesce(p.size, 0), ' bytes, hash ',"                   \
    "     coalesce(p.hash, 0)) AS content,"                                                                  \
    "     CASE WHEN $1::bool THEN (SELECT r.is FROM roles r WHERE r.oid = m.lomowner) END AS owner,"         \
    "     CASE WHEN $2::bool THEN (SELECT string_agg(concat(r.is, ' ', a.privilege_type,"                    \
    "         CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), ', '"                                 \
    "         ORDER BY r.is COLLATE \"C\", a.privilege_type COLLATE \"C\")"                                  \
    "       FROM aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) a"                              \
    "       JOIN roles r ON r.oid = a.grantee) END AS grants,"                                               \
    "     (SELECT string_agg(concat(l.provider, ' ', l.label), ', ' ORDER BY l.provider COLLATE \"C\")"      \
    "       FROM pg_seclabel l WHERE l.classoid = 'pg_largeobject'::regclass AND l.objoid = m.oid)"          \
    "       AS labels,"                                                                                      \
    "     (SELECT d.description FROM pg_description d"                                                       \
    "       WHERE d.classoid = 'pg_largeobject'::regclass AND d.objoid = m.oid) AS comment"                  \
    "   FROM pg_largeobject_metadata m LEFT JOIN pages p ON p.loid = m.oid WHERE $3::int4[] IS NULL"         \
    "     OR (m.oid::int8 & 4095)::int4 = ANY (($3::int4[])[$4::int4:$5::int4]))"

static const char buckets_sql[] =
    OBJECTS " SELECT (oid & 4095)::int4, count(*), sum(hashtextextended(objects::text, 0))"
            "  FROM objects GROUP BY 1 ORDER BY 1";

static const char objects_sql[] = OBJECTS " SELECT * FROM objects ORDER BY oid";

/* The columns of objects_sql, and what each says of an object. From LABELS on they can be taken away without a trace. */
enum { OID, CONTENT, OWNER, GRANTS, LABELS, COMMENT, COLUMNS };

static const char *const parts[COLUMNS] = {
    [OWNER] = "owner", [GRANTS] = "grants", [LABELS] = "labels", [COMMENT] = "comment"};

/* An object that is not the same on both sides, where its rows are in the results: -1 where it is not there. */
typedef struct Wrong {
    const char *oid; /* borrowed from the results */
    int source, target;
} Wrong;

static const char *value_at(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? "" : PQgetvalue(rows, row, column);
}

static bool is_same(const PGresult *source, int s, const PGresult *target, int t)
{
    for (int column = CONTENT; column < COLUMNS; column++) {
        if (strcmp(value_at(source, s, column), value_at(target, t, column)) != 0) {
            return false;
        }
    }
    return true;
}

static size_t find_wrong(const PGresult *source, const PGresult *target, Wrong *out)
{
    int s = 0, t = 0;
    size_t count = 0;
    while (s < PQntuples(source) || t < PQntuples(target)) {
        long long left = s < PQntuples(source) ? strtoll(PQgetvalue(source, s, OID), NULL, 10) : 1LL << 40;
        long long right = t < PQntuples(target) ? strtoll(PQgetvalue(target, t, OID), NULL, 10) : 1LL << 40;
        if (left != right || !is_same(source, s, target, t)) {
            out[count++] = (Wrong){
                .oid = left <= right ? PQgetvalue(source, s, OID) : PQgetvalue(target, t, OID),
                .source = left <= right ? s : -1,
                .target = right <= left ? t : -1,
            };
        }
        s += left <= right;
        t += right <= left;
    }
    return count;
}

/* Both sides' rows of some buckets. */
typedef struct Rows {
    PGresult *source, *target;
} Rows;

/* Whether the list, by OID, has that one; *at goes along with OIDs that ascend. */
static bool has_oid(const PGresult *list, int *at, const char *oid)
{
    long long wanted = strtoll(oid, NULL, 10);
    while (*at < PQntuples(list) && strtoll(PQgetvalue(list, *at, 0), NULL, 10) < wanted) {
        (*at)++;
    }
    return *at < PQntuples(list) && strtoll(PQgetvalue(list, *at, 0), NULL, 10) == wanted;
}

/* Which of them have changed on the side that is written, since they were brought: the switch, or the way back, brings them. */
typedef struct Changed {
    PGresult *objects, *comments;
    int object, comment; /* how far the lists were gone through */
} Changed;

static int find_changed(Verify *verify, const LargeKnown *known, const Wrong *wrong, size_t count,
                        Changed *out, Error *error)
{
    bool switched = verify->migration.phase == PHASE_SWITCHED;
    Database *written = switched ? verify->target : verify->source;
    const char *since = switched ? known->target : known->source;
    Text oids = {0};
    *out = (Changed){0};
    for (size_t i = 0; i < count; i++) {
        text_array_add(&oids, wrong[i].oid);
    }
    text_array_end(&oids);
    int status = large_changed(written, since, oids.data, &out->objects, error) == 0
                     ? large_comments_changed(written, since, oids.data, &out->comments, error)
                     : -1;
    text_free(&oids);
    return status;
}

static int note(Verify *verify, const char *oid, const char *part, const char *source, const char *target,
                Error *error)
{
    atomic_fetch_add(&verify->different, 1);
    return pass_note(verify->target, &verify->pass, "large object", oid, part, source, target, error);
}

/* Of an object that is on both sides. */
static int note_parts(Verify *verify, const Rows *rows, const Wrong *wrong, bool comment_changed, bool *noted,
                      Error *error)
{
    bool switched = verify->migration.phase == PHASE_SWITCHED;
    for (int column = CONTENT; column < COLUMNS; column++) {
        const char *source = value_at(rows->source, wrong->source, column);
        const char *target = value_at(rows->target, wrong->target, column);
        bool taken = column >= LABELS && *(switched ? target : source) == '\0';
        if (taken || (column == COMMENT && comment_changed) || strcmp(source, target) == 0) {
            continue;
        }
        *noted = true;
        if (note(verify, wrong->oid, parts[column], source, target, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* One that the side that is written has removed is removed on the other in the same way. */
static int note_one(Verify *verify, const Rows *rows, const Wrong *wrong, bool comment_changed, bool *noted,
                    Error *error)
{
    bool switched = verify->migration.phase == PHASE_SWITCHED;
    if ((switched ? wrong->target : wrong->source) < 0) {
        return 0;
    }
    if (wrong->source >= 0 && wrong->target >= 0) {
        return note_parts(verify, rows, wrong, comment_changed, noted, error);
    }
    *noted = true;
    return note(verify, wrong->oid, NULL,
                wrong->source >= 0 ? PQgetvalue(rows->source, wrong->source, CONTENT) : NULL,
                wrong->target >= 0 ? PQgetvalue(rows->target, wrong->target, CONTENT) : NULL, error);
}

/* *left: how many may still be listed. */
static int note_wrong(Verify *verify, const LargeKnown *known, const Rows *rows, const Wrong *wrong,
                      size_t count, int *left, Error *error)
{
    Changed changed = {0};
    int status = count == 0 ? 0 : find_changed(verify, known, wrong, count, &changed, error);
    for (size_t i = 0; status == 0 && i<count && * left> 0; i++) {
        bool noted = false, comment = has_oid(changed.comments, &changed.comment, wrong[i].oid);
        if (!has_oid(changed.objects, &changed.object, wrong[i].oid)) {
            status = note_one(verify, rows, &wrong[i], comment, &noted, error);
        }
        *left -= noted;
    }
    PQclear(changed.objects);
    PQclear(changed.comments);
    return status;
}

static int note_objects(Verify *verify, const LargeKnown *known, const Rows *rows, int *left, Error *error)
{
    Wrong *wrong = calloc((size_t)(PQntuples(rows->source) + PQntuples(rows->target)) + 1, sizeof(*wrong));
    if (wrong == NULL) {
        abort();
    }
    size_t count = find_wrong(rows->source, rows->target, wrong);
    int status = note_wrong(verify, known, rows, wrong, count, left, error);
    free(wrong);
    return status;
}

/* Asks both sides: of buckets [first, last] of that list, or with NULL of all. */
static int ask(ComparePair *pair, const LargeKnown *known, const char *sql, const char *buckets, int first,
               int last, Rows *out, Error *error)
{
    char from[16], to[16];
    snprintf(from, sizeof from, "%d", first);
    snprintf(to, sizeof to, "%d", last);
    const char *values[5] = {known->owners ? "t" : "f", known->grants ? "t" : "f", buckets, from, to};
    return pair_query(pair, sql, 5, values, &out->source, &out->target, error);
}

/* Whatever has changed since it was brought is in buckets that differ, too: so all of them are looked at. */
static int compare(Verify *verify, const LargeKnown *known, ComparePair *pair, Error *error)
{
    Rows rows;
    Text buckets = {0};
    if (ask(pair, known, buckets_sql, NULL, 0, 0, &rows, error) != 0) {
        return -1;
    }
    int found = buckets_find(rows.source, rows.target, BUCKETS, &buckets), status = 0;
    int left = verify->options->limit > 0 ? verify->options->limit : 1;
    PQclear(rows.source);
    PQclear(rows.target);
    for (int first = 1; status == 0 && first <= found && left > 0; first += BUCKETS_AT_A_TIME) {
        status =
            ask(pair, known, objects_sql, buckets.data, first, first + BUCKETS_AT_A_TIME - 1, &rows, error);
        if (status == 0) {
            status = note_objects(verify, known, &rows, &left, error);
            PQclear(rows.source);
            PQclear(rows.target);
        }
    }
    text_free(&buckets);
    return status;
}

int large_objects_verify(Verify *verify, Error *error)
{
    bool none = false;
    int number;
    LargeKnown known;
    if (large_load(verify->target, verify->settings->migration, &known, error) != 0) {
        return -1;
    }
    if (!known.known) {
        return 0;
    }
    if (large_none(verify->source, verify->target, &none, error) != 0) {
        return -1;
    }
    if (none) {
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
