/*
 * What is made or changed is a row with a new xmin; what is dropped is a row less. age(xmin) is that of the transaction that wrote
 * the row, also once it is frozen (heap_getsysattr gives the raw xmin, 9.4 and later), and the mark is the oldest transaction
 * that ran then: what had not ended is new as well. Rows of a transaction that is 2^31 ago have a negative age. VACUUM and
 * ANALYZE write into pg_class in place and leave xmin alone.
 *
 * Columns are not counted: one that is dropped is a row that is written anew (pg_attribute.attisdropped).
 */
#include "moved.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

typedef struct Catalog {
    const char *name;
    const char *where; /* which of its rows count; NULL: all */
    bool uncounted;
} Catalog;

#define NOT_TEMPORARY "relpersistence <> 't'"
#define OF_NO_TEMPORARY(column)                                                                              \
    "NOT EXISTS (SELECT FROM pg_catalog.pg_class o WHERE o.oid = " column " AND o.relpersistence = 't')"

static const Catalog catalogs[] = {
    {"pg_class", NOT_TEMPORARY, false},
    {"pg_attribute", OF_NO_TEMPORARY("attrelid"), true},
    {"pg_attrdef", NULL, false},
    {"pg_constraint", NULL, false},
    {"pg_index", NULL, false},
    {"pg_inherits", NULL, false},
    {"pg_partitioned_table", NULL, false},
    {"pg_sequence", NULL, false},
    {"pg_trigger", NULL, false},
    {"pg_rewrite", NULL, false},
    {"pg_policy", NULL, false},
    {"pg_proc", NULL, false},
    {"pg_aggregate", NULL, false},
    {"pg_type", "typrelid = 0 AND typelem = 0",
     false}, /* a table has two, which say nothing that it does not */
    {"pg_enum", NULL, false},
    {"pg_range", NULL, false},
    {"pg_namespace", "nspname !~ '^pg_(toast_)?temp_'", false},
    {"pg_description", NULL, false},
    {"pg_default_acl", NULL, false},
    {"pg_extension", NULL, false},
    {"pg_operator", NULL, false},
    {"pg_opclass", NULL, false},
    {"pg_opfamily", NULL, false},
    {"pg_amop", NULL, false},
    {"pg_amproc", NULL, false},
    {"pg_cast", NULL, false},
    {"pg_collation", NULL, false},
    {"pg_conversion", NULL, false},
    {"pg_ts_config", NULL, false},
    {"pg_ts_config_map", NULL, false},
    {"pg_ts_dict", NULL, false},
    {"pg_ts_parser", NULL, false},
    {"pg_ts_template", NULL, false},
    {"pg_statistic_ext", NULL, false},
    {"pg_event_trigger", NULL, false},
    {"pg_foreign_data_wrapper", NULL, false},
    {"pg_foreign_server", NULL, false},
    {"pg_foreign_table", NULL, false},
    {"pg_language", NULL, false},
    {"pg_transform", NULL, false},
    {"pg_seclabel", NULL, false},
};

#define COUNT (sizeof catalogs / sizeof *catalogs)

/* concat_ws of the counts, one for each catalog. */
static void add_counts(Text *sql)
{
    text_printf(sql, "pg_catalog.concat_ws(' '");
    for (size_t i = 0; i < COUNT; i++) {
        if (!catalogs[i].uncounted) {
            text_printf(sql, ", (SELECT pg_catalog.count(*) FROM pg_catalog.%s%s%s)", catalogs[i].name,
                        catalogs[i].where != NULL ? " WHERE " : "",
                        catalogs[i].where != NULL ? catalogs[i].where : "");
        }
    }
    text_printf(sql, ")");
}

int catalog_mark(Database *database, char **mark, Error *error)
{
    Text sql = {0};
    text_printf(&sql, "SELECT pg_catalog.concat_ws(' ', "
                      "pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()), ");
    add_counts(&sql);
    text_printf(&sql, ")");
    int status = database_value(database, mark, error, sql.data, 0);
    text_free(&sql);
    return status == 0 ? 0 : error_context(error, "noting what is defined");
}

/* $1: the transaction of the mark, without its epoch; $2: the counts. */
static void add_question(Text *sql)
{
    text_printf(sql, "SELECT 1 WHERE $2 IS DISTINCT FROM ");
    add_counts(sql);
    for (size_t i = 0; i < COUNT; i++) {
        text_printf(sql,
                    " OR EXISTS (SELECT FROM pg_catalog.%s WHERE pg_catalog.age(xmin) BETWEEN 0 AND "
                    "pg_catalog.age($1::text::pg_catalog.xid)%s%s)",
                    catalogs[i].name, catalogs[i].where != NULL ? " AND " : "",
                    catalogs[i].where != NULL ? catalogs[i].where : "");
    }
}

int catalog_moved(Database *database, const char *mark, bool *moved, Error *error)
{
    Text sql = {0};
    char xid[32];
    char *counts = NULL;
    unsigned long long since = strtoull(mark, &counts, 10);
    if (counts == mark || *counts != ' ') {
        return error_set(error, ERROR_STATE, "\"%.40s\" is no mark of what is defined", mark);
    }
    snprintf(xid, sizeof xid, "%llu", since & 0xffffffffULL);
    add_question(&sql);
    int status = database_found(database, moved, error, sql.data, 2, xid, counts + 1);
    text_free(&sql);
    return status == 0 ? 0 : error_context(error, "looking whether anything was defined since");
}
