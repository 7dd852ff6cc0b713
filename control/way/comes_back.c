/*
 * What can come back of which table.
 */
#include <stdio.h>
#include <stdlib.h>

#include "reverse_parts.h"

/*
 * What can come back of table c, with the indexes by which its rows are found again. Joined, not asked for table by table: 100,000
 * tables are looked through while clients wait.
 */
#define IDENTITY_INDEXES                                                                                     \
    " LEFT JOIN pg_index k ON k.indrelid = c.oid AND k.indisprimary"                                         \
    " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident"
#define COMES_BACK                                                                                           \
    "CASE WHEN c.relkind <> 'r' OR c.relpersistence <> 'p' THEN 'nothing'"                                   \
    "   WHEN c.relreplident = 'i' AND i.indrelid IS NOT NULL THEN 'all'"                                     \
    "   WHEN c.relreplident = 'd' AND k.indrelid IS NOT NULL THEN 'all'"                                     \
    "   WHEN c.relreplident = 'f' AND NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_type t"                 \
    "    ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = nullif(t.typelem, 0)"                          \
    "    AND t.typcategory = 'A' WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"           \
    "    AND coalesce(e.oid, nullif(t.typbasetype, 0), t.oid) = ANY ('{json,xml,point,line,lseg,box,path,"   \
    "polygon,circle}'::regtype[])) THEN 'all'"                                                               \
    "   ELSE 'inserts' END"

/* The tables of the migration on the target, with what can become of each; $1 is the migration. */
#define TABLES                                                                                               \
    " FROM (SELECT r.id, r.schema_name, r.table_name, c.oid,"                                                \
    "  CASE WHEN r.route_table IS NOT NULL THEN 'nothing' ELSE " COMES_BACK " END AS comes_back"             \
    "  FROM penstock.relation r JOIN pg_namespace n ON n.nspname = r.schema_name"                            \
    "   JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.table_name" IDENTITY_INDEXES             \
    "  WHERE r.migration = $1) t"
#define NAME "format('%I.%I', schema_name, table_name)"

int reverse_table_list(Database *target, const Migration *migration, const char *comes_back,
                       const char *separator, char **out, Error *error)
{
    return database_value(target, out, error,
                          "SELECT string_agg(" NAME ", $3 ORDER BY " NAME ")" TABLES " WHERE comes_back = $2",
                          3, migration->name, comes_back, separator);
}

int reverse_limited_tables(Database *target, const Migration *migration, PGresult **out, Error *error)
{
    return database_query(target, out, error,
                          "SELECT " NAME
                          ", comes_back, pg_relation_filenode(oid), pg_relation_size(oid)" TABLES
                          " WHERE comes_back <> 'all' ORDER BY pg_relation_size(oid), 1",
                          1, migration->name);
}

int reverse_limits(Database *target, const Migration *migration, char *inserts, char *nothing, size_t size,
                   Error *error)
{
    char *some = NULL, *none = NULL;
    int status = reverse_table_list(target, migration, "inserts", ", ", &some, error);
    if (status == 0) {
        status = reverse_table_list(target, migration, "nothing", ", ", &none, error);
    }
    snprintf(inserts, size, "%s", some != NULL ? some : "");
    snprintf(nothing, size, "%s", none != NULL ? none : "");
    free(some);
    free(none);
    return status;
}

int reverse_source_limits(Database *source, char *inserts, char *nothing, size_t size, Error *error)
{
    PGresult *row = NULL;
    if (database_query(source, &row, error,
                       "SELECT string_agg(name, ', ' ORDER BY name) FILTER (WHERE comes_back = 'inserts'),"
                       "       string_agg(name, ', ' ORDER BY name) FILTER (WHERE comes_back = 'nothing')"
                       "  FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name, " COMES_BACK
                       " AS comes_back"
                       "    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" IDENTITY_INDEXES
                       " WHERE c.relkind = 'r'"
                       "     AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
                       "     AND n.nspname NOT IN ('information_schema', 'penstock')"
                       "     AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass"
                       "       AND e.objid = c.oid AND e.deptype = 'e')) t",
                       0) != 0) {
        return -1;
    }
    snprintf(inserts, size, "%s", PQgetvalue(row, 0, 0));
    snprintf(nothing, size, "%s", PQgetvalue(row, 0, 1));
    PQclear(row);
    return 0;
}

int reverse_table_parts(Database *target, const Migration *migration, const char *comes_back, PGresult **out,
                        Error *error)
{
    return database_query(target, out, error,
                          "SELECT string_agg(name, ', ONLY ' ORDER BY name) FROM ("
                          " SELECT " NAME " AS name, (row_number() OVER (ORDER BY " NAME
                          ") - 1) / " REVERSE_PART " AS part" TABLES
                          " WHERE comes_back = $2) s GROUP BY part ORDER BY part",
                          2, migration->name, comes_back);
}

int reverse_table_count(Database *target, const Migration *migration, const char *comes_back, size_t *out,
                        Error *error)
{
    char *count = NULL;
    int status = database_value(target, &count, error, "SELECT count(*)" TABLES " WHERE comes_back = $2", 2,
                                migration->name, comes_back);
    *out = count != NULL ? strtoull(count, NULL, 10) : 0;
    free(count);
    return status;
}

int reverse_whole_tables(Database *target, const Migration *migration, char **ids, Error *error)
{
    return database_value(target, ids, error, "SELECT array_agg(id)" TABLES " WHERE comes_back = 'all'", 1,
                          migration->name);
}
