/*
 * What stays behind whatever the operator chooses, and what hangs on what stays behind: as the copy treats it
 * (control/schema/leave.h).
 */
#include "check.h"
#include "sql.h"

/* The relation with this OID stays behind, in whole. */
#define STAYS(oid) "NOT (" IS_KEPT(oid) ")"

static const CheckRow rows[] = {
    {.id = "schema-penstock",
     .title = "A schema penstock of the source's own",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT 'schema penstock', format('stays behind: on the target the name is that of the "
            "migration''s state; it has %s relations and %s functions', (SELECT count(*)::text FROM pg_class "
            "c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')), (SELECT "
            "count(*)::text FROM pg_proc p WHERE p.pronamespace = n.oid)), "
            "'ALTER SCHEMA penstock RENAME TO penstock_own' FROM pg_namespace n WHERE n.nspname = 'penstock' "
            "AND coalesce(obj_description(n.oid, 'pg_namespace'), '') !~ '^Penstock'",
     .advice = "Give it another name for the time of the migration; or leave it behind by copy --force."},
    {.id = "left-foreign-keys",
     .title = "Foreign keys to what stays behind",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT format('%s.%s %s', n.nspname, c.relname, k.conname), CASE WHEN " STAYS(
         "k.confrelid") " OR c.relkind = 'p' THEN format('is left out: %s stays behind, or its rows', "
                        "k.confrelid::regclass) "
                        "ELSE format('is made NOT VALID: rows of %s stay behind', k.confrelid::regclass) "
                        "END, NULL "
                        "FROM " USER_RELATIONS
                        " JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype = 'f' "
                        "AND k.conparentid = 0 AND " IS_MOVED("k.conrelid") " AND NOT " IS_MOVED(
                            "k.confrelid") " ORDER BY 1",
     .advice = "Nothing checks them on the target until what they point to is there: move that as well, or "
               "make sure that the application does without."},
    {.id = "left-views",
     .title = "Views of what stays behind",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT DISTINCT " RELATION_NAME ", CASE WHEN " STAYS(
         "d.refobjid") " THEN format('is left out: reads %s, which stays behind', d.refobjid::regclass) "
                       "ELSE format('will show less: rows of %s stay behind', d.refobjid::regclass) END, "
                       "NULL::text "
                       "FROM " USER_RELATIONS
                       " JOIN pg_rewrite w ON w.ev_class = c.oid JOIN pg_depend d ON d.objid = "
                       "w.oid AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass "
                       "WHERE d.refobjid <> c.oid AND c.relkind IN ('v', 'm') AND NOT " IS_MOVED(
                           "d.refobjid") " ORDER BY 1",
     .advice = "Views of views that are left out are left out, too."},
    {.id = "left-partitions",
     .title = "Partitions that stay behind, of tables that are moved",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT i.inhrelid::regclass::text, format('%s; of %s, which is moved', CASE WHEN " STAYS(
         "i.inhrelid") " THEN 'is not made' ELSE 'is made without rows' END, " RELATION_NAME "), NULL "
                       "FROM " USER_RELATIONS
                       " JOIN pg_inherits i ON i.inhparent = c.oid WHERE c.relkind = 'p' AND "
                       "NOT " IS_MOVED("i.inhrelid") " AND " IS_MOVED("c.oid") " ORDER BY 1",
     .advice = "The moved table lacks these rows, and has no room for new ones that belong into a partition "
               "that is not made."},
};

const CheckGroup check_left_rows = {"What stays behind", rows, sizeof rows / sizeof rows[0]};
