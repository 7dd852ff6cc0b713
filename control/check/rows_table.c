/*
 * Checks of the tables at the source: what the stream cannot carry, and what a restore on the target would
 * refuse.
 *
 * A table is followed by its replica identity. The server itself does not refuse UPDATE and DELETE on a table
 * without one when no publication is there; they would reach the plugin without a key, so they are looked for
 * here.
 */
#include "check.h"
#include "partition_route.h"
#include "sql.h"

/* Leaf tables without usable identity: reason, what could stand in for it, and whether rows were changed already. */
#define UNIDENTIFIED                                                                                         \
    "SELECT " RELATION_NAME " AS name, CASE WHEN c.relreplident = 'n' THEN 'replica identity nothing' "      \
    "WHEN c.relreplident = 'i' THEN 'its replica identity index is gone' "                                   \
    "WHEN p.indexrelid IS NOT NULL THEN 'its primary key is deferrable' ELSE 'no primary key' END AS "       \
    "reason, "                                                                                               \
    "(SELECT min(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = "     \
    "c.oid "                                                                                                 \
    "AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL "    \
    "AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attnotnull "              \
    "AND a.attnum = ANY (i.indkey))) AS candidate, "                                                         \
    "pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid) AS changed "                      \
    "FROM " USER_RELATIONS " LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary "                 \
    "WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND " IS_MOVED(                                        \
        "c.oid") " AND CASE c.relreplident WHEN 'f' THEN false "                                             \
                 "WHEN 'd' THEN p.indexrelid IS NULL OR NOT p.indimmediate OR NOT p.indisvalid "             \
                 "WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND "            \
                 "i.indisreplident "                                                                         \
                 "AND i.indisvalid) ELSE true END"

#define IDENTITY_STATEMENT                                                                                   \
    "concat('ALTER TABLE ', name, CASE WHEN candidate IS NULL THEN ' REPLICA IDENTITY FULL' "                \
    "ELSE format(' REPLICA IDENTITY USING INDEX %I', candidate) END)"

/* Live columns a of relations c whose type is one of these, by OID. */
/* instead: the type that the column of an ordinary table can have instead, or NULL. */
#define COLUMNS_OF_TYPE(types, detail, instead)                                                              \
    "SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname), " detail                                    \
    ", CASE WHEN c.relkind IN ('r', 'p') AND a.attinhcount = 0 AND " instead                                 \
    " IS NOT NULL THEN format('ALTER TABLE %I.%I ALTER %I TYPE %s', n.nspname, c.relname, "                  \
    "a.attname, " instead ") END FROM " USER_RELATIONS                                                       \
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "                    \
    "JOIN pg_type t ON t.oid = a.atttypid "                                                                  \
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND " types " ORDER BY 1"

static const CheckRow rows[] = {
    {.id = "replica-identity",
     .title = "Tables without replica identity that see updates or deletes",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT name, format('%s; %s updates and deletes seen', reason, changed), " IDENTITY_STATEMENT
            " FROM (" UNIDENTIFIED ") u WHERE changed > 0 ORDER BY changed DESC, name",
     .advice = "Give each one an identity before `penstock copy`. FULL works for any table and costs WAL."},
    {.id = "replica-identity-unused",
     .title = "Tables without replica identity that only see inserts",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT name, concat(reason, '; no update or delete seen so far'), " IDENTITY_STATEMENT
            " FROM (" UNIDENTIFIED ") u WHERE changed = 0 ORDER BY name",
     .advice = "Inserts are followed; the first update or delete would stop the stream. Give them an "
               "identity unless you are sure."},
    {.id = "always-triggers",
     .title = "Triggers, rules and event triggers that fire for replicated rows, too (ENABLE ALWAYS, ENABLE "
              "REPLICA)",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql =
         "SELECT format('%s %I on %s', kind, name, " RELATION_NAME
         "), CASE mode WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, NULL FROM (SELECT 'trigger' AS kind, "
         "tgname AS name, tgrelid AS relation, tgenabled AS mode FROM pg_trigger WHERE NOT tgisinternal "
         "UNION ALL SELECT 'rule', rulename, ev_class, ev_enabled FROM pg_rewrite WHERE rulename <> "
         "'_RETURN') t JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = "
         "c.relnamespace AND " USER_SCHEMA
         " WHERE mode IN ('A', 'R') UNION ALL SELECT format('event trigger %I', "
         "evtname), CASE evtenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, NULL FROM pg_event_trigger v "
         "WHERE evtenabled IN ('A', 'R') AND evtname !~ '^penstock_' AND NOT " IN_EXTENSION(
             "pg_event_trigger", "v.oid") " ORDER BY 1",
     .advice = "What they write is in the stream already, so the copy disables them on the target, and the "
               "switch enables them again. On the way back those of the source fire, and may not write "
               "because of its fence: make them do nothing there, or disable them before the switch."},
    {.id = "unlogged-tables",
     .title = "Unlogged tables",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql =
         "SELECT " RELATION_NAME ", 'unlogged', format('ALTER TABLE %I.%I SET LOGGED', n.nspname, c.relname) "
         "FROM " USER_RELATIONS " WHERE c.relkind = 'r' AND c.relpersistence = 'u' ORDER BY 1",
     .advice =
         "Changes after the copy are not in the WAL and do not reach the target. Log them if they matter."},
    {.id = "large-objects",
     .title = "Large objects",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql =
         "SELECT 'large objects', format('%s of them, %s', (SELECT count(*) FROM pg_largeobject_metadata), "
         "pg_size_pretty(pg_relation_size('pg_largeobject'))), NULL WHERE EXISTS (SELECT FROM "
         "pg_largeobject_metadata)",
     .advice = "The copy brings them; what has changed since is found by reading pg_largeobject once while "
               "clients are held, "
               "which cutover --dry-run measures."},
    {.id = "large-objects-read",
     .title = "Right to read large objects at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT 'pg_largeobject', format('%I may not read it', current_user), format('GRANT SELECT ON "
            "pg_catalog.pg_largeobject TO %I', current_user) WHERE EXISTS (SELECT FROM "
            "pg_largeobject_metadata) AND NOT "
            "has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')",
     .advice =
         "Grant it, as a superuser of the source, or leave large objects behind: copy --skip-large-objects."},
    {.id = "tables-with-oids",
     .title = "Tables WITH OIDS",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .removed_in = 12,
     .sql = "SELECT " RELATION_NAME ", 'WITH OIDS', format('ALTER TABLE %I.%I SET WITHOUT OIDS', n.nspname, "
            "c.relname) FROM " USER_RELATIONS " WHERE c.relhasoids ORDER BY 1",
     .advice = "Such tables do not exist from 12 on. Move the oid into a column of its own if it is used."},
    /* charin takes the first byte of what the text is in the target's encoding; alone, a "char" travels in binary. */
    {.id = "nested-char",
     .title = "\"char\" that the stream sends as text",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql =
         "WITH RECURSIVE holds (oid, alone) AS (SELECT '\"char\"'::regtype::oid, true UNION SELECT t.oid, "
         "h.alone AND t.typtype = 'd' FROM holds h JOIN pg_type b ON b.oid = h.oid JOIN pg_type t ON t.oid "
         "= b.typarray OR t.typtype = 'd' AND t.typbasetype = h.oid OR t.typtype = 'c' AND EXISTS (SELECT "
         "FROM pg_class r JOIN pg_attribute m ON m.attrelid = r.oid WHERE r.oid = t.typrelid AND r.relkind "
         "= 'c' AND m.atttypid = h.oid AND NOT m.attisdropped)) "
         "SELECT format('%s.%I', " RELATION_NAME
         ", a.attname), format('%s: of its \"char\" only ASCII can be followed', format_type(a.atttypid, "
         "a.atttypmod)), NULL FROM " USER_RELATIONS
         " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relkind "
         "IN ('r', 'p') AND a.atttypid IN (SELECT oid FROM holds WHERE NOT alone) ORDER BY 1",
     .advice = "In text a byte above 127 is no character, or another "
               "one on the target: use another type, or go on by copy --force when there is none. In UTF-8 a "
               "row that "
               "has one stops the stream, or by follow --on-undecodable=recopy marks its table to be copied "
               "again."},
    {.id = "hash-partitions",
     .title = "Partitioned tables whose rows may belong into other partitions on the target",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql =
         "SELECT " RELATION_NAME ", format('%s', pg_get_partkeydef(c.oid)), NULL "
         "FROM " USER_RELATIONS " JOIN pg_partitioned_table p ON p.partrelid = c.oid "
         "WHERE " ROUTE_DIFFERS(
             "p", "(SELECT encoding <> 6 FROM pg_database WHERE datname = current_database())") " ORDER BY 1",
     .advice =
         "The hash of an enum is that of its OID, which every server gives anew; the order of text is the "
         "library's. "
         "Their rows go through the table itself, all in one lane, and are copied as one. After the switch, "
         "changes of them do not come back to the source."},
    {.id = "removed-types",
     .title = "Columns of type abstime, reltime or tinterval",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .removed_in = 12,
     .sql = COLUMNS_OF_TYPE("(t.oid IN (702, 703, 704) OR t.typelem IN (702, 703, 704))",
                            "format_type(a.atttypid, a.atttypmod)",
                            "CASE t.oid WHEN 702 THEN 'timestamptz' WHEN 703 THEN 'interval' END"),
     .advice = "These types are gone from 12 on: change the columns to timestamptz, interval or tstzrange."},
    {.id = "pseudo-types",
     .title = "Columns of type unknown",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = COLUMNS_OF_TYPE("t.oid = 705", "'unknown'", "'text'"),
     .advice = "Change them to text: such a column cannot be created any more."},
    {.id = "sql-identifier",
     .title = "Columns of type information_schema.sql_identifier",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .removed_in = 12,
     .sql =
         COLUMNS_OF_TYPE("c.relkind IN ('r', 'p', 'm') AND t.typname = 'sql_identifier' AND t.typnamespace = "
                         "(SELECT oid FROM pg_namespace WHERE nspname = 'information_schema')",
                         "'information_schema.sql_identifier'", "'text'"),
     .advice = "From 12 on the type holds 63 bytes only: change the columns to text or name."},
    {.id = "tablespaces",
     .title = "Tablespaces in use that the target lacks",
     .severity = CHECK_PROBLEM,
     .function = probe_tablespaces,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "Create them on the target, with folders of its own, or name others: --tablespace OLD=NEW, of "
               "check and copy."},
    {.id = "foreign-tables",
     .title = "Foreign tables",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT " RELATION_NAME ", format('on server %I', s.srvname), NULL FROM " USER_RELATIONS
            " JOIN pg_foreign_table f ON f.ftrelid = c.oid JOIN pg_foreign_server s ON s.oid = f.ftserver "
            "ORDER BY 1",
     .advice = "Their definition is moved, not their rows: the target must reach those servers by itself."},
    {.id = "materialized-views",
     .title = "Materialized views",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT " RELATION_NAME ", NULL, format('REFRESH MATERIALIZED VIEW %I.%I', n.nspname, c.relname) "
            "FROM " USER_RELATIONS " WHERE c.relkind = 'm' ORDER BY 1",
     .advice =
         "A refresh is not in the stream: refresh them on the target after the switch, or just before it."},
    {.id = "sequences",
     .title = "Sequences",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT 'sequences', format('%s of them', count(*)), NULL FROM " USER_RELATIONS
            " WHERE c.relkind = 'S' HAVING count(*) > 0",
     .advice = "Nothing to do: the cutover sets each of them to the source's value."},
};

const CheckGroup check_table_rows = {"Tables", rows, sizeof rows / sizeof rows[0]};
