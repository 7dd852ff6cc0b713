/*
 *     changed since, by xmin ──► batches ──► several sessions: each batch one transaction on the other side
 *     then, if the two sides do not count the same: what is missing ──► batches; what is too much ──► removed
 *
 * since is taken first, so that what changes while this goes on is found by the next call. An object that is removed meanwhile
 * is in a batch and nowhere else: it is made for nothing, and the next call removes it.
 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "crew.h"
#include "query.h"
#include "relay.h"
#include "session.h"

#define AT_A_TIME 500 /* objects in a transaction: each takes a lock on the other side */
#define STALL_SECONDS 900

typedef struct Bringing {
    const LargeRequest *request;
    const PGresult *oids;
    atomic_int next; /* row of oids */
    atomic_bool stop;
    _Atomic int64_t bytes;
} Bringing;

/* An array literal of the rows [first, last). */
static void write_array(const PGresult *oids, int first, int last, Text *out)
{
    for (int i = first; i < last; i++) {
        text_array_add(out, PQgetvalue(oids, i, 0));
    }
    text_array_end(out);
}

static int start_copy(Database *database, const char *sql, ExecStatusType wanted, Error *error)
{
    PGresult *result = NULL;
    const Query query = {.sql = sql, .what = "carrying large objects", .limits = database_limits(database)};
    if (query_run(database, &query, &result, error) != 0) {
        return -1;
    }
    int status = PQresultStatus(result) == wanted ? 0 : database_error(database, result, error);
    PQclear(result);
    return status;
}

/* OIDs need no quotes. */
static int carry(Bringing *bringing, Database *from, Database *to, const char *oids, const atomic_bool *stop,
                 Error *error)
{
    Text out = {0};
    RelayCount count;
    const SessionWait wait = {.stop = stop, .limit_seconds = STALL_SECONDS, .what = "large objects"};
    text_printf(
        &out,
        "COPY (SELECT loid, pageno, data FROM pg_catalog.pg_largeobject WHERE loid = ANY ('%s'::oid[])"
        " ORDER BY loid, pageno) TO STDOUT (FORMAT binary)",
        oids);
    int status = start_copy(from, out.data, PGRES_COPY_OUT, error);
    if (status == 0) {
        status =
            start_copy(to, "COPY pg_catalog.pg_largeobject (loid, pageno, data) FROM STDIN (FORMAT binary)",
                       PGRES_COPY_IN, error);
    }
    if (status == 0) {
        const RelayRoute route = {.wait = &wait, .moving = &bringing->bytes};
        status = relay_rows(from, to, &route, &count, error);
    }
    text_free(&out);
    return status;
}

static int bring_batch(Bringing *bringing, Database *from, Database *to, const char *oids,
                       const atomic_bool *stop, Error *error)
{
    PGresult *there = NULL;
    if (database_execute(from, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0) != 0 ||
        database_execute(to, error, "BEGIN", 0) != 0) {
        return -1;
    }
    /* Those that have gone meanwhile are left to the next call. */
    if (database_query(
            from, &there, error,
            "SELECT coalesce(array_agg(oid), '{}') FROM pg_largeobject_metadata WHERE oid = ANY ($1::oid[])",
            1, oids) != 0) {
        return -1;
    }
    const char *list = PQgetvalue(there, 0, 0);
    int status =
        database_execute(to, error,
                         "SELECT count(lo_create(o)) FROM unnest($1::oid[]) AS o WHERE NOT EXISTS"
                         " (SELECT FROM pg_largeobject_metadata m WHERE m.oid = o)",
                         1, list) == 0 &&
                database_execute(to, error, "DELETE FROM pg_largeobject WHERE loid = ANY ($1::oid[])", 1,
                                 list) == 0 &&
                carry(bringing, from, to, list, stop, error) == 0 &&
                details_bring(from, to, list, bringing->request, error) == 0 &&
                database_execute(to, error, "COMMIT", 0) == 0
            ? database_execute(from, error, "COMMIT", 0)
            : -1;
    PQclear(there);
    return status;
}

static int connect(const LargeRequest *request, bool from, Database **out, Error *error)
{
    return database_connect_within(from ? request->from_uri : request->to_uri,
                                   from ? request->from : request->to, "large objects", request->limits, out,
                                   error);
}

static int work(const CrewMember *member, Error *error)
{
    Bringing *bringing = member->context;
    Database *from = NULL, *to = NULL;
    int count = PQntuples(bringing->oids);
    int status = connect(bringing->request, true, &from, error) == 0
                     ? connect(bringing->request, false, &to, error)
                     : -1;
    while (status == 0 && !atomic_load(member->stop)) {
        int first = atomic_fetch_add(&bringing->next, AT_A_TIME);
        int last = first + AT_A_TIME < count ? first + AT_A_TIME : count;
        if (first >= count) {
            break;
        }
        Text oids = {0};
        write_array(bringing->oids, first, last, &oids);
        status = bring_batch(bringing, from, to, oids.data, member->stop, error);
        text_free(&oids);
    }
    database_close(from);
    database_close(to);
    return status;
}

static bool is_late(const LargeRequest *request)
{
    return request->limits.deadline != 0 && clock_ms() > request->limits.deadline;
}

static int late(const Bringing *bringing, Error *error)
{
    return error_set(error, ERROR_LIMIT, "%d large objects were not brought within the limit",
                     PQntuples(bringing->oids));
}

static int idle(void *context, Error *error)
{
    const Bringing *bringing = context;
    if (is_late(bringing->request)) {
        return late(bringing, error);
    }
    if (bringing->request->idle != NULL) {
        bringing->request->idle(bringing->request->context);
    }
    return 0;
}

static int bring_all(const LargeRequest *request, const PGresult *oids, LargeResult *out, Error *error)
{
    Bringing bringing = {.request = request, .oids = oids};
    int batches = (PQntuples(oids) + AT_A_TIME - 1) / AT_A_TIME;
    if (batches == 0) {
        return 0;
    }
    int jobs = batches < request->jobs ? batches : request->jobs;
    int status = crew_run(jobs > 0 ? jobs : 1, work, idle, &bringing, &bringing.stop, error);
    if (status != 0 && is_late(request)) {
        late(&bringing, error); /* a connection's own words would hide it */
    }
    out->objects += PQntuples(oids);
    out->bytes += bringing.bytes;
    return status;
}

static int bring_changed(const LargeRequest *request, Database *from, const char *since, LargeResult *out,
                         Error *error)
{
    PGresult *oids = NULL;
    bool any = false;
    if (since == NULL || large_any(from, &any, error) != 0) {
        return since == NULL ? 0 : -1;
    }
    if (!any) {
        return 0; /* who has no large objects need not be allowed to read them */
    }
    int status = database_query(
        from, &oids, error,
        "SELECT loid FROM (SELECT DISTINCT loid FROM pg_largeobject WHERE " CHANGED(
            "$1") " UNION SELECT oid FROM pg_largeobject_metadata WHERE " CHANGED("$1") ") c WHERE EXISTS "
                                                                                        "(SELECT FROM "
                                                                                        "pg_largeobject_"
                                                                                        "metadata m WHERE "
                                                                                        "m.oid = c.loid)"
                                                                                        " ORDER BY 1",
        1, since);
    if (status == 0) {
        status = bring_all(request, oids, out, error);
    }
    PQclear(oids);
    return status;
}

/* --- the two sides' lists --- */

static int same_lists(Database *from, Database *to, bool *same, Error *error)
{
    static const char sql[] =
        "SELECT concat(count(*), ' ', sum(oid::int8), ' ', sum(oid::int8 * (oid::int8 % 9973)))"
        " FROM pg_largeobject_metadata";
    char *here = NULL, *there = NULL;
    int status =
        database_value(from, &here, error, sql, 0) == 0 ? database_value(to, &there, error, sql, 0) : -1;
    *same = status == 0 && strcmp(here, there) == 0;
    free(here);
    free(there);
    return status;
}

/* A column: the OIDs that this side has and that are not in the literal. */
static int list_without(Database *database, const char *others, PGresult **out, Error *error)
{
    return database_query(database, out, error,
                          "SELECT m.oid FROM pg_largeobject_metadata m WHERE NOT EXISTS"
                          " (SELECT FROM unnest($1::oid[]) AS o WHERE o = m.oid) ORDER BY 1",
                          1, others);
}

static int remove_all(Database *to, const PGresult *oids, Error *error)
{
    for (int first = 0; first < PQntuples(oids); first += AT_A_TIME) {
        Text list = {0};
        int last = first + AT_A_TIME < PQntuples(oids) ? first + AT_A_TIME : PQntuples(oids);
        write_array(oids, first, last, &list);
        int status = database_execute(to, error, "SELECT count(lo_unlink(o)) FROM unnest($1::oid[]) AS o", 1,
                                      list.data);
        text_free(&list);
        if (status != 0) {
            return -1;
        }
    }
    return 0;
}

static int level(const LargeRequest *request, Database *from, Database *to, LargeResult *out, Error *error)
{
    char *here = NULL, *there = NULL;
    PGresult *missing = NULL, *surplus = NULL;
    static const char all_sql[] = "SELECT coalesce(array_agg(oid), '{}') FROM pg_largeobject_metadata";
    int status = database_value(from, &here, error, all_sql, 0) == 0 &&
                         database_value(to, &there, error, all_sql, 0) == 0
                     ? list_without(from, there, &missing, error)
                     : -1;
    if (status == 0) {
        status = list_without(to, here, &surplus, error);
    }
    if (status == 0) {
        status = remove_all(to, surplus, error);
    }
    if (status == 0) {
        out->removed = PQntuples(surplus);
        status = bring_all(request, missing, out, error);
    }
    PQclear(missing);
    PQclear(surplus);
    free(here);
    free(there);
    return status;
}

static int bring(const LargeRequest *request, Database *from, Database *to, const char *since,
                 LargeResult *out, Error *error)
{
    bool same = false;
    if (large_now(from, out->since, error) != 0 || bring_changed(request, from, since, out, error) != 0 ||
        same_lists(from, to, &same, error) != 0 || (!same && level(request, from, to, out, error) != 0)) {
        return -1;
    }
    return details_bring_comments(from, to, error);
}

int large_bring(const LargeRequest *request, const char *since, LargeResult *out, Error *error)
{
    Database *from = NULL, *to = NULL;
    *out = (LargeResult){0};
    int status = connect(request, true, &from, error) == 0 ? connect(request, false, &to, error) : -1;
    if (status == 0) {
        status = bring(request, from, to, since != NULL && *since != '\0' ? since : NULL, out, error);
    }
    database_close(from);
    database_close(to);
    if (status != 0 && strcmp(error->sqlstate, "42501") == 0) {
        error_hint(error, "Reading takes GRANT SELECT ON pg_catalog.pg_largeobject, by a superuser; writing "
                          "takes a superuser.");
    }
    return status == 0
               ? 0
               : error_context(error, "bringing large objects to the %s", database_end_name(request->to));
}
