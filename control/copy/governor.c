/*
 * Every figure is asked for in one statement per server, and only when a limit is about it.
 *
 * Free space is known where the role may run a program on the target (COPY … FROM PROGRAM): the server's processes work in the
 * folder of its data. What other sessions are at, and standbys, is seen by pg_read_all_stats (pg_stat_get_activity and
 * pg_stat_get_wal_senders give NULL to others, all majors). A limit that cannot be looked after is said once, and is none: it is no
 * reason to end a copy.
 */
#include "governor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "progress.h"

#define LOOK_SECONDS 1
/* Below this part of a limit of WAL the copy goes on. */
#define WAL_AGAIN 0.75

typedef enum Limit { MAX_WAL, MAX_LAG, MAX_SESSIONS, MAX_XMIN_AGE, MIN_FREE, LIMITS } Limit;

struct Governor {
    GovernorOptions options;
    Brake *brake;
    double looked_at;
    int allowed; /* jobs, as the limits have it */
    bool wal_over;
    bool holds;
    int blind;   /* bits of limits that cannot be looked after, and are said to be */
    int told_of; /* what the reason was about when it was said last */
    char reason[512];
};

/* What holds the copy up, beside a limit. */
enum { NOTHING = LIMITS, PAUSED, NO_ROOM };

/* The row of penstock.throttle; a limit below 0 is none. */
typedef struct Throttle {
    bool paused;
    int jobs;
    int64_t rate;
    int64_t limits[LIMITS];
    char *standbys; /* array literal, NULL: all */
} Throttle;

Governor *governor_new(const GovernorOptions *options, Brake *brake)
{
    Governor *governor = calloc(1, sizeof *governor);
    if (governor == NULL) {
        abort();
    }
    *governor = (Governor){.options = *options, .brake = brake, .allowed = options->jobs, .told_of = NOTHING};
    return governor;
}

void governor_free(Governor *governor)
{
    free(governor);
}

bool governor_holds(const Governor *governor)
{
    return governor->holds;
}

static int64_t number_at(const PGresult *row, int column, int64_t otherwise)
{
    return PQntuples(row) == 0 || PQgetisnull(row, 0, column) ? otherwise
                                                              : strtoll(PQgetvalue(row, 0, column), NULL, 10);
}

static int read_throttle(Governor *governor, Throttle *out, Error *error)
{
    PGresult *row = NULL;
    *out = (Throttle){0};
    if (database_query(
            governor->options.target, &row, error,
            "SELECT max_wal, max_lag, max_sessions, max_xmin_age, min_free, jobs, bytes_per_second,"
            "       paused, standbys"
            "  FROM penstock.throttle WHERE migration = $1",
            1, governor->options.migration) != 0) {
        return error_context(error, "reading the throttle");
    }
    for (int i = 0; i < LIMITS; i++) {
        out->limits[i] = number_at(row, i, -1);
    }
    out->jobs = (int)number_at(row, LIMITS, governor->options.jobs);
    out->rate = number_at(row, LIMITS + 1, 0);
    int64_t own = governor->options.rate;
    out->rate = own > 0 && (out->rate == 0 || own < out->rate) ? own : out->rate;
    out->paused = PQntuples(row) > 0 && PQgetvalue(row, 0, LIMITS + 2)[0] == 't';
    out->standbys = PQntuples(row) > 0 && !PQgetisnull(row, 0, LIMITS + 3)
                        ? strdup(PQgetvalue(row, 0, LIMITS + 3))
                        : NULL;
    PQclear(row);
    return 0;
}

/* A named standby that is not there is as far behind as can be. */
static const char figures_sql[] =
    "SELECT (SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), restart_lsn)::int8"
    "          FROM pg_catalog.pg_replication_slots WHERE slot_name = $1),"
    " CASE WHEN $2::bool THEN (SELECT max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(),"
    "               coalesce(r.replay_lsn, '0/0')))::int8"
    "          FROM (SELECT application_name, replay_lsn FROM pg_catalog.pg_stat_replication"
    "                 WHERE $3::text[] IS NULL AND application_name NOT LIKE 'penstock%'"
    "                UNION ALL SELECT n, (SELECT s.replay_lsn FROM pg_catalog.pg_stat_replication s"
    "                     WHERE s.application_name = n ORDER BY s.replay_lsn DESC NULLS LAST LIMIT 1)"
    "                  FROM unnest($3::text[]) AS n) r) END,"
    " CASE WHEN $4::bool THEN (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE state = 'active'"
    "          AND backend_type = 'client backend' AND application_name NOT LIKE 'penstock%') END,"
    " CASE WHEN $5::bool THEN (SELECT max(x) FROM"
    "          (SELECT pg_catalog.age(backend_xmin) FROM pg_catalog.pg_stat_activity"
    "           UNION ALL SELECT pg_catalog.age(xmin) FROM pg_catalog.pg_replication_slots"
    "           UNION ALL SELECT pg_catalog.age(transaction) FROM pg_catalog.pg_prepared_xacts) AS a (x)) "
    "END, pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')";

static const char *flag(bool value)
{
    return value ? "t" : "f";
}

static int read_free_space(Governor *governor, int64_t *out, Error *error)
{
    char *kilobytes = NULL;
    if (database_execute(governor->options.target, error,
                         "CREATE TEMP TABLE IF NOT EXISTS penstock_df (line text);"
                         "TRUNCATE pg_temp.penstock_df;"
                         "COPY pg_temp.penstock_df FROM PROGRAM 'df -Pk . | tail -n 1'",
                         0) != 0 ||
        database_value(governor->options.target, &kilobytes, error,
                       "SELECT (pg_catalog.regexp_split_to_array(pg_catalog.btrim(line), '\\s+'))[4]"
                       "  FROM pg_temp.penstock_df LIMIT 1",
                       0) != 0) {
        return error_context(error, "looking how much space is free");
    }
    *out = kilobytes != NULL ? strtoll(kilobytes, NULL, 10) * 1024 : INT64_MAX;
    free(kilobytes);
    return 0;
}

/* Says once that a limit is none. */
static void be_blind(Governor *governor, Limit limit, const char *name, const char *why)
{
    if ((governor->blind & 1 << limit) == 0) {
        governor->blind |= 1 << limit;
        char line[640];
        snprintf(line, sizeof line, "%s is not looked after: %s", name, why);
        governor->options.say(governor->options.context, line);
    }
}

/* A server that is there, and refuses to say it. */
static int forgive(Governor *governor, Error *error)
{
    if (PQstatus(database_connection(governor->options.target)) != CONNECTION_OK) {
        return -1;
    }
    be_blind(governor, MIN_FREE, "min-free", error->message);
    *error = (Error){0};
    return 0;
}

static void see_what_may_be_seen(Governor *governor, const int64_t *limits, bool all, int64_t *figures)
{
    static const struct {
        Limit limit;
        const char *name;
    } of_others[] = {{MAX_LAG, "max-lag"}, {MAX_SESSIONS, "max-sessions"}, {MAX_XMIN_AGE, "max-xmin-age"}};
    for (size_t i = 0; i < sizeof of_others / sizeof *of_others; i++) {
        Limit limit = of_others[i].limit;
        if (!all && limits[limit] >= 0) {
            be_blind(governor, limit, of_others[i].name,
                     "the role of --source does not see other sessions (GRANT pg_read_all_stats)");
            figures[limit] = 0;
        }
    }
}

static int read_figures(Governor *governor, const Throttle *throttle, int64_t figures[LIMITS], Error *error)
{
    PGresult *row = NULL;
    const int64_t *limits = throttle->limits;
    bool any = limits[MAX_WAL] >= 0 || limits[MAX_LAG] >= 0 || limits[MAX_SESSIONS] >= 0 ||
               limits[MAX_XMIN_AGE] >= 0;
    for (int i = 0; i < LIMITS; i++) {
        figures[i] = 0;
    }
    if (any && database_query(governor->options.source, &row, error, figures_sql, 5,
                              governor->options.slot_name, flag(limits[MAX_LAG] >= 0), throttle->standbys,
                              flag(limits[MAX_SESSIONS] >= 0), flag(limits[MAX_XMIN_AGE] >= 0)) != 0) {
        return error_context(error, "looking what the source is at");
    }
    for (int i = 0; any && i < MIN_FREE; i++) {
        figures[i] = number_at(row, i, 0);
    }
    if (any) {
        see_what_may_be_seen(governor, limits, PQgetvalue(row, 0, MIN_FREE)[0] == 't', figures);
    }
    PQclear(row);
    figures[MIN_FREE] = INT64_MAX;
    if (limits[MIN_FREE] < 0 || read_free_space(governor, &figures[MIN_FREE], error) == 0) {
        return 0;
    }
    return forgive(governor, error);
}

static const char *const words[LIMITS] = {
    [MAX_WAL] = "the source keeps %s of WAL for the slot, and --max-wal is %s",
    [MAX_LAG] = "a standby is %s behind, or not connected, and max-lag is %s",
    [MAX_SESSIONS] = "%s sessions are active at the source, and max-sessions is %s",
    [MAX_XMIN_AGE] = "the oldest snapshot of the source is %s transactions old, and max-xmin-age is %s",
    [MIN_FREE] = "%s are free on the target, and min-free is %s",
};

/* The first limit that is passed, LIMITS when none is. */
static Limit passed(Governor *governor, const Throttle *throttle, const int64_t *figures)
{
    for (int i = 0; i < LIMITS; i++) {
        int64_t limit = throttle->limits[i];
        bool over = limit >= 0 && (i == MIN_FREE ? figures[i] < limit : figures[i] > limit);
        if (i == MAX_WAL && limit >= 0) {
            over = figures[i] > (int64_t)((double)limit * (governor->wal_over ? WAL_AGAIN : 1));
            governor->wal_over = over;
        }
        if (over) {
            return (Limit)i;
        }
    }
    return LIMITS;
}

static void amount(Limit limit, int64_t value, char *out, size_t size)
{
    if (limit == MAX_SESSIONS || limit == MAX_XMIN_AGE) {
        snprintf(out, size, "%lld", (long long)value);
    } else {
        progress_size(value, out, size);
    }
}

/* How many jobs may run, and in reason why not more, which is about *what. */
static int decide(Governor *governor, const Throttle *throttle, const int64_t *figures, int *what,
                  char *reason, size_t size)
{
    Limit limit = passed(governor, throttle, figures);
    bool full = brake_is_blocked(governor->brake);
    *what = throttle->paused ? PAUSED : full ? NO_ROOM : limit == LIMITS ? NOTHING : (int)limit;
    reason[0] = '\0';
    if (throttle->paused) {
        snprintf(reason, size, "it is paused (penstock resume)");
        return 0;
    }
    if (full) {
        snprintf(reason, size, "the target has no room; it goes on by itself when it has");
        return governor->allowed;
    }
    if (limit == LIMITS) {
        governor->allowed += governor->allowed < throttle->jobs;
        governor->allowed = governor->allowed > throttle->jobs ? throttle->jobs : governor->allowed;
        return governor->allowed;
    }
    char is[32], most[32];
    amount(limit, figures[limit], is, sizeof is);
    amount(limit, throttle->limits[limit], most, sizeof most);
    snprintf(reason, size, words[limit], is, most);
    governor->allowed = limit == MAX_WAL ? 0 : governor->allowed / 2;
    return governor->allowed;
}

/* For status, with each figure; and for whoever looks at this process, when another thing holds it up, or nothing any more. */
static int tell(Governor *governor, bool holds, int what, const char *reason, Error *error)
{
    char line[640];
    bool says = holds != governor->holds || what != governor->told_of;
    bool changed = says || strcmp(reason, governor->reason) != 0;
    snprintf(governor->reason, sizeof governor->reason, "%s", reason);
    governor->holds = holds;
    governor->told_of = what;
    if (!changed) {
        return 0;
    }
    if (!says) {
        line[0] = '\0'; /* only the figure is another one */
    } else if (reason[0] != '\0') {
        snprintf(line, sizeof line, "%s is %s: %s", governor->options.what, holds ? "held" : "slowed down",
                 reason);
    } else {
        snprintf(line, sizeof line, "%s goes on", governor->options.what);
    }
    if (line[0] != '\0') {
        governor->options.say(governor->options.context, line);
    }
    return database_execute(
        governor->options.target, error,
        "INSERT INTO penstock.throttle AS t (migration, reason, held_since)"
        " VALUES ($1, $2, CASE WHEN $3::bool THEN pg_catalog.clock_timestamp() END)"
        " ON CONFLICT (migration) DO UPDATE SET reason = excluded.reason,"
        "    held_since = CASE WHEN $3::bool THEN coalesce(t.held_since, excluded.held_since) END",
        3, governor->options.migration, reason[0] != '\0' ? reason : NULL, flag(holds));
}

int governor_tick(Governor *governor, Error *error)
{
    Throttle throttle = {0};
    int64_t figures[LIMITS];
    char reason[512];
    int what;
    if (clock_seconds() - governor->looked_at < LOOK_SECONDS) {
        return 0;
    }
    governor->looked_at = clock_seconds();
    int status = read_throttle(governor, &throttle, error);
    if (status == 0) {
        status = read_figures(governor, &throttle, figures, error);
    }
    if (status == 0) {
        int jobs = decide(governor, &throttle, figures, &what, reason, sizeof reason);
        brake_set(governor->brake, jobs, throttle.rate);
        status = tell(governor, jobs == 0 || what == NO_ROOM, what, reason, error);
    }
    free(throttle.standbys);
    return status;
}
