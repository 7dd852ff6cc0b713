/*
 * ADD COLUMN with a DEFAULT that is not volatile writes no row: the value, as it was at that moment, is kept in the catalog for all
 * rows that are there (pg_attribute.attmissingval, from 11 on). DEFAULT now() has another value when it runs again. So what
 * the target kept is compared with what the source kept; where they differ, the statement is run once more with the source's
 * value for a default, and the default set to what it is afterwards.
 *
 * A table that was written anew at the source (its rows are not in the stream then) has the same values on the target if what was
 * computed for each row has the same value there: ddl_rewrite_is_repeatable. Else it is copied anew.
 */
#include "run.h"

#include "as_role.h"
#include "silence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the statement may see of the session that it ran in. A setting that the target's major does not have plays no part. */
static const char settings_sql[] =
    "SELECT count(set_config(s.key, s.value, true)) FROM jsonb_each_text($1::jsonb) s "
    "WHERE EXISTS (SELECT FROM pg_settings p WHERE lower(p.name) = lower(s.key) AND p.setting IS DISTINCT "
    "FROM s.value)";

/* One statement that is run. */
typedef struct Run {
    Database *target;
    const DdlPlace *place;
    const DdlMessage *message;
    const char *tables; /* the message's; NULL for none */
    DdlPlan *plan;
    AsRole as;
    DdlRan *out;
} Run;

/* Whether objects have owners on the target, as they have at the source. */
static int has_owners(Database *target, const DdlPlace *place, bool *owners, Error *error)
{
    return database_found(target, owners, error,
                          "SELECT 1 FROM penstock.migration WHERE name = $1 AND owners", 1, place->migration);
}

/* The role it is that comes first: its room is made under settings of ours. */
static int set_up(Run *run, Error *error)
{
    char *settings = ddl_message_part(run->message, "settings");
    bool owners = true;
    int status = has_owners(run->target, run->place, &owners, error);
    if (status == 0) {
        status = as_role_open(&run->as, run->target,
                              owners && !run->plan->as_target ? run->message->role : "", error);
    }
    if (status == 0 && settings != NULL) {
        status = database_often(run->target, NULL, error, settings_sql, 1, settings);
    }
    free(settings);
    return status;
}

/* Back to what our own statements expect. */
static int set_back(Database *target, Error *error)
{
    return database_execute(
        target, error,
        "SET LOCAL search_path = pg_catalog; SET LOCAL role = none; SET LOCAL DateStyle = 'ISO, MDY'; SET "
        "LOCAL "
        "standard_conforming_strings = on; SET LOCAL row_security = off; SET LOCAL TimeZone = 'UTC'; "
        "SET LOCAL transform_null_equals = off; SET LOCAL array_nulls = on",
        0);
}

/* Values that rows got. */

/* Columns that the statement added: their names as an array. False when there is none. */
static bool added_columns(const PgQuery__Node *node, Text *names)
{
    bool any = false;
    for (size_t i = 0;
         node->node_case == PG_QUERY__NODE__NODE_ALTER_TABLE_STMT && i < node->alter_table_stmt->n_cmds;
         i++) {
        const PgQuery__AlterTableCmd *command = node->alter_table_stmt->cmds[i]->alter_table_cmd;
        if (command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn) {
            text_array_add(names, command->def->column_def->colname);
            any = true;
        }
    }
    text_array_end(names);
    return any;
}

/* Where source and target have kept another value: table, column, the source's value, the column's type, the target's default. */
static const char missing_sql[] =
    "SELECT format('%I.%I', n.nspname, c.relname), m.key, m.value ->> 'value', m.value ->> 'type', "
    "  (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = "
    "   a.attnum), t.value ->> 'oid' "
    "FROM jsonb_array_elements($1::jsonb) t, jsonb_each(t.value -> 'missing') m, "
    "  pg_class c, pg_namespace n, pg_attribute a "
    "WHERE n.nspname = t.value ->> 'schema' AND c.relnamespace = n.oid AND c.relname = t.value ->> 'name' "
    "AND a.attrelid = c.oid "
    "  AND a.attname = m.key AND m.key = ANY ($2::text[]) AND t.value ->> 'kind' = 'r' "
    "  AND (a.attmissingval::text::text[])[1] IS DISTINCT FROM m.value ->> 'value'";

enum { MISSING_TABLE, MISSING_COLUMN, MISSING_VALUE, MISSING_TYPE, MISSING_DEFAULT, MISSING_OID };

/* The expression 'value'::type, to be owned by a tree. */
static PgQuery__Node *make_literal(Database *target, const char *value, const char *type, Error *error)
{
    DdlStatement helper;
    PgQuery__Node *node = NULL;
    Text sql = {0};
    char *literal = PQescapeLiteral(database_connection(target), value, strlen(value));
    text_printf(&sql, "SELECT %s::%s", literal, type);
    PQfreemem(literal);
    if (ddl_statement_parse(sql.data, &helper, error) == 0) {
        PgQuery__ResTarget *result = helper.node->select_stmt->target_list[0]->res_target;
        node = result->val;
        result->val = NULL;
    }
    ddl_statement_free(&helper);
    text_free(&sql);
    return node;
}

static PgQuery__Constraint *default_of(const PgQuery__Node *node, const char *column)
{
    for (size_t i = 0; i < node->alter_table_stmt->n_cmds; i++) {
        const PgQuery__AlterTableCmd *command = node->alter_table_stmt->cmds[i]->alter_table_cmd;
        const PgQuery__ColumnDef *def =
            command->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn ? command->def->column_def : NULL;
        for (size_t k = 0; def != NULL && strcmp(def->colname, column) == 0 && k < def->n_constraints; k++) {
            if (def->constraints[k]->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_DEFAULT) {
                return def->constraints[k]->constraint;
            }
        }
    }
    return NULL;
}

/* The statement with the source's values for defaults, and behind it what the defaults are. */
static int write_literal(Database *target, DdlPlan *plan, const PGresult *rows, Text *sql, Error *error)
{
    Text later = {0};
    int status = 0;
    for (int i = 0; i < PQntuples(rows) && status == 0; i++) {
        PgQuery__Constraint *constraint =
            default_of(plan->statement.node, PQgetvalue(rows, i, MISSING_COLUMN));
        if (constraint == NULL || PQgetisnull(rows, i, MISSING_DEFAULT)) {
            status = error_set(error, ERROR_STATE, "the default of column %s is not its own",
                               PQgetvalue(rows, i, MISSING_COLUMN));
            break;
        }
        PgQuery__Node *literal = make_literal(target, PQgetvalue(rows, i, MISSING_VALUE),
                                              PQgetvalue(rows, i, MISSING_TYPE), error);
        status = literal != NULL ? 0 : -1;
        if (literal != NULL) {
            pg_query__node__free_unpacked(constraint->raw_expr, NULL);
            constraint->raw_expr = literal;
            char *column = database_quote(PQgetvalue(rows, i, MISSING_COLUMN));
            text_printf(&later, "; ALTER TABLE %s ALTER %s SET DEFAULT %s",
                        PQgetvalue(rows, i, MISSING_TABLE), column, PQgetvalue(rows, i, MISSING_DEFAULT));
            free(column);
        }
    }
    status = status == 0 ? ddl_statement_write(&plan->statement, sql, error) : status;
    text_append(sql, later.data != NULL ? later.data : "");
    text_free(&later);
    return status;
}

/* The search_path is ours from here on, until a rollback to the savepoint gives the statement's own back. */
static int read_missing(Database *target, const char *tables, const char *names, PGresult **rows,
                        Error *error)
{
    return database_execute(target, error, "SET LOCAL search_path = pg_catalog", 0) == 0
               ? database_often(target, rows, error, missing_sql, 2, tables, names)
               : -1;
}

/* The tables of rows have to be copied anew. */
static int recopy_rows(Run *run, const PGresult *rows, Error *error)
{
    Text oids = {0};
    char *names = NULL;
    for (int i = 0; i < PQntuples(rows); i++) {
        text_printf(&oids, "%s{\"oid\": %s}", i == 0 ? "[" : ", ", PQgetvalue(rows, i, MISSING_OID));
    }
    text_append(&oids, "]");
    int status =
        set_back(run->target, error) == 0
            ? state_ddl_recopy(run->target, run->place, oids.data,
                               "a column was added whose values the stream does not have", &names, error)
            : -1;
    text_append(&run->out->recopied, names != NULL ? names : "");
    free(names);
    text_free(&oids);
    return status;
}

static int run_literal(Run *run, const char *names, PGresult **rows, Error *error)
{
    Text sql = {0};
    Error refused;
    if (write_literal(run->target, run->plan, *rows, &sql, &refused) != 0) {
        text_free(&sql);
        return recopy_rows(run, *rows, error);
    }
    int status = database_execute(run->target, error, "ROLLBACK TO SAVEPOINT penstock_ddl", 0) == 0
                     ? as_role_run(&run->as, run->message->path, sql.data, error)
                     : -1;
    PQclear(*rows);
    *rows = NULL;
    text_append(&run->out->ran, sql.data);
    text_free(&sql);
    if (status == 0) {
        status = read_missing(run->target, run->tables, names, rows, error);
    }
    return status == 0 && PQntuples(*rows) > 0 ? recopy_rows(run, *rows, error) : status;
}

/* Sees to it that existing rows have the values that they have at the source. */
static int match_values(Run *run, Error *error)
{
    Text names = {0};
    PGresult *rows = NULL;
    int status = 0;
    if (!run->plan->edited && run->tables != NULL && added_columns(run->plan->statement.node, &names)) {
        status = read_missing(run->target, run->tables, names.data, &rows, error);
        if (status == 0 && PQntuples(rows) > 0) {
            status = run_literal(run, names.data, &rows, error);
        }
    }
    PQclear(rows);
    text_free(&names);
    return status;
}

/* Tables that were written anew. */

static int are_immutable(Database *target, const Text *functions, bool *immutable, Error *error)
{
    *immutable = true;
    for (const char *name = functions->data;
         name != NULL && name < functions->data + functions->size && *immutable; name += strlen(name) + 1) {
        if (database_found(target, immutable, error,
                           "SELECT 1 FROM pg_catalog.pg_proc WHERE proname = $1 HAVING "
                           "pg_catalog.bool_and(provolatile = 'i')",
                           1, name) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Of the columns that were added without a default, none has one by its domain. */
static int have_no_default(Database *target, const char *tables, const Text *plain, bool *none, Error *error)
{
    bool some = false;
    int status = database_found(
        target, &some, error,
        "SELECT 1 FROM jsonb_array_elements($1::jsonb) t JOIN pg_namespace n ON n.nspname = t.value ->> "
        "'schema' JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.value ->> 'name' "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY ($2::text[]) AND NOT a.attisdropped "
        "JOIN pg_type y ON y.oid = a.atttypid WHERE y.typdefault IS NOT NULL LIMIT 1",
        2, tables != NULL ? tables : "[]", plain->data);
    *none = !some;
    return status;
}

static int match_rewrites(Run *run, Error *error)
{
    const json_t *list = json_object_get(run->message->root, "rewritten"), *one;
    size_t i;
    int reasons = 0;
    Text functions = {0}, plain = {0};
    bool alike = false;
    if (json_array_size(list) == 0) {
        return 0;
    }
    json_array_foreach(list, i, one)
    {
        reasons |= (int)json_integer_value(json_object_get(one, "reason"));
    }
    int status = 0;
    if (!run->plan->edited &&
        ddl_rewrite_is_repeatable(run->plan->statement.node, reasons, &functions, &plain)) {
        status = are_immutable(run->target, &functions, &alike, error);
        if (status == 0 && alike) {
            status = have_no_default(run->target, run->tables, &plain, &alike, error);
        }
    }
    text_free(&plain);
    text_free(&functions);
    if (status == 0 && !alike) {
        char *names = NULL, *oids = ddl_message_part(run->message, "rewritten");
        Text *recopied = &run->out->recopied;
        status =
            state_ddl_recopy(run->target, run->place, oids,
                             "it was written anew with values that the stream does not have", &names, error);
        text_printf(recopied, "%s%s", recopied->size > 0 && names != NULL ? ", " : "",
                    names != NULL ? names : "");
        free(names);
        free(oids);
    }
    return status;
}

/* CREATE TABLE AS. */

/* Its rows came first, and it was made of what the stream says of its columns: what that does not say. */
static void write_adjustments(const json_t *table, const char *name, Text *out)
{
    const json_t *column;
    size_t i;
    text_append(out, "SELECT");
    json_array_foreach(json_object_get(table, "types"), i, column)
    {
        const char *collation = json_string_value(json_object_get(column, "collation"));
        if (collation != NULL) {
            char *quoted = database_quote(json_string_value(json_object_get(column, "name")));
            text_printf(out, "; ALTER TABLE %s ALTER %s TYPE %s COLLATE %s", name, quoted,
                        json_string_value(json_object_get(column, "type")), collation);
            free(quoted);
        }
    }
    const char *options = json_string_value(json_object_get(table, "options"));
    if (options != NULL) {
        text_printf(out, "; ALTER TABLE %s SET (%s)", name, options);
    }
}

/* It gets its owner first, who does the rest. */
static int give_owner(Run *run, const char *name, Error *error)
{
    bool owners = false;
    Text sql = {0};
    int status = has_owners(run->target, run->place, &owners, error);
    if (status == 0 && owners && run->message->role[0] != '\0') {
        char *role = database_quote(run->message->role);
        text_printf(&sql, "ALTER TABLE %s OWNER TO %s", name, role);
        free(role);
        status = database_execute(run->target, error, sql.data, 0);
        text_free(&sql);
    }
    return status;
}

/* Where it is there already, the statement is another. */
static int adjust_made(Run *run, Error *error)
{
    bool made = false;
    char oid[24];
    const json_t *table = json_array_get(json_object_get(run->message->root, "tables"), 0);
    if (!run->plan->verdict.from_columns || run->plan->edited || table == NULL) {
        return 0;
    }
    snprintf(oid, sizeof oid, "%lld", (long long)json_integer_value(json_object_get(table, "oid")));
    int status = state_ddl_knows(run->target, run->place->migration, oid, &made, error);
    if (status == 0 && made) {
        Text name = {0};
        text_qualified_add(&name, json_string_value(json_object_get(table, "schema")),
                           json_string_value(json_object_get(table, "name")));
        text_free(&run->plan->sql);
        write_adjustments(table, name.data, &run->plan->sql);
        status = give_owner(run, name.data, error);
        text_free(&name);
    }
    return status;
}

bool ddl_makes_tables(const DdlMessage *message)
{
    return strncmp(message->tag, "CREATE TABLE", strlen("CREATE TABLE")) == 0 ||
           strcmp(message->tag, "SELECT INTO") == 0 || strcmp(message->tag, "CREATE SCHEMA") == 0;
}

/* The statement itself, and what existing rows have to get. */
static int run_statement(Run *run, Error *error)
{
    return adjust_made(run, error) == 0 && set_up(run, error) == 0 &&
                   database_execute(run->target, error, "SAVEPOINT penstock_ddl", 0) == 0 &&
                   as_role_run(&run->as, run->message->path, run->plan->sql.data, error) == 0 &&
                   match_values(run, error) == 0 && as_role_close(&run->as, error) == 0
               ? set_back(run->target, error)
               : -1;
}

static int run_all(Run *run, const char *dropped, Error *error)
{
    size_t silenced;
    const char *migration = run->place->migration;
    bool triggers = run->plan->edited || ddl_sets_triggers(run->plan->statement.node);
    int status = triggers && run->tables != NULL
                     ? state_unsilence_tables(run->target, migration, run->tables, error)
                     : 0;
    if (status == 0) {
        status = run_statement(run, error);
    }
    if (status == 0) {
        status = state_ddl_tables(run->target, run->place, run->tables, dropped,
                                  ddl_makes_tables(run->message), error);
    }
    if (status == 0 && triggers) {
        status = state_silence(run->target, migration, &silenced, error);
    }
    return status == 0 ? match_rewrites(run, error) : status;
}

int ddl_run(Database *target, const DdlPlace *place, const DdlMessage *message, DdlPlan *plan, DdlRan *out,
            Error *error)
{
    *out = (DdlRan){0};
    char *tables = ddl_message_part(message, "tables"), *dropped = ddl_message_part(message, "dropped");
    Run run = {
        .target = target, .place = place, .message = message, .tables = tables, .plan = plan, .out = out};
    int status = run_all(&run, dropped, error);
    if (status == 0 && out->ran.size == 0 &&
        strcmp(plan->sql.data, plan->edited ? "" : plan->statement.text.data) != 0) {
        text_append(&out->ran, plan->sql.data);
    }
    free(tables);
    free(dropped);
    return status;
}

void ddl_ran_free(DdlRan *ran)
{
    text_free(&ran->ran);
    text_free(&ran->recopied);
}
