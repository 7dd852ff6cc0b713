#include "names.h"

#include <stdio.h>
#include <string.h>

#include "own_slot.h"

/* One row with one truth value when there is one of that name; none else. */
static int ask_owner(Database *database, const char *sql, const char *name, NameOwner *out, Error *error)
{
    PGresult *row = NULL;
    if (database_query(database, &row, error, sql, 1, name) != 0) {
        return -1;
    }
    *out = PQntuples(row) == 0 ? NAME_FREE : PQgetvalue(row, 0, 0)[0] == 't' ? NAME_OURS : NAME_FOREIGN;
    PQclear(row);
    return 0;
}

int names_publication(Database *target, const char *name, NameOwner *out, Error *error)
{
    return ask_owner(target,
                     "SELECT coalesce(obj_description(oid, 'pg_publication'), '') = '" NAMES_COMMENT "'"
                     " FROM pg_publication WHERE pubname = $1",
                     name, out, error);
}

static int names_subscription(Database *source, const char *name, NameOwner *out, Error *error)
{
    return ask_owner(source,
                     "SELECT EXISTS (SELECT " NAMES_SUBSCRIPTION ") FROM pg_subscription s"
                     " JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()"
                     " WHERE s.subname = $1",
                     name, out, error);
}

int names_slot_was_made(Database *target, const Migration *migration, bool *made, Error *error)
{
    return database_found(target, made, error,
                          "SELECT 1 FROM penstock.journal WHERE migration = $1 AND operation = 'cutover'"
                          "  AND step = 'slot' LIMIT 1",
                          1, migration->name);
}

static int refuse(const char *what, const char *name, const char *side, const char *drop, Error *error)
{
    error_set(error, ERROR_STATE, "a %s %s is there, on the %s, that this migration did not make", what, name,
              side);
    return error_hint(
        error,
        "The way back would have one of that name. Where it is needed, rename it or name the migration "
        "differently (--migration); where nobody needs it, drop it: %s",
        drop);
}

int names_refuse_publication(Database *target, const char *name, Error *error)
{
    NameOwner owner;
    char drop[96];
    if (names_publication(target, name, &owner, error) != 0) {
        return -1;
    }
    snprintf(drop, sizeof drop, "DROP PUBLICATION %.63s", name);
    return owner == NAME_FOREIGN ? refuse("publication", name, "target", drop, error) : 0;
}

static int refuse_subscription(Database *source, const char *name, Error *error)
{
    NameOwner owner;
    char drop[96];
    if (names_subscription(source, name, &owner, error) != 0) {
        return -1;
    }
    snprintf(drop, sizeof drop, "DROP SUBSCRIPTION %.63s", name);
    return owner == NAME_FOREIGN ? refuse("subscription", name, "source", drop, error) : 0;
}

/* Before there is a schema penstock, no cutover has made one. */
static int refuse_slot(Database *target, const Migration *migration, const char *name, Error *error)
{
    bool made = false, journaled = false;
    char drop[128];
    OwnSlot slot;
    if (own_slot_refuse_foreign(target, name, PLUGIN_BACK, error) != 0 ||
        own_slot_look(target, name, PLUGIN_BACK, &slot, error) != 0) {
        return -1;
    }
    if (!slot.exists) {
        return 0;
    }
    if (database_found(target, &journaled, error,
                       "SELECT 1 WHERE to_regclass('penstock.journal') IS NOT NULL", 0) != 0 ||
        (journaled && names_slot_was_made(target, migration, &made, error) != 0)) {
        return -1;
    }
    snprintf(drop, sizeof drop, "SELECT pg_drop_replication_slot('%.63s')", name);
    return made ? 0 : refuse("replication slot", name, "target", drop, error);
}

/* The problem of one name is told, and the others are looked at all the same. */
static int found(int status, const ReverseListener *listener, Error *error)
{
    if (status == 0 || error->code != ERROR_STATE) {
        return status;
    }
    listener->found(listener->context, error, NULL);
    *error = (Error){.code = ERROR_NONE};
    return 0;
}

int reverse_check_names(Database *source, Database *target, const Migration *migration,
                        const ReverseListener *listener, Error *error)
{
    char all[64], inserts[64];
    reverse_names(migration, all, inserts);
    if (!reverse_possible(migration)) {
        return 0;
    }
    if (found(refuse_slot(target, migration, all, error), listener, error) != 0 ||
        found(names_refuse_publication(target, all, error), listener, error) != 0 ||
        found(names_refuse_publication(target, inserts, error), listener, error) != 0) {
        return -1;
    }
    return found(refuse_subscription(source, all, error), listener, error);
}
