#include "create.h"

#include <stdio.h>
#include <stdlib.h>

#include "ddl.h"
#include "identity.h"
#include "silence.h"
#include "text.h"

static const char columns_sql[] =
    "SELECT string_agg(format('%I %s', name, format_type(to_regtype(format('%I.%I', type_schema, "
    "type_name)), typmod)), ', ' ORDER BY n)"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::int4[]) WITH ORDINALITY AS c (name, type_schema, "
    "type_name, typmod, n) "
    "HAVING bool_and(to_regtype(format('%I.%I', type_schema, type_name)) IS NOT NULL) OR count(*) = 0";

static int read_columns(Database *target, const SourceRelation *source, char **columns, Error *error)
{
    Text arrays[4] = {{0}};
    for (uint32_t i = 0; i < source->column_count; i++) {
        const SourceColumn *column = &source->columns[i];
        char typmod[16];
        snprintf(typmod, sizeof typmod, "%d", column->typmod);
        text_array_add(&arrays[0], column->name);
        text_array_add(&arrays[1], column->type_schema);
        text_array_add(&arrays[2], column->type_name);
        text_array_add(&arrays[3], typmod);
    }
    for (int i = 0; i < 4; i++) {
        text_array_end(&arrays[i]);
    }
    int status = database_value(target, columns, error, columns_sql, 4, arrays[0].data, arrays[1].data,
                                arrays[2].data, arrays[3].data);
    for (int i = 0; i < 4; i++) {
        text_free(&arrays[i]);
    }
    if (status == 0 && *columns == NULL && source->column_count > 0) {
        return error_set(error, ERROR_CONFLICT, "the target lacks the type of one of its columns");
    }
    return status;
}

static int make(Database *target, const char *migration, const SourceRelation *source, const char *columns,
                Lsn commit_lsn, Error *error)
{
    Text sql = {0}, definition = {0};
    char *schema = database_quote(source->schema), *name = database_quote(source->name);
    text_printf(&sql, SILENCE_EVENT_TRIGGERS "CREATE TABLE %s.%s (%s)", schema, name,
                columns != NULL ? columns : "");
    identity_columns(source, &definition);
    int status = database_execute(target, error, sql.data, 0);
    if (status == 0) {
        status = state_ddl_created(target, migration, source->schema, source->name, source->id,
                                   definition.data, commit_lsn, error);
    }
    free(schema);
    free(name);
    text_free(&sql);
    text_free(&definition);
    return status;
}

static int create_unless_known(Database *target, const char *migration, const SourceRelation *source,
                               Lsn commit_lsn, Error *error)
{
    bool known = false;
    char *columns = NULL;
    char oid[16];
    snprintf(oid, sizeof oid, "%u", source->id);
    if (state_ddl_knows(target, migration, oid, &known, error) != 0) {
        return -1;
    }
    if (known) {
        return 0;
    }
    int status = read_columns(target, source, &columns, error) == 0
                     ? make(target, migration, source, columns, commit_lsn, error)
                     : -1;
    free(columns);
    return status;
}

int create_table(Database *target, const char *migration, const SourceRelation *source, Lsn commit_lsn,
                 Error *error)
{
    Error ignored;
    int status = database_execute(target, error, "BEGIN", 0) == 0
                     ? create_unless_known(target, migration, source, commit_lsn, error)
                     : -1;
    if (status == 0) {
        return database_execute(target, error, "COMMIT", 0);
    }
    (void)!database_execute(target, &ignored, "ROLLBACK", 0);
    return error_context(error, "making table %s.%s, whose rows come before its definition", source->schema,
                         source->name);
}
