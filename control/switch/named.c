/*
 * A row for each kind: the query gives their names, or NULL.
 */
#include "named.h"

#include <stdlib.h>

typedef struct Named {
    const char *query; /* $1: our slot on that side */
    const char *text;  /* %s: the side, then the names */
} Named;

static const Named rows[] = {
    {"SELECT string_agg(format('%s (%s, %s)', coalesce(nullif(application_name, ''), 'a standby'), "
     "client_addr, state), ', ')"
     "  FROM pg_stat_replication r WHERE $1 <> '' AND NOT EXISTS (SELECT FROM pg_replication_slots s"
     "    WHERE s.active_pid = r.pid AND s.slot_type = 'logical')",
     "standbys of the %s: %s. The fence is catalog and reaches them: their readers are turned away, and "
     "those that are there "
     "see a state that stands still. Lead them elsewhere, or give --leave-readers"},
    {"SELECT string_agg(format('%s (%s, %s)', slot_name, plugin, CASE WHEN active THEN 'in use' ELSE 'not in "
     "use' END), ', ')"
     "  FROM pg_replication_slots WHERE slot_type = 'logical' AND database = current_database() AND NOT "
     "temporary"
     "   AND slot_name <> $1 AND slot_name !~ '^penstock_'",
     "other consumers of changes of the %s: %s. Whoever is no superuser cannot connect behind the fence: let "
     "them read to "
     "the end, and let them go on with a slot on the other side, which --hand-over-slot makes"},
    {"SELECT string_agg(format('pid %s (%s, %s)', pid, usename, coalesce(nullif(application_name, ''), "
     "host(client_addr),"
     "  'without a name')), ', ') FROM pg_stat_activity WHERE $1 <> '' AND datname = current_database()"
     "  AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name NOT LIKE "
     "'penstock %'"
     "  AND query ~* '^ *listen '",
     "sessions that LISTEN on the %s: %s. They end with the fence, and a NOTIFY on the other side does not "
     "reach them"},
    {"SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY n.nspname, c.relname)"
     "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
     " WHERE $1 <> '' AND c.relkind = 'r' AND c.relpersistence = 'u' AND pg_relation_size(c.oid) > 0"
     "   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
     "unlogged tables on the %s: %s. What was written to them since they were copied is not on the other "
     "side: nothing of it is in the WAL"},
};

int named_others(Cutover *cutover, Error *error)
{
    const char *slot = cutover->road == &road_cutover ? cutover->migration.slot_name : "-";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *names = NULL;
        if (database_value(cutover->leaving, &names, error, rows[i].query, 1, slot) != 0) {
            return -1;
        }
        if (names != NULL) {
            char text[1200];
            snprintf(text, sizeof text, rows[i].text, cutover->road->from, names);
            cutover_warn(cutover, "%s", text);
        }
        free(names);
    }
    return 0;
}

int named_stream_role(Database *leaving, const char *slot, char **role, Error *error)
{
    return database_value(leaving, role, error,
                          "SELECT string_agg(DISTINCT a.usename, ', ') FROM pg_replication_slots s"
                          "  JOIN pg_stat_activity a ON a.pid = s.active_pid"
                          "  JOIN pg_roles r ON r.oid = a.usesysid WHERE s.slot_name = $1 AND NOT r.rolsuper",
                          1, slot);
}
