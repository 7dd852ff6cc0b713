/*
 * What is made or changed is a row with a new xmin; what is dropped is a row less. age(xmin) is that of the transaction that wrote
 * the row, also once it is frozen (heap_getsysattr gives the raw xmin, 9.4 and later), and the mark is the oldest transaction
 * that ran then: what had not ended is new as well. Rows of a transaction that is 2^31 ago have a negative age. VACUUM and
 * ANALYZE write into pg_class in place and leave xmin alone.
 *
 * Columns are not counted: one that is dropped is a row that is written anew (pg_attribute.attisdropped). Which of them are those
 * of a temporary table is asked of young ones alone.
 *
 * Each catalog is read once, and age is worked out once for nearly all rows: age(xmin) is a function of the moment (stable), and
 * rows are old.
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

/* Of one catalog: its place in the list, its rows that count, and how many of them are younger than the transaction xid. */
static void add_look(Text *sql, size_t number, unsigned long xid)
{
    const Catalog *catalog = &catalogs[number];
    const char *where = catalog->where;
    bool counted = !catalog->uncounted;
    text_printf(sql,
                "SELECT %zu, pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE pg_catalog.age(xmin) <= "
                "(SELECT pg_catalog.age('%lu'::pg_catalog.xid)) AND pg_catalog.age(xmin) >= 0%s%s) FROM "
                "pg_catalog.%s%s%s",
                number, xid, !counted && where != NULL ? " AND " : "", !counted && where != NULL ? where : "",
                catalog->name, counted && where != NULL ? " WHERE " : "",
                counted && where != NULL ? where : "");
}

/* Each of as many sessions as there are looks through its part of the catalogs, once. */
typedef struct Looking {
    unsigned long xid;
    size_t parts;
    char counts[COUNT][24];
    bool younger;
} Looking;

static bool ask(void *context, size_t number, Text *sql)
{
    const Looking *looking = context;
    for (size_t i = number; number < looking->parts && i < COUNT; i += looking->parts) {
        text_append(sql, i == number ? "" : " UNION ALL ");
        add_look(sql, i, looking->xid);
    }
    return number < looking->parts;
}

static void take(void *context, size_t number, const PGresult *rows)
{
    Looking *looking = context;
    (void)number;
    for (int row = 0; row < PQntuples(rows); row++) {
        size_t i = strtoul(PQgetvalue(rows, row, 0), NULL, 10);
        snprintf(looking->counts[i], sizeof looking->counts[i], "%s", PQgetvalue(rows, row, 1));
        looking->younger = looking->younger || strcmp(PQgetvalue(rows, row, 2), "0") != 0;
    }
}

/* Are there as many rows of each as before says? */
static bool as_many(const Looking *looking, const char *before)
{
    Text now = {0};
    for (size_t i = 0; i < COUNT; i++) {
        if (!catalogs[i].uncounted) {
            text_printf(&now, "%s%s", i == 0 ? "" : " ", looking->counts[i]);
        }
    }
    bool same = strcmp(now.data, before) == 0;
    text_free(&now);
    return same;
}

int catalog_moved(Database *database, Readers *readers, const char *mark, bool *moved, Error *error)
{
    char *counts = NULL;
    unsigned long long since = strtoull(mark, &counts, 10);
    if (counts == mark || *counts != ' ') {
        return error_set(error, ERROR_STATE, "\"%.40s\" is no mark of what is defined", mark);
    }
    Looking looking = {.xid = since & 0xffffffffUL, .parts = readers_width(readers)};
    const Reading reading = {&looking, ask, take};
    if (readers_run(readers, database, &reading, error) != 0) {
        return error_context(error, "looking whether anything was defined since");
    }
    *moved = looking.younger || !as_many(&looking, counts + 1);
    return 0;
}
