/*
 * A value is hashed as its type's send function gives it where that is the same on both sides: that is quicker than text, and
 * exact. array_send and record_send write the OIDs of what they hold, which are others there when a type is the user's: such
 * values are taken apart, and hashed as text made of the forms of their parts.
 *
 * A float may be NaN in many ways, which are all the same to the server (utils/adt/float.c, float8_cmp_internal): one that was
 * computed has its sign set, and loses it where rows travel as text. So they are made one.
 *
 * A composite is NULL, or has fields that may all be NULL; "IS NULL" does not tell, IS NOT DISTINCT FROM NULL does
 * (parser/parse_expr.c, make_nulltest_from_distinct: not a row's test). unnest keeps the two apart in a SELECT list, not in FROM.
 */
#include "forms.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define VALUE_OF(type)                                                                                       \
    "CASE WHEN \1 OPERATOR(pg_catalog.=) 'NaN'::pg_catalog." type " THEN 'NaN'::pg_catalog." type            \
    " ELSE \1 END"
#define VALUES_OF(type) "pg_catalog.array_replace(\1, 'NaN'::pg_catalog." type ", 'NaN'::pg_catalog." type ")"
#define EXTENSION_SCHEMA "@schema@"
#define PARTS_OF(parts) "CASE WHEN \1 IS NOT DISTINCT FROM NULL THEN NULL ELSE " parts " END"

/* Types of the system's that have a send function. sql is their exact text, where their own is not: see Form. */
static const struct {
    const char *type;
    const char *sql;
    bool bytes;
    const char *sent;
} system_types[] = {
    {"money", "\1::pg_catalog.numeric", false, "\1::pg_catalog.numeric"},
    {"_money", "\1::pg_catalog.numeric[]", false, "\1::pg_catalog.numeric[]"},
    {"bytea", "\1", true, "\1"},
    {"float4", "pg_catalog.float4send(" VALUE_OF("float4") ")", true, VALUE_OF("float4")},
    {"float8", "pg_catalog.float8send(" VALUE_OF("float8") ")", true, VALUE_OF("float8")},
    {"_float4", "pg_catalog.array_send(" VALUES_OF("float4") ")", true, VALUES_OF("float4")},
    {"_float8", "pg_catalog.array_send(" VALUES_OF("float8") ")", true, VALUES_OF("float8")},
    {"char", "pg_catalog.charsend(\1)", true, "\1"},
    {"point", "pg_catalog.point_send(\1)", true, "\1"},
    {"lseg", "pg_catalog.lseg_send(\1)", true, "\1"},
    {"path", "pg_catalog.path_send(\1)", true, "\1"},
    {"box", "pg_catalog.box_send(\1)", true, "\1"},
    {"polygon", "pg_catalog.poly_send(\1)", true, "\1"},
    {"line", "pg_catalog.line_send(\1)", true, "\1"},
    {"circle", "pg_catalog.circle_send(\1)", true, "\1"},
    {"bool", "\1", false, "\1"},
    {"name", "\1", false, "\1"},
    {"int2", "\1", false, "\1"},
    {"int4", "\1", false, "\1"},
    {"int8", "\1", false, "\1"},
    {"oid", "\1", false, "\1"},
    {"numeric", "\1", false, "\1"},
    {"text", "\1", false, "\1"},
    {"varchar", "\1", false, "\1"},
    {"bpchar", "\1", false, "\1"},
    {"json", "\1", false, "\1"},
    {"jsonb", "\1", false, "\1"},
    {"uuid", "\1", false, "\1"},
    {"date", "\1", false, "\1"},
    {"time", "\1", false, "\1"},
    {"timetz", "\1", false, "\1"},
    {"timestamp", "\1", false, "\1"},
    {"timestamptz", "\1", false, "\1"},
    {"interval", "\1", false, "\1"},
    {"inet", "\1", false, "\1"},
    {"cidr", "\1", false, "\1"},
    {"macaddr", "\1", false, "\1"},
    {"macaddr8", "\1", false, "\1"},
    {"bit", "\1", false, "\1"},
    {"varbit", "\1", false, "\1"},
    {"tsvector", "\1", false, "\1"},
    {"int4range", "\1", false, "\1"},
    {"int8range", "\1", false, "\1"},
    {"numrange", "\1", false, "\1"},
    {"tsrange", "\1", false, "\1"},
    {"tstzrange", "\1", false, "\1"},
    {"daterange", "\1", false, "\1"},
};

/* Types of extensions whose text has floats in 15 digits; EXTENSION_SCHEMA stands for the schema it is in. */
static const struct {
    const char *extension, *type;
    const char *sql;
} extension_types[] = {
    {"cube", "cube",
     PARTS_OF("pg_catalog.concat(@schema@.cube_is_point(\1), (SELECT pg_catalog.array_agg(ROW("
              "pg_catalog.float8send(@schema@.cube_ll_coord(\1, x.i)), "
              "pg_catalog.float8send(@schema@.cube_ur_coord(\1, x.i)))::pg_catalog.text ORDER BY x.i)"
              "::pg_catalog.text FROM pg_catalog.generate_series(1, @schema@.cube_dim(\1)) AS x (i)))")},
};

typedef struct Known {
    uint32_t oid;
    char *sql;
    const char *sent; /* as in Form */
    bool plain;       /* sql is the value itself */
    bool bytes;
} Known;

struct Forms {
    Known *list;
    size_t count, capacity;
};

Forms *forms_new(void)
{
    Forms *forms = calloc(1, sizeof *forms);
    if (forms == NULL) {
        abort();
    }
    return forms;
}

void forms_free(Forms *forms)
{
    if (forms != NULL) {
        for (size_t i = 0; i < forms->count; i++) {
            free(forms->list[i].sql);
        }
        free(forms->list);
        free(forms);
    }
}

char *form_apply(const char *sql, const char *value)
{
    Text out = {0};
    text_append(&out, "");
    for (; *sql != '\0'; sql++) {
        if (*sql == FORM_VALUE) {
            text_append(&out, value);
        } else {
            text_append_bytes(&out, sql, 1);
        }
    }
    return out.data;
}

static const Known *find(const Forms *forms, uint32_t oid)
{
    for (size_t i = 0; i < forms->count; i++) {
        if (forms->list[i].oid == oid) {
            return &forms->list[i];
        }
    }
    return NULL;
}

static Known known(const char *sql, bool bytes, const char *sent)
{
    return (Known){.sql = text_copy(sql), .plain = strcmp(sql, "\1") == 0, .bytes = bytes, .sent = sent};
}

/* The columns of type_sql. */
enum { NAME, KIND, SYSTEM, BASE, ELEMENT, SUBTYPE, RELATION, EXTENSION, SCHEMA };

static const char type_sql[] =
    "SELECT t.typname, t.typtype,"
    "       n.nspname = 'pg_catalog' AND t.oid::int8 < 16384, t.typbasetype,"
    "       CASE WHEN t.typlen = -1 AND t.typcategory = 'A' THEN t.typelem ELSE 0 END, r.rngsubtype, "
    "t.typrelid, e.extname, n.nspname"
    "  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
    "  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid"
    "  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid "
    "= t.oid"
    "   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'"
    "  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid WHERE t.oid = $1::oid";

/* Multiranges are there from 14 on. */
static const char multirange_sql[] =
    "SELECT rngsubtype FROM pg_catalog.pg_range WHERE rngmultitypid = $1::oid";

static int look_up(Forms *forms, Database *source, uint32_t oid, Known *out, Error *error);

static int get(Forms *forms, Database *source, uint32_t oid, Known *out, Error *error)
{
    const Known *there = find(forms, oid);
    if (there != NULL) {
        *out = *there;
        return 0;
    }
    if (look_up(forms, source, oid, out, error) != 0) {
        return -1;
    }
    if (forms->count == forms->capacity) {
        forms->capacity = forms->capacity > 0 ? 2 * forms->capacity : 32;
        forms->list = realloc(forms->list, forms->capacity * sizeof *forms->list);
        if (forms->list == NULL) {
            abort();
        }
    }
    out->oid = oid;
    forms->list[forms->count++] = *out;
    return 0;
}

static uint32_t oid_at(const PGresult *row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(row, 0, column), NULL, 10);
}

static Known system_type(const char *name)
{
    for (size_t i = 0; i < sizeof system_types / sizeof *system_types; i++) {
        if (strcmp(system_types[i].type, name) == 0) {
            return known(system_types[i].sql, system_types[i].bytes, system_types[i].sent);
        }
    }
    for (size_t i = 0; name[0] == '_' && i < sizeof system_types / sizeof *system_types; i++) {
        if (strcmp(system_types[i].type, name + 1) == 0) {
            return system_types[i].bytes ? known("pg_catalog.array_send(\1)", true, "\1")
                                         : known("\1", false, "\1");
        }
    }
    return known("\1", false, NULL);
}

/* A type that is a base type of nobody we know, or of an extension whose values we know to take apart. */
static Known base_type(const PGresult *row)
{
    for (size_t i = 0; i < sizeof extension_types / sizeof *extension_types; i++) {
        if (strcmp(extension_types[i].extension, PQgetvalue(row, 0, EXTENSION)) == 0 &&
            strcmp(extension_types[i].type, PQgetvalue(row, 0, NAME)) == 0) {
            Text sql = {0};
            char *schema = database_quote(PQgetvalue(row, 0, SCHEMA));
            for (const char *at = extension_types[i].sql, *next; *at != '\0'; at = next) {
                next = strstr(at, EXTENSION_SCHEMA);
                next = next != NULL ? next : at + strlen(at);
                text_append_bytes(&sql, at, (size_t)(next - at));
                if (*next != '\0') {
                    text_append(&sql, schema);
                    next += strlen(EXTENSION_SCHEMA);
                }
            }
            Known found = known(sql.data, false, NULL);
            free(schema);
            text_free(&sql);
            return found;
        }
    }
    return known("\1", false, NULL);
}

/* The text of each element's form, in their order, whatever gives them. */
static void elements_add(Text *sql, const Known *element, const char *before)
{
    char *form = form_apply(element->sql, "s.e");
    text_printf(sql,
                "CASE WHEN \1 IS NOT DISTINCT FROM NULL THEN NULL ELSE pg_catalog.concat(%s"
                "(SELECT pg_catalog.array_agg(ROW(%s)::pg_catalog.text)::pg_catalog.text"
                " FROM (SELECT pg_catalog.unnest(\1) AS e) AS s)) END",
                before, form);
    free(form);
}

static Known array_of(const Known *element)
{
    Text sql = {0};
    if (element->plain) {
        return known("\1", false, NULL);
    }
    elements_add(&sql, element, "pg_catalog.array_dims(\1), ");
    Known array = known(sql.data, false, NULL);
    text_free(&sql);
    return array;
}

/* Each field by its name in its own form. */
static int composite(Forms *forms, Database *source, const char *relation, Known *out, Error *error)
{
    PGresult *fields = NULL;
    Text sql = {0};
    bool plain = true;
    if (database_query(
            source, &fields, error,
            "SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute a"
            " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            1, relation) != 0) {
        return -1;
    }
    int status = 0;
    text_append(&sql, "CASE WHEN \1 IS NOT DISTINCT FROM NULL THEN NULL ELSE ROW(");
    for (int i = 0; status == 0 && i < PQntuples(fields); i++) {
        Known field;
        status = get(forms, source, (uint32_t)strtoul(PQgetvalue(fields, i, 1), NULL, 10), &field, error);
        if (status == 0) {
            char *quoted = database_quote(PQgetvalue(fields, i, 0));
            Text name = {0};
            text_printf(&name, "(\1).%s", quoted);
            char *value = form_apply(field.sql, name.data);
            text_printf(&sql, "%s%s", i > 0 ? ", " : "", value);
            free(value);
            free(quoted);
            text_free(&name);
            plain = plain && field.plain;
        }
    }
    text_append(&sql, ")::pg_catalog.text END");
    *out = status != 0 ? (Known){0} : known(plain ? "\1" : sql.data, false, NULL);
    text_free(&sql);
    PQclear(fields);
    return status;
}

static int range_of(Forms *forms, Database *source, uint32_t subtype, Known *out, Error *error)
{
    Known bound;
    if (get(forms, source, subtype, &bound, error) != 0) {
        return -1;
    }
    if (bound.plain) {
        *out = known("\1", false, NULL);
        return 0;
    }
    Text sql = {0};
    char *lower = form_apply(bound.sql, "pg_catalog.lower(\1)");
    char *upper = form_apply(bound.sql, "pg_catalog.upper(\1)");
    text_printf(&sql,
                PARTS_OF("ROW(pg_catalog.isempty(\1), pg_catalog.lower_inc(\1), pg_catalog.upper_inc(\1), "
                         "pg_catalog.lower_inf(\1), pg_catalog.upper_inf(\1), %s, %s)::pg_catalog.text"),
                lower, upper);
    *out = known(sql.data, false, NULL);
    free(lower);
    free(upper);
    text_free(&sql);
    return 0;
}

static int multirange(Forms *forms, Database *source, const char *oid, Known *out, Error *error)
{
    char *subtype = NULL;
    Known range;
    if (database_value(source, &subtype, error, multirange_sql, 1, oid) != 0) {
        return -1;
    }
    uint32_t type = subtype != NULL ? (uint32_t)strtoul(subtype, NULL, 10) : 0;
    free(subtype);
    if (range_of(forms, source, type, &range, error) != 0) {
        return -1;
    }
    Text sql = {0};
    text_append(&sql, "");
    if (!range.plain) {
        elements_add(&sql, &range, "");
    }
    *out = known(range.plain ? "\1" : sql.data, false, NULL);
    free(range.sql);
    text_free(&sql);
    return 0;
}

static int make(Forms *forms, Database *source, const PGresult *row, const char *oid, Known *out,
                Error *error)
{
    Known element;
    if (PQgetvalue(row, 0, SYSTEM)[0] == 't' && PQgetvalue(row, 0, KIND)[0] != 'c') {
        *out = system_type(PQgetvalue(row, 0, NAME));
        return 0;
    }
    switch (PQgetvalue(row, 0, KIND)[0]) {
    case 'd':
        return get(forms, source, oid_at(row, BASE), out, error) == 0
                   ? (*out = known(out->sql, out->bytes, NULL), 0)
                   : -1;
    case 'c':
        return composite(forms, source, PQgetvalue(row, 0, RELATION), out, error);
    case 'r':
        return range_of(forms, source, oid_at(row, SUBTYPE), out, error);
    case 'm':
        return multirange(forms, source, oid, out, error);
    default:
        break;
    }
    if (oid_at(row, ELEMENT) == 0) {
        *out = base_type(row);
        return 0;
    }
    if (get(forms, source, oid_at(row, ELEMENT), &element, error) != 0) {
        return -1;
    }
    *out = array_of(&element);
    return 0;
}

static int look_up(Forms *forms, Database *source, uint32_t oid, Known *out, Error *error)
{
    PGresult *row = NULL;
    char text[16];
    snprintf(text, sizeof text, "%u", oid);
    if (database_query(source, &row, error, type_sql, 1, text) != 0) {
        return error_context(error, "looking up how a type's values are compared");
    }
    int status = PQntuples(row) == 1 ? make(forms, source, row, text, out, error)
                                     : error_set(error, ERROR_SOURCE, "type %u is gone", oid);
    PQclear(row);
    return status;
}

int forms_get(Forms *forms, Database *source, uint32_t type, Form *out, Error *error)
{
    Known found;
    if (get(forms, source, type, &found, error) != 0) {
        return -1;
    }
    *out = (Form){.sql = found.sql, .bytes = found.bytes, .sent = found.sent};
    return 0;
}
