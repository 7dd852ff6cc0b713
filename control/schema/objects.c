/*
 * Lists go to the server as arrays, a thousand objects at a time. Names that the server could not read (the source does not
 * know its encoding) are kept with a ? for each byte; the statements are kept as bytes.
 */
#include "objects.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

#define AT_A_TIME 1000
#define COLUMNS 14

static const char *const state_names[] = {
    [OBJECT_WAITING] = "waiting", [OBJECT_BUILDING] = "building", [OBJECT_NOT_VALID] = "not valid",
    [OBJECT_MADE] = "made",       [OBJECT_REFUSED] = "refused",   [OBJECT_LEFT_OUT] = "left out",
};

static const char *section_name(bool post_data)
{
    return post_data ? "post-data" : "pre-data";
}

void planned_free(PlannedObject *planned)
{
    free(planned->object.needs);
    free(planned->object.not_valid);
    free(planned->tables);
}

void object_list_free(ObjectList *list)
{
    for (size_t i = 0; i < list->count; i++) {
        planned_free(&list->objects[i]);
    }
    free(list->objects);
    PQclear(list->rows);
    *list = (ObjectList){0};
}

static void append_name(const SchemaObject *object, Text *out)
{
    if (strcmp(object->schema, "-") != 0 && *object->schema != '\0') {
        text_printf(out, "%s.", object->schema);
    }
    text_append(out, object->name);
}

void object_describe(const SchemaObject *object, Text *out)
{
    text_printf(out, "%s ", object->kind);
    append_name(object, out);
}

bool object_fits(const SchemaObject *object, const SchemaPatterns *patterns)
{
    Text full = {0};
    bool fits = false;
    object_describe(object, &full);
    const char *name = full.data + strlen(object->kind) + 1;
    for (size_t i = 0; i < patterns->count && !fits; i++) {
        fits =
            fnmatch(patterns->patterns[i], full.data, 0) == 0 || fnmatch(patterns->patterns[i], name, 0) == 0;
    }
    text_free(&full);
    return fits;
}

/* --- what is written --- */

/* text, or in scratch with a ? for each byte that is not ASCII when the session does not know what it means. */
static const char *readable(Database *session, const char *text, Text *scratch)
{
    const char *encoding = PQparameterStatus(database_connection(session), "client_encoding");
    if (encoding == NULL || strcmp(encoding, "SQL_ASCII") != 0) {
        return text;
    }
    text_free(scratch);
    text_append(scratch, text);
    for (char *at = scratch->data; *at != '\0'; at++) {
        *at = (unsigned char)*at >= 0x80 ? '?' : *at;
    }
    return scratch->data;
}

static bool is_table(const char *kind)
{
    return strcmp(kind, "TABLE") == 0 || strcmp(kind, "MATERIALIZED VIEW") == 0 ||
           strcmp(kind, "VIEW") == 0 || strcmp(kind, "FOREIGN TABLE") == 0;
}

/* Dump IDs to places: of both scripts, by number. */
typedef struct Places {
    const SchemaObject **by_id;
    int limit;
} Places;

static void place(Places *places, const SchemaScript *script)
{
    for (size_t i = 0; i < script->count; i++) {
        const SchemaObject *object = &script->objects[i];
        if (object->dump_id >= places->limit) {
            int limit = object->dump_id * 2 + 1024;
            places->by_id = realloc(places->by_id, (size_t)limit * sizeof *places->by_id);
            if (places->by_id == NULL) {
                abort();
            }
            memset(places->by_id + places->limit, 0, (size_t)(limit - places->limit) * sizeof *places->by_id);
            places->limit = limit;
        }
        if (object->dump_id >= 0) {
            places->by_id[object->dump_id] = object;
        }
    }
}

static const SchemaObject *at_id(const Places *places, int id)
{
    return id >= 0 && id < places->limit ? places->by_id[id] : NULL;
}

static void append_number(Text *array, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    text_array_add(array, text);
}

/* A foreign key needs the unique constraint that it points to, and locks that one's table. */
static void append_tables(const Places *places, const SchemaObject *object, bool within, Text *out,
                          Text *oids)
{
    for (size_t i = 0; i < object->need_count; i++) {
        const SchemaObject *need = at_id(places, object->needs[i]);
        if (need != NULL && is_table(need->kind)) {
            char oid[16];
            snprintf(oid, sizeof oid, "%u", need->object_id);
            append_number(out, need->dump_id);
            text_array_add(oids, oid);
        } else if (need != NULL && !within &&
                   (strcmp(need->kind, "CONSTRAINT") == 0 || strcmp(need->kind, "INDEX") == 0)) {
            append_tables(places, need, true, out, oids);
        }
    }
}

static bool may_hold_a_password(const SchemaObject *object)
{
    return strcmp(object->kind, "USER MAPPING") == 0 || strcmp(object->kind, "SERVER") == 0 ||
           strcmp(object->kind, "FOREIGN DATA WRAPPER") == 0 || strcmp(object->kind, "SUBSCRIPTION") == 0;
}

/* All that comes before the statements and the statements, as they are kept. */
static void append_statements(Database *session, const SchemaObject *object, Text *array)
{
    if (may_hold_a_password(object) || object->sql == NULL) {
        text_array_add(array, NULL);
        return;
    }
    Text sql = {0};
    size_t size = 0;
    text_printf(&sql, "%s%s%s%s%s", object->tablespace != NULL ? object->tablespace : "",
                object->tablespace != NULL ? "\n" : "",
                object->access_method != NULL ? object->access_method : "",
                object->access_method != NULL ? "\n" : "", object->sql);
    unsigned char *escaped =
        PQescapeByteaConn(database_connection(session), (const unsigned char *)sql.data, sql.size, &size);
    if (escaped == NULL) {
        abort();
    }
    /* In an array literal the text is what bytea's input function reads, not what stands in a string constant. */
    const char *hex = strstr((const char *)escaped, "x");
    Text value = {0};
    text_printf(&value, "\\%s", hex != NULL ? hex : "x");
    text_array_add(array, value.data);
    text_free(&value);
    PQfreemem(escaped);
    text_free(&sql);
}

static const char insert_sql[] =
    "INSERT INTO penstock.schema_object (migration, section, number, dump_id, needs, tables, class_oid, "
    "object_oid, kind,"
    " schema_name, object_name, statements, words, not_valid, table_oids, state)"
    " SELECT $1, $2, n, d, needs::int[], tables::int[], c, o, k, s, name, sql, w, v, oids::oid[],"
    "        CASE WHEN w IS NULL THEN $16 ELSE 'left out' END"
    "   FROM unnest($3::int[], $4::int[], $5::text[], $6::text[], $7::oid[], $8::oid[], $9::text[], "
    "$10::text[],"
    "               $11::text[], $12::bytea[], $13::text[], $14::text[], $15::text[])"
    "        AS u (n, d, needs, tables, c, o, k, s, name, sql, w, v, oids)"
    " ON CONFLICT DO NOTHING";

typedef struct Arrays {
    Text columns[COLUMNS - 1];
} Arrays;

static void append_object(Database *session, Arrays *arrays, const PlannedObject *planned,
                          const Places *places)
{
    const SchemaObject *object = &planned->object;
    Text needs = {0}, tables = {0}, oids = {0}, scratch = {0};
    char number[16];
    for (size_t i = 0; i < object->need_count; i++) {
        append_number(&needs, object->needs[i]);
    }
    text_array_end(&needs);
    append_tables(places, object, false, &tables, &oids);
    text_array_end(&tables);
    text_array_end(&oids);
    append_number(&arrays->columns[0], planned->number);
    append_number(&arrays->columns[1], object->dump_id);
    text_array_add(&arrays->columns[2], needs.data);
    text_array_add(&arrays->columns[3], tables.data);
    snprintf(number, sizeof number, "%u", object->class_id);
    text_array_add(&arrays->columns[4], number);
    snprintf(number, sizeof number, "%u", object->object_id);
    text_array_add(&arrays->columns[5], number);
    text_array_add(&arrays->columns[6], object->kind);
    text_array_add(&arrays->columns[7], readable(session, object->schema, &scratch));
    text_array_add(&arrays->columns[8], readable(session, object->name, &scratch));
    append_statements(session, object, &arrays->columns[9]);
    text_array_add(&arrays->columns[10],
                   object->left != NULL ? readable(session, object->left, &scratch) : NULL);
    text_array_add(&arrays->columns[11],
                   object->not_valid != NULL ? readable(session, object->not_valid, &scratch) : NULL);
    text_array_add(&arrays->columns[12], oids.data);
    text_free(&oids);
    text_free(&needs);
    text_free(&tables);
    text_free(&scratch);
}

static int insert(Database *session, const char *migration, bool post_data, ObjectState state, Arrays *arrays,
                  Error *error)
{
    const char *values[COLUMNS - 1];
    for (int i = 0; i < COLUMNS - 1; i++) {
        text_array_end(&arrays->columns[i]);
        values[i] = arrays->columns[i].data;
    }
    int status =
        database_execute(session, error, insert_sql, 16, migration, section_name(post_data), values[0],
                         values[1], values[2], values[3], values[4], values[5], values[6], values[7],
                         values[8], values[9], values[10], values[11], values[12], state_names[state]);
    for (int i = 0; i < COLUMNS - 1; i++) {
        text_free(&arrays->columns[i]);
    }
    return status;
}

/* Rows for count objects of script from number on. */
static int insert_all(Database *session, const char *migration, bool post_data, ObjectState state,
                      const SchemaScript *script, const bool *only, size_t number, size_t count,
                      const Places *places, Error *error)
{
    for (size_t i = number, end = number + count; i < end;) {
        Arrays arrays = {0};
        for (int rows = 0; i < end && rows < AT_A_TIME; i++) {
            const PlannedObject planned = {
                .object = script->objects[i], .post_data = post_data, .number = (int)i};
            if (only == NULL || only[i]) {
                append_object(session, &arrays, &planned, places);
                rows++;
            }
        }
        if (insert(session, migration, post_data, state, &arrays, error) != 0) {
            return error_context(error, "writing down the schema's objects");
        }
    }
    return 0;
}

int objects_plan(Database *session, const char *migration, const SchemaScript *pre, const SchemaScript *post,
                 Error *error)
{
    Places places = {0};
    place(&places, pre);
    place(&places, post);
    int status = objects_forget(session, migration, true, error);
    if (status == 0) {
        status =
            insert_all(session, migration, true, OBJECT_WAITING, post, NULL, 0, post->count, &places, error);
    }
    free(places.by_id);
    return status;
}

int objects_left(Database *session, const char *migration, const SchemaScript *pre, Error *error)
{
    const Places none = {0};
    bool *only = calloc(pre->count + 1, sizeof *only);
    if (only == NULL) {
        abort();
    }
    for (size_t i = 0; i < pre->count; i++) {
        only[i] = pre->objects[i].left != NULL;
    }
    int status =
        insert_all(session, migration, false, OBJECT_LEFT_OUT, pre, only, 0, pre->count, &none, error);
    free(only);
    return status;
}

int objects_made(Database *session, const char *migration, const SchemaScript *pre, const bool *only,
                 size_t number, size_t count, Error *error)
{
    const Places none = {0};
    return insert_all(session, migration, false, OBJECT_MADE, pre, only, number, count, &none, error);
}

int objects_write(Database *session, const char *migration, const PlannedObject *planned, ObjectState state,
                  const Refusal *refusal, Error *error)
{
    const Places none = {0};
    char number[16];
    snprintf(number, sizeof number, "%d", planned->number);
    if (!planned->post_data) {
        Arrays arrays = {0};
        append_object(session, &arrays, planned, &none);
        if (insert(session, migration, false, state, &arrays, error) != 0) {
            return -1;
        }
    }
    return database_execute(session, error,
                            "UPDATE penstock.schema_object SET state = $4, sqlstate = $5, words = $6"
                            " WHERE migration = $1 AND section = $2 AND number = $3",
                            6, migration, section_name(planned->post_data), number, state_names[state],
                            refusal != NULL && refusal->sqlstate[0] != '\0' ? refusal->sqlstate : NULL,
                            refusal != NULL ? refusal->words.data : NULL);
}

int objects_drop(Database *session, const char *migration, const PlannedObject *planned, Error *error)
{
    char number[16];
    snprintf(number, sizeof number, "%d", planned->number);
    return database_execute(
        session, error,
        "DELETE FROM penstock.schema_object WHERE migration = $1 AND section = $2 AND number = $3", 3,
        migration, section_name(planned->post_data), number);
}

int objects_forget(Database *session, const char *migration, bool post_data, Error *error)
{
    return database_execute(session, error,
                            "DELETE FROM penstock.schema_object WHERE migration = $1 AND section = $2", 2,
                            migration, section_name(post_data));
}

/* --- what is read --- */

/* "{1,2}" */
static int *read_numbers(const char *array, size_t *count)
{
    size_t capacity = 1;
    for (const char *at = array; *at != '\0'; at++) {
        capacity += *at == ',';
    }
    int *numbers = calloc(capacity, sizeof *numbers);
    if (numbers == NULL) {
        abort();
    }
    *count = 0;
    for (const char *at = array + 1; *at != '\0' && *at != '}';) {
        char *end;
        numbers[(*count)++] = (int)strtol(at, &end, 10);
        at = *end == ',' ? end + 1 : end;
    }
    return numbers;
}

static ObjectState read_state(const char *name)
{
    for (size_t i = 0; i < sizeof state_names / sizeof *state_names; i++) {
        if (strcmp(state_names[i], name) == 0) {
            return (ObjectState)i;
        }
    }
    return OBJECT_WAITING;
}

static void read_row(const PGresult *rows, int row, bool post_data, PlannedObject *out)
{
    *out = (PlannedObject){.post_data = post_data,
                           .number = number_int(PQgetvalue(rows, row, 0)),
                           .state = read_state(PQgetvalue(rows, row, 10))};
    SchemaObject *object = &out->object;
    object->dump_id = number_int(PQgetvalue(rows, row, 1));
    object->needs = read_numbers(PQgetvalue(rows, row, 2), &object->need_count);
    out->tables = read_numbers(PQgetvalue(rows, row, 3), &out->table_count);
    object->class_id = (uint32_t)strtoul(PQgetvalue(rows, row, 4), NULL, 10);
    object->object_id = (uint32_t)strtoul(PQgetvalue(rows, row, 5), NULL, 10);
    object->kind = PQgetvalue(rows, row, 6);
    object->schema = PQgetvalue(rows, row, 7);
    object->name = PQgetvalue(rows, row, 8);
    out->small = PQnfields(rows) > 11 && PQgetvalue(rows, row, 11)[0] == 't';
    if (!PQgetisnull(rows, row, 9) && (object->not_valid = strdup(PQgetvalue(rows, row, 9))) == NULL) {
        abort();
    }
}

static void read_rows(PGresult *rows, bool post_data, ObjectList *out)
{
    out->rows = rows;
    out->count = (size_t)PQntuples(rows);
    out->objects = calloc(out->count + 1, sizeof *out->objects);
    if (out->objects == NULL) {
        abort();
    }
    for (size_t i = 0; i < out->count; i++) {
        read_row(rows, (int)i, post_data, &out->objects[i]);
    }
}

#define LARGE_TABLE "8388608" /* or one of which a part is a job */

/* Whether it locks small tables alone. Subqueries that give one value: each is looked up by its index. */
#define ALL_SMALL                                                                                            \
    "coalesce((SELECT bool_and(coalesce((SELECT bool_and(r.source_bytes < " LARGE_TABLE                      \
    " AND r.part_column IS NULL) FROM penstock.relation r"                                                   \
    "   WHERE r.source_oid = t.oid AND r.migration = $1), false)) FROM unnest(table_oids) AS t (oid)), "     \
    "true)"

int objects_load(Database *session, const char *migration, bool post_data, ObjectState state, ObjectList *out,
                 Error *error)
{
    PGresult *rows = NULL;
    *out = (ObjectList){0};
    if (database_query(session, &rows, error,
                       "SELECT number, dump_id, needs, tables, class_oid, object_oid, kind, schema_name, "
                       "object_name, not_valid, state, " ALL_SMALL
                       "  FROM penstock.schema_object WHERE migration = $1 AND section = $2 AND (state = $3"
                       "       OR state = 'building' AND $3 = 'waiting') ORDER BY number",
                       3, migration, section_name(post_data), state_names[state]) != 0) {
        return -1;
    }
    read_rows(rows, post_data, out);
    return 0;
}

/*
 * In the order of size: the longest to build first. What a table needs to be whole is not looked at: its rows are there. $3: bytes
 * from which on it is worth it. Of the others there may be a hundred thousand, and this is asked for each index.
 */
static const char take_index_sql[] =
    "WITH large AS MATERIALIZED ("
    "  SELECT source_oid, source_bytes FROM penstock.relation WHERE migration = $1 AND copy_state = 'copied'"
    "     AND (source_bytes >= $3::int8 OR part_column IS NOT NULL)),"
    " waiting AS MATERIALIZED ("
    "  SELECT o.number, r.source_bytes FROM large r JOIN penstock.schema_object o ON o.table_oids[1] = "
    "r.source_oid"
    "   WHERE o.migration = $1 AND o.section = 'post-data' AND o.state = 'waiting' AND o.kind = 'INDEX'"
    "     AND o.table_oids[1] = ALL (o.table_oids)"
    "     AND position('CREATE UNIQUE INDEX'::bytea IN o.statements) = 0),"
    " next AS MATERIALIZED ("
    "  SELECT o.number FROM waiting w JOIN penstock.schema_object o"
    "      ON o.migration = $1 AND o.section = 'post-data' AND o.number = w.number"
    "   WHERE o.state = 'waiting'"
    "     AND NOT EXISTS (SELECT FROM penstock.schema_object n WHERE n.migration = $1 AND n.section = "
    "'post-data'"
    "                        AND n.dump_id = ANY (o.needs) AND n.state <> 'made')"
    "     AND NOT ($2::bool AND EXISTS (SELECT FROM penstock.schema_object b WHERE b.migration = $1"
    "          AND b.state = 'building' AND b.table_oids[1] = o.table_oids[1]))"
    "   ORDER BY w.source_bytes DESC, o.number LIMIT 1 FOR UPDATE OF o SKIP LOCKED)"
    " UPDATE penstock.schema_object o SET state = 'building' FROM next"
    "  WHERE o.migration = $1 AND o.section = 'post-data' AND o.number = next.number"
    " RETURNING o.number, dump_id, needs, tables, class_oid, object_oid, kind, schema_name, object_name, "
    "not_valid, 'waiting'";

int objects_take_index(Database *session, const char *migration, bool alone, ObjectList *out, Error *error)
{
    PGresult *rows = NULL;
    *out = (ObjectList){0};
    if (database_query(session, &rows, error, take_index_sql, 3, migration, alone ? "t" : "f", LARGE_TABLE) !=
        0) {
        return -1;
    }
    read_rows(rows, true, out);
    return 0;
}

/* bytea, as hex; the caller frees it. */
static char *decode(const char *hex)
{
    size_t size = strlen(hex) / 2;
    char *out = calloc(size + 1, 1);
    if (out == NULL) {
        abort();
    }
    for (size_t i = 0; i < size; i++) {
        const char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (char)strtoul(byte, NULL, 16);
    }
    return out;
}

static void append_numbers(const PlannedObject *const *planned, size_t count, Text *out)
{
    for (size_t i = 0; i < count; i++) {
        append_number(out, planned[i]->number);
    }
    text_array_end(out);
}

int objects_statements(Database *session, const char *migration, const PlannedObject *const *planned,
                       size_t count, char **sql, Error *error)
{
    PGresult *rows = NULL;
    Text numbers = {0};
    append_numbers(planned, count, &numbers);
    int status = database_query(
        session, &rows, error,
        "SELECT pg_catalog.encode(o.statements, 'hex') FROM unnest($3::int[]) WITH ORDINALITY AS u (number, "
        "n)"
        "  LEFT JOIN penstock.schema_object o ON o.migration = $1 AND o.section = $2 AND o.number = u.number"
        " ORDER BY u.n",
        3, migration, section_name(planned[0]->post_data), numbers.data);
    for (size_t i = 0; status == 0 && i < count; i++) {
        sql[i] = decode(PQgetvalue(rows, (int)i, 0));
    }
    PQclear(rows);
    text_free(&numbers);
    return status;
}

int objects_write_made(Database *session, const char *migration, const PlannedObject *const *planned,
                       size_t count, Error *error)
{
    Text numbers = {0};
    append_numbers(planned, count, &numbers);
    int status =
        database_execute(session, error,
                         "UPDATE penstock.schema_object SET state = 'made', sqlstate = NULL, words = NULL"
                         " WHERE migration = $1 AND section = $2 AND number = ANY ($3::int[])",
                         3, migration, section_name(planned[0]->post_data), numbers.data);
    text_free(&numbers);
    return status;
}

int schema_made(Database *target, const char *migration, bool *made, Error *error)
{
    return database_found(
        target, made, error,
        "SELECT 1 FROM penstock.schema_object WHERE migration = $1 AND state = 'made' LIMIT 1", 1, migration);
}

/* object_describe, of a row. */
#define DESCRIBED                                                                                            \
    "pg_catalog.concat(kind, ' ', CASE WHEN schema_name NOT IN ('-', '')"                                    \
    " THEN pg_catalog.concat(schema_name, '.') END, object_name)"

int schema_refused(Database *target, const char *migration, PGresult **rows, Error *error)
{
    return database_query(
        target, rows, error,
        "SELECT o.object, o.words, (SELECT pg_catalog.count(*) FROM penstock.accepted a WHERE a.migration = "
        "$1"
        "         AND a.check_id = 'schema-trial' AND a.object = o.object)"
        "  FROM (SELECT " DESCRIBED " AS object, words, section, number"
        "          FROM penstock.schema_object WHERE migration = $1"
        "           AND (state = 'refused' OR state = 'not valid' AND sqlstate IS NOT NULL)) o"
        " ORDER BY o.section DESC, o.number",
        1, migration);
}

int schema_left(Database *target, const char *migration, PGresult **rows, Error *error)
{
    return database_query(
        target, rows, error,
        "SELECT " DESCRIBED ","
        "       coalesce(pg_catalog.concat('is made NOT VALID, since it ', not_valid), ''),"
        "       number"
        "  FROM penstock.schema_object WHERE migration = $1 AND not_valid IS NOT NULL"
        " UNION ALL SELECT " DESCRIBED ","
        "       pg_catalog.concat('is left out, since it ', words), number"
        "  FROM penstock.schema_object WHERE migration = $1 AND state = 'left out'"
        "   AND (pg_catalog.starts_with(words, 'needs ') OR pg_catalog.starts_with(words, 'points to '))"
        "   AND kind IN ('FK CONSTRAINT', 'VIEW', 'MATERIALIZED VIEW', 'FUNCTION', 'PROCEDURE', 'AGGREGATE', "
        "'RULE',"
        "                'TRIGGER', 'TABLE ATTACH')"
        " ORDER BY 3",
        1, migration);
}
