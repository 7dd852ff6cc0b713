#include "history.h"
#include "overview.h"
#include "report.h"
#include "view.h"

/* $1: the migration. What has no table in this layout of the state gives null. */
static const char verified_sql[] = "SELECT coalesce(json_agg(to_jsonb(p) ORDER BY p.id), '[]')::text FROM "
                                   "penstock.verify_pass p WHERE migration = $1";

static const char conflicts_sql[] =
    "SELECT coalesce(json_agg(c), '[]')::text FROM (SELECT at, commit_lsn, schema_name, table_name, kind, "
    "problem, "
    "action, message FROM penstock.conflict WHERE migration = $1 ORDER BY id LIMIT 200) c";

static const char refused_sql[] =
    "SELECT coalesce(json_agg(o), '[]')::text FROM (SELECT kind, schema_name, object_name, state, words FROM "
    "penstock.schema_object WHERE migration = $1 AND state IN ('refused', 'left out') ORDER BY section, "
    "number LIMIT 200) o";

/* Of the rows that were copied, the sum; and of those that were applied, as far as they were counted. */
static const char sums_sql[] = "SELECT json_build_object('rows_copied', sum(r.copied_rows), 'bytes_copied', "
                               "sum(r.copied_bytes), 'rows_applied', "
                               "sum(a.rows), 'copy_began', min(r.started_at), 'copy_ended', "
                               "max(r.copied_at))::text FROM penstock.relation r "
                               "LEFT JOIN penstock.applied a ON a.relation = r.id WHERE r.migration = $1";

static void add_text(json_t *document, const char *name, char *text)
{
    json_object_set_new(document, name, view_take_json(text));
}

static int add_query(Database *target, json_t *document, const char *name, const char *sql,
                     const char *migration, Error *error)
{
    char *text = NULL;
    if (database_value(target, &text, error, sql, 1, migration) != 0) {
        return -1;
    }
    add_text(document, name, text);
    return 0;
}

static int add_rest(Database *target, json_t *document, const char *migration, Error *error)
{
    char *journal = NULL, *history = NULL, *tables = NULL;
    int status = state_journal_list(target, migration, &journal, error);
    status = status == 0 ? state_history(target, migration, 0, &history, error) : status;
    status = status == 0 ? state_tables_page(target, migration, "", "bytes", 0, REPORT_TABLES, &tables, error)
                         : status;
    add_text(document, "journal", journal);
    add_text(document, "history", history);
    add_text(document, "tables", tables);
    return status == 0 && add_query(target, document, "sums", sums_sql, migration, error) == 0 &&
                   add_query(target, document, "verified", verified_sql, migration, error) == 0 &&
                   add_query(target, document, "conflict_list", conflicts_sql, migration, error) == 0 &&
                   add_query(target, document, "refused", refused_sql, migration, error) == 0
               ? 0
               : -1;
}

int report_gather(const Settings *settings, json_t **document, Error *error)
{
    ViewSession session = {.settings = settings};
    int status = view_gather(&session, document, error);
    if (status == 0 && view_in_phase(*document, "none")) {
        json_decref(*document);
        *document = NULL;
        error_set(error, ERROR_STATE, "there is no migration \"%s\" on the target", settings->migration);
        status = error_hint(
            error, "After `penstock finish` there is nothing left to report on: finish writes the report "
                   "before it removes anything.");
    }
    if (status == 0) {
        json_object_set_new(*document, "penstock", json_string(PENSTOCK_VERSION));
        status = add_rest(session.target, *document, settings->migration, error);
        if (status == 0) {
            json_object_set_new(*document, "target_version", json_integer(database_version(session.target)));
        }
    }
    view_close(&session);
    return status;
}
