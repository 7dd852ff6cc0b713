/*
 * Event triggers that are ENABLE act on nothing that we define (silence.h); those that are ENABLE ALWAYS or ENABLE REPLICA do, and no
 * setting keeps them from it before 17. One that refuses would end a switch in the middle, so what a switch defines is tried
 * beforehand, on objects of our own and in a transaction that is rolled back: the trigger's own words are what is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reverse_parts.h"
#include "silence.h"

#define OBJECT "penstock_rehearsal"

/* Of those that act on us, not our own, which capture DDL: their names, and the statement that switches them off. */
static const char acting_sql[] =
    "SELECT string_agg(quote_ident(e.evtname), ', ' ORDER BY e.evtname),"
    " string_agg(format('ALTER EVENT TRIGGER %I DISABLE;', e.evtname), ' ' ORDER BY e.evtname)"
    " FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid"
    " WHERE e.evtenabled IN ('A', 'R') AND p.pronamespace <> coalesce(to_regnamespace('penstock'), 0)"
    " HAVING count(*) > 0";

/* What is done to publications on the target, and to subscriptions on the source: the same commands, on objects that are nobody's. */
static const char *const definitions[] = {
    [DATABASE_SOURCE] = SILENCE_EVENT_TRIGGERS
    "CREATE SUBSCRIPTION " OBJECT " CONNECTION 'dbname=" OBJECT "' PUBLICATION " OBJECT
    " WITH (connect = false, slot_name = NONE); ALTER SUBSCRIPTION " OBJECT " SET (slot_name = NONE); DROP "
    "SUBSCRIPTION " OBJECT,
    [DATABASE_TARGET] = SILENCE_EVENT_TRIGGERS "CREATE PUBLICATION " OBJECT "; COMMENT ON PUBLICATION " OBJECT
                                               " IS 'Penstock'; ALTER PUBLICATION " OBJECT
                                               " SET (publish = 'insert'); DROP PUBLICATION " OBJECT,
};

static int try_them(Database *database, DatabaseEnd end, Error *error)
{
    if (database_execute(database, error, "BEGIN; SET LOCAL client_min_messages = error", 0) != 0) {
        return -1;
    }
    return reverse_rollback(database, database_execute(database, error, definitions[end], 0));
}

/* The server's words of what was refused, as one that is found. */
static void tell(const ReverseListener *listener, DatabaseEnd end, const char *names, const char *fix,
                 const Error *refused)
{
    Error problem;
    error_set(&problem, ERROR_STATE,
              "event triggers of the %s, which act on what the switch defines there, too (%.200s), may "
              "refuse it: %.300s",
              database_end_name(end), names, refused->message);
    error_hint(&problem, "They are ENABLE ALWAYS or ENABLE REPLICA. Switch those off that refuse until the "
                         "migration is finished, "
                         "or make them ENABLE: such do not act on Penstock's definitions.");
    listener->found(listener->context, &problem, fix);
}

int reverse_try_definitions(Database *database, DatabaseEnd end, const ReverseListener *listener,
                            Error *error)
{
    PGresult *acting = NULL;
    Error refused;
    if (database_query(database, &acting, error, acting_sql, 0) != 0) {
        return -1;
    }
    int status = 0;
    if (PQntuples(acting) > 0 && try_them(database, end, &refused) != 0) {
        if (*refused.sqlstate == '\0') {
            *error = refused;
            status = -1;
        } else {
            tell(listener, end, PQgetvalue(acting, 0, 0), PQgetvalue(acting, 0, 1), &refused);
        }
    }
    PQclear(acting);
    return status;
}
