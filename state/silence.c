/*
 * The statements are made by the server and run in one message, which is one transaction, behind what is remembered; ONLY,
 * because a partitioned table's own trigger and those of its partitions are remembered each by itself. Tables are known by
 * their OID, so that a rename changes nothing; one that is gone, or whose trigger is, is passed over.
 */
#include "silence.h"

#include <stdlib.h>

#include "text.h"

/*
 * Of the migration's tables and the partitioned ones above them, those that act; and event triggers that the copy made, which would
 * act on DDL that the applier runs: relation is their own OID.
 */
static const char note_sql[] =
    "INSERT INTO penstock.silenced (migration, relation, kind, name, mode) "
    "SELECT $1::text, a.relation, a.kind, a.name, a.mode FROM ("
    "  SELECT tgrelid AS relation, 'TRIGGER' AS kind, tgname AS name, tgenabled AS mode"
    "  FROM pg_trigger WHERE tgenabled IN ('A', 'R') AND NOT tgisinternal"
    "  UNION ALL SELECT ev_class, 'RULE', rulename, ev_enabled"
    "  FROM pg_rewrite WHERE ev_enabled IN ('A', 'R')) a "
    "WHERE a.relation IN (SELECT c.oid FROM penstock.relation r"
    "    JOIN pg_namespace n ON n.nspname = r.schema_name::name"
    "    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.table_name::name WHERE r.migration = "
    "$1::text"
    "  UNION SELECT p.relid FROM penstock.relation r"
    "    JOIN pg_namespace n ON n.nspname = r.schema_name::name"
    "    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.table_name::name AND c.relispartition,"
    "    LATERAL pg_partition_ancestors(c.oid) p WHERE r.migration = $1::text) "
    "UNION ALL SELECT $1::text, e.oid, 'EVENT TRIGGER', e.evtname, e.evtenabled FROM pg_event_trigger e "
    "WHERE e.evtenabled IN ('A', 'R') AND EXISTS (SELECT FROM penstock.schema_object o WHERE o.migration = "
    "$1::text AND o.kind = 'EVENT TRIGGER' AND o.state = 'made' AND o.object_name::name = e.evtname) "
    "ON CONFLICT (migration, relation, kind, name) DO UPDATE SET mode = excluded.mode";

#define ENABLED                                                                                              \
    "(SELECT t.tgenabled FROM pg_trigger t WHERE t.tgrelid = s.relation AND t.tgname = s.name"               \
    " AND s.kind = 'TRIGGER' UNION ALL SELECT w.ev_enabled FROM pg_rewrite w WHERE w.ev_class = s.relation"  \
    " AND w.rulename = s.name AND s.kind = 'RULE' UNION ALL SELECT e.evtenabled FROM pg_event_trigger e"     \
    " WHERE e.oid = s.relation AND s.kind = 'EVENT TRIGGER')"

static const char disable_sql[] =
    "SELECT string_agg(CASE s.kind WHEN 'EVENT TRIGGER' THEN format('ALTER EVENT TRIGGER %I DISABLE', s.name)"
    "  ELSE format('ALTER TABLE ONLY %s DISABLE %s %I', s.relation::regclass, s.kind, s.name) END, '; '"
    "  ORDER BY s.kind, s.relation, s.name) FROM penstock.silenced s WHERE s.migration = $1::text "
    "AND " ENABLED " <> 'D'";

#define ENABLE_EACH                                                                                          \
    "SELECT string_agg(CASE s.kind WHEN 'EVENT TRIGGER' THEN format('ALTER EVENT TRIGGER %I ENABLE %s', "    \
    "s.name, m.word) ELSE format('ALTER TABLE ONLY %s ENABLE %s %s %I', s.relation::regclass, m.word, "      \
    "s.kind, s.name) END, '; ' ORDER BY s.kind = 'EVENT TRIGGER', s.relation, s.name)"                       \
    "  FROM penstock.silenced s, LATERAL (SELECT CASE s.mode WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END) "    \
    "m(word) WHERE s.migration = $1::text AND " ENABLED

static const char enable_sql[] = ENABLE_EACH " <> s.mode";

/* Runs the statements that sql gives for the migration, and for those tables if it asks for some, all or none. */
static int run_made(Database *target, const char *sql, const char *migration, const char *tables,
                    Error *error)
{
    char *statements = NULL;
    Text quiet = {0};
    int status = database_value(target, &statements, error, sql, tables != NULL ? 2 : 1, migration, tables);
    if (status == 0 && statements != NULL) {
        text_printf(&quiet, SILENCE_EVENT_TRIGGERS "%s", statements);
        status = database_execute(target, error, quiet.data, 0);
    }
    text_free(&quiet);
    free(statements);
    return status;
}

static int count_them(Database *target, const char *migration, size_t *count, Error *error)
{
    char *text = NULL;
    if (database_value(target, &text, error, "SELECT count(*) FROM penstock.silenced WHERE migration = $1", 1,
                       migration) != 0) {
        return -1;
    }
    *count = text != NULL ? strtoul(text, NULL, 10) : 0;
    free(text);
    return 0;
}

int state_silence(Database *target, const char *migration, size_t *count, Error *error)
{
    if (database_execute(target, error, note_sql, 1, migration) != 0 ||
        run_made(target, disable_sql, migration, NULL, error) != 0 ||
        count_them(target, migration, count, error) != 0) {
        return error_context(error, "switching off triggers and rules that act on replicated rows");
    }
    return 0;
}

int state_silence_known(Database *target, const char *migration, Error *error)
{
    return run_made(target, disable_sql, migration, NULL, error) == 0
               ? 0
               : error_context(error, "switching off triggers and rules that act on replicated rows");
}

/* The migration's row is locked for as long as that takes, so that no cutover notes its last position meanwhile. */
static int silence_unless_switching(Database *target, const char *migration, Error *error)
{
    bool following = false;
    if (database_found(target, &following, error,
                       "SELECT 1 FROM penstock.migration WHERE name = $1 AND final_lsn IS NULL FOR SHARE", 1,
                       migration) != 0) {
        return -1;
    }
    return following ? run_made(target, disable_sql, migration, NULL, error) : 0;
}

int state_silence_again(Database *target, const char *migration, Error *error)
{
    Error ignored;
    int status = database_execute(target, error, "BEGIN", 0);
    if (status == 0) {
        status = silence_unless_switching(target, migration, error);
        int ended =
            database_execute(target, status == 0 ? error : &ignored, status == 0 ? "COMMIT" : "ROLLBACK", 0);
        status = status == 0 ? ended : status;
    }
    return status == 0 ? 0
                       : error_context(error, "switching off triggers and rules that act on replicated rows");
}

#define OF_TABLES                                                                                            \
    "s.relation IN (SELECT c.oid FROM jsonb_array_elements($2::jsonb) t JOIN pg_namespace n ON n.nspname = " \
    "t.value ->> 'schema'"                                                                                   \
    " JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.value ->> 'name')"

static const char enable_tables_sql[] = ENABLE_EACH " IS NOT NULL AND " OF_TABLES;

int state_unsilence_tables(Database *target, const char *migration, const char *tables, Error *error)
{
    int status = run_made(target, enable_tables_sql, migration, tables, error);
    if (status == 0) {
        status = database_execute(target, error,
                                  "DELETE FROM penstock.silenced s WHERE s.migration = $1 AND " OF_TABLES, 2,
                                  migration, tables);
    }
    return status == 0 ? 0 : error_context(error, "switching on triggers and rules that DDL is about");
}

int state_unsilence(Database *target, const char *migration, size_t *count, Error *error)
{
    if (run_made(target, enable_sql, migration, NULL, error) != 0 ||
        count_them(target, migration, count, error) != 0) {
        return error_context(error, "switching on triggers and rules that act on replicated rows");
    }
    return 0;
}
