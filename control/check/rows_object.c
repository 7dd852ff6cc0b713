/*
 * Checks of everything else in the source database: what newer majors have removed, and what is not moved.
 *
 * Built-in operators leave no trace in pg_depend, so their uses are looked for in the stored expression
 * trees, by OID. Function bodies are text that only their language understands; they are not searched.
 */
#include "check.h"
#include "sql.h"

/* Every stored expression of a user relation: relation, what it is, tree. */
#define STORED_TREES                                                                                         \
    "SELECT ev_class AS relation, 'definition' AS part, ev_action::text AS tree FROM pg_rewrite UNION ALL "  \
    "SELECT conrelid, format('constraint %I', conname), conbin::text FROM pg_constraint UNION ALL "          \
    "SELECT adrelid, 'a column default', adbin::text FROM pg_attrdef UNION ALL "                             \
    "SELECT indrelid, format('index %s', indexrelid::regclass), concat(indexprs::text, indpred::text) FROM " \
    "pg_index "                                                                                              \
    "WHERE indexprs IS NOT NULL OR indpred IS NOT NULL UNION ALL "                                           \
    "SELECT tgrelid, format('trigger %I', tgname), tgqual::text FROM pg_trigger UNION ALL "                  \
    "SELECT polrelid, format('policy %I', polname), concat(polqual::text, polwithcheck::text) FROM "         \
    "pg_policy"

/* Functions on anyarray whose signature became anycompatiblearray in 14. */
#define CHANGED_FUNCTIONS                                                                                    \
    "ARRAY['array_append(anyarray,anyelement)', 'array_prepend(anyelement,anyarray)', "                      \
    "'array_cat(anyarray,anyarray)', 'array_position(anyarray,anyelement)', "                                \
    "'array_position(anyarray,anyelement,integer)', 'array_positions(anyarray,anyelement)', "                \
    "'array_remove(anyarray,anyelement)', 'array_replace(anyarray,anyelement,anyelement)', "                 \
    "'width_bucket(anyelement,anyarray)']::regprocedure[]"

static const CheckRow rows[] = {
    {.id = "extensions",
     .title = "Extensions that the target lacks",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather = "SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion)), '[]') "
               "FROM pg_extension",
     .sql = "SELECT format('extension %I', s.name), format('version %s at the source', s.version), NULL "
            "FROM json_to_recordset($1::json) AS s(name text, version text) "
            "WHERE NOT EXISTS (SELECT FROM pg_available_extensions a WHERE a.name = s.name) ORDER BY s.name",
     .advice = "Install its package on the target server, or drop the extension at the source."},
    {.id = "extension-schemas",
     .title = "Extensions that the target has in another schema",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather = "SELECT coalesce(json_object_agg(e.extname, n.nspname), '{}') FROM pg_extension e JOIN "
               "pg_namespace n ON n.oid = e.extnamespace",
     .sql =
         "SELECT format('extension %I', e.extname), format('in schema %I at the source, in %I on the "
         "target', s.value, n.nspname), format('ALTER EXTENSION %I SET SCHEMA %I', e.extname, s.value) "
         "FROM json_each_text($1::json) s JOIN pg_extension e ON e.extname = s.key::name JOIN pg_namespace "
         "n ON n.oid = e.extnamespace WHERE n.nspname <> s.value::name ORDER BY 1",
     .advice = "What uses them names that schema: move them on the target, or drop them there, and the copy "
               "makes them."},
    {.id = "extension-versions",
     .title = "Extensions that are older on the target",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .gather = "SELECT coalesce(json_agg(json_build_object('name', extname, 'version', extversion)), '[]') "
               "FROM pg_extension",
     .sql = "SELECT format('extension %I', s.name), format('%s at the source, %s on the target', s.version, "
            "a.default_version), NULL FROM json_to_recordset($1::json) AS s(name text, version text) "
            "JOIN pg_available_extensions a ON a.name = s.name "
            "WHERE s.version ~ '^\\d+(\\.\\d+)*$' AND a.default_version ~ '^\\d+(\\.\\d+)*$' "
            "AND string_to_array(a.default_version, '.')::numeric[] < string_to_array(s.version, "
            "'.')::numeric[] "
            "ORDER BY s.name",
     .advice =
         "Install a newer package on the target, or make sure that the older one has all that is used."},
    {.id = "languages",
     .title = "Procedural languages that the target lacks",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather = "SELECT coalesce(json_agg(lanname), '[]') FROM pg_language l WHERE lanispl AND oid >= 16384 "
               "AND NOT " IN_EXTENSION("pg_language", "l.oid"),
     .sql = "SELECT format('language %I', name), NULL, NULL FROM json_array_elements_text($1::json) name "
            "WHERE NOT EXISTS (SELECT FROM pg_language WHERE lanname = name) "
            "AND NOT EXISTS (SELECT FROM pg_available_extensions a WHERE a.name = name.name) ORDER BY name",
     .advice = "Install it on the target, or move its functions to another language (plpythonu is plpython3u "
               "now)."},
    {.id = "c-functions",
     .title = "Functions in C outside extensions",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT p.oid::regprocedure::text, format('library %s', p.probin), NULL FROM pg_proc p "
            "JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'c' WHERE p.oid >= 16384 "
            "AND NOT " IN_EXTENSION("pg_proc", "p.oid") " ORDER BY 1",
     .advice = "The library, built for the target's major, must be in its library folder."},
    {.id = "postfix-operators",
     .title = "Postfix operators",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .removed_in = 14,
     .sql =
         "SELECT format('%I.%s', n.nspname, o.oprname), format('on type %s', format_type(o.oprleft, NULL)), "
         "format('DROP OPERATOR %I.%s (%s, NONE)', n.nspname, o.oprname, format_type(o.oprleft, NULL)) "
         "FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oprkind = 'r' "
         "AND o.oid >= 16384 ORDER BY 1",
     .advice = "They are gone from 14 on: call the function instead."},
    {.id = "factorial-operators",
     .title = "Uses of postfix operators and of the factorials ! and !!",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .removed_in = 14,
     .sql =
         "WITH gone AS (SELECT format(':opno (%s) ', string_agg(oid::text, '|')) AS pattern FROM pg_operator "
         "WHERE oprkind = 'r' OR oid IN (388, 389)) "
         "SELECT DISTINCT " RELATION_NAME ", t.part, NULL::text FROM (" STORED_TREES ") t "
         "JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace, gone "
         "WHERE " USER_SCHEMA " AND " IS_KEPT("c.oid") " AND t.tree ~ gone.pattern ORDER BY 1, 2",
     .advice = "Write factorial(n) instead; function bodies were not searched."},
    {.id = "array-aggregates",
     .title = "Aggregates and operators on array functions that changed in 14",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .removed_in = 14,
     .sql = "SELECT format('aggregate %s', a.aggfnoid::regprocedure), format('uses %s', f), "
            "format('DROP AGGREGATE %s', a.aggfnoid::regprocedure) FROM pg_aggregate a, "
            "unnest(" CHANGED_FUNCTIONS ") f "
            "WHERE a.aggfnoid >= 16384 AND f IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn, "
            "a.aggmfinalfn) UNION ALL "
            "SELECT format('operator %s', o.oid::regoperator), format('uses %s', f), format('DROP OPERATOR "
            "%s', o.oid::regoperator) "
            "FROM pg_operator o, unnest(" CHANGED_FUNCTIONS
            ") f WHERE o.oid >= 16384 AND o.oprcode = f ORDER BY 1",
     .advice =
         "Drop them before the copy, and create them again on 14 with anycompatiblearray and anycompatible."},
    {.id = "conversions",
     .title = "Encoding conversions",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .removed_in = 14,
     .sql = "SELECT format('conversion %I.%I', n.nspname, v.conname), format('by %s', v.conproc), "
            "format('DROP CONVERSION %I.%I', n.nspname, v.conname) FROM pg_conversion v "
            "JOIN pg_namespace n ON n.oid = v.connamespace WHERE v.oid >= 16384 ORDER BY 1",
     .advice = "From 14 on their functions have a different signature: drop them, and create them again on "
               "the target."},
    {.id = "catalog-views",
     .title = "Views on system catalogs that have lost columns",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .removed_in = 12,
     .sql = "SELECT DISTINCT " RELATION_NAME
            ", format('reads %s', m.found[1]::oid::regclass), NULL::text FROM pg_rewrite w "
            "JOIN pg_class c ON c.oid = w.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace, "
            "regexp_matches(w.ev_action::text, ':relid (1259|2604|2606|1255|1136) ', 'g') AS m(found) "
            "WHERE " USER_SCHEMA " AND " IS_KEPT("c.oid") " ORDER BY 1",
     .advice = "relhasoids, adsrc, consrc, protransform and pg_pltemplate are gone: change the view so that "
               "it does without."},
    {.id = "operator-classes",
     .title = "Operator classes",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql =
         "SELECT format('operator class %I.%I', n.nspname, k.opcname), format('for %s on %s, in family %I', "
         "m.amname, format_type(k.opcintype, NULL), f.opfname), NULL FROM pg_opclass k "
         "JOIN pg_namespace n ON n.oid = k.opcnamespace JOIN pg_am m ON m.oid = k.opcmethod "
         "JOIN pg_opfamily f ON f.oid = k.opcfamily "
         "WHERE k.oid >= 16384 AND NOT " IN_EXTENSION("pg_opclass", "k.oid") " ORDER BY 1",
     .advice = "Only a superuser can restore them, the family first; if there are many, try the schema on a "
               "scratch database."},
    {.id = "event-triggers",
     .title = "Event triggers",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT format('event trigger %I', evtname), format('on %s', evtevent), NULL FROM "
            "pg_event_trigger t "
            "WHERE NOT " IN_EXTENSION("pg_event_trigger", "t.oid") " ORDER BY 1",
     .advice = "They are restored last, and take a superuser on the target."},
    {.id = "publications",
     .title = "Publications",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT format('publication %I', pubname), NULL, NULL FROM pg_publication ORDER BY 1",
     .advice = "Their subscribers follow the old server: point them to the target after the switch, with a "
               "new slot."},
    /* A worker of logical replication has the client_encoding of its database's settings, and reads names as being in that. */
    {.id = "way-back-encoding",
     .title = "Names that the way back would not find, for client_encoding as a setting of the database",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT " RELATION_NAME
            ", format('its name, or one of a column, is beyond ASCII, and the database has %s', "
            "u.setting), format('ALTER DATABASE %I RESET client_encoding', d.datname) "
            "FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0, "
            "unnest(s.setconfig) AS u (setting), " USER_RELATIONS " WHERE d.datname = current_database() "
            "AND u.setting ~ '^client_encoding=' AND c.relkind IN ('r', 'p') AND lower(split_part(u.setting, "
            "'=', 2)) "
            "<> lower(pg_encoding_to_char(d.encoding)) AND (n.nspname ~ '[^ -~]' OR c.relname ~ '[^ -~]' OR "
            "EXISTS ("
            "SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attname ~ '[^ -~]')) "
            "ORDER BY 1",
     .advice = "Changes on the target do not come back to these tables, and from the first such change on "
               "nothing comes back: set client_encoding for the roles of the applications instead, for as "
               "long as a rollback may be needed."},
};

const CheckGroup check_object_rows = {"Objects", rows, sizeof rows / sizeof rows[0]};
