/*
 * array_send and record_send write the OID of each element's or field's type, which is another one on the other side when the
 * type is the user's: of arrays it is in one known place, bytes 9 to 12 (utils/adt/arrayfuncs.c, array_send, the same from 7.4
 * to 18), and is put out of them. range_send and multirange_send write none.
 *
 * A composite is NULL, or has fields that may all be NULL; "IS NULL" does not tell, IS NOT DISTINCT FROM NULL does
 * (parser/parse_expr.c, make_nulltest_from_distinct: not a row's test).
 */
#include "forms.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define FIRST_USER_OID 16384

/* Types of the system's whose text is not the same, or loses something; [] stands for their arrays. */
static const struct {
    const char *type;
    const char *sql;
    bool bytes;
} exact[] = {
    {"money", "\1::pg_catalog.numeric", false},
    {"_money", "\1::pg_catalog.numeric[]", false},
    {"bytea", "\1", true},
    {"float4", "pg_catalog.float4send(\1)", true},
    {"float8", "pg_catalog.float8send(\1)", true},
    {"char", "pg_catalog.charsend(\1)", true},
    {"point", "pg_catalog.point_send(\1)", true},
    {"lseg", "pg_catalog.lseg_send(\1)", true},
    {"path", "pg_catalog.path_send(\1)", true},
    {"box", "pg_catalog.box_send(\1)", true},
    {"polygon", "pg_catalog.poly_send(\1)", true},
    {"line", "pg_catalog.line_send(\1)", true},
    {"circle", "pg_catalog.circle_send(\1)", true},
};

typedef struct Known {
    uint32_t oid;
    char *sql;
    bool plain;
    bool bytes;
    bool portable; /* what array_send gives of arrays of it has no OID of the server's but the one */
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

static Known known(const char *sql, bool bytes, bool portable)
{
    return (Known){
        .sql = text_copy(sql), .plain = strcmp(sql, "\1") == 0, .bytes = bytes, .portable = portable};
}

/* The columns of type_sql. */
enum { NAME, KIND, SYSTEM, BASE, ELEMENT, SUBTYPE, RELATION };

static const char type_sql[] =
    "SELECT t.typname, t.typtype,"
    "       n.nspname = 'pg_catalog' AND t.oid::int8 < 16384, t.typbasetype,"
    "       CASE WHEN t.typlen = -1 AND t.typcategory = 'A' THEN t.typelem ELSE 0 END, r.rngsubtype, "
    "t.typrelid"
    "  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace"
    "  LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid WHERE t.oid = $1::oid";

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
    bool array = name[0] == '_';
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        if (strcmp(exact[i].type, name) == 0) {
            return known(exact[i].sql, exact[i].bytes, true);
        }
        if (array && strcmp(exact[i].type, name + 1) == 0) {
            return known("pg_catalog.array_send(\1)", true, true);
        }
    }
    return known("\1", false, true);
}

static Known array_of(const Known *element)
{
    return element->plain || !element->portable ? known("\1", false, false)
                                                : known("pg_catalog.overlay(pg_catalog.array_send(\1), "
                                                        "pg_catalog.decode('00000000', 'hex'), 9, 4)",
                                                        true, false);
}

/* Each field by its name in its own form. */
static int composite(Forms *forms, Database *source, const char *relation, Known *out, Error *error)
{
    PGresult *fields = NULL;
    Text sql = {0};
    bool plain = true, portable = true;
    if (database_query(
            source, &fields, error,
            "SELECT a.attname, a.atttypid, a.atttypid::int8 < 16384 FROM pg_catalog.pg_attribute a"
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
            portable = portable && PQgetvalue(fields, i, 2)[0] == 't' && field.portable;
        }
    }
    text_append(&sql, ")::pg_catalog.text END");
    *out = status != 0 ? (Known){0} : known(plain ? "\1" : sql.data, false, portable);
    text_free(&sql);
    PQclear(fields);
    return status;
}

static int range_of(Forms *forms, Database *source, uint32_t subtype, const char *send, Known *out,
                    Error *error)
{
    Known bound;
    if (get(forms, source, subtype, &bound, error) != 0) {
        return -1;
    }
    *out = bound.plain || !bound.portable ? known("\1", false, bound.portable)
                                          : known(send, true, bound.portable);
    return 0;
}

static int multirange(Forms *forms, Database *source, const char *oid, Known *out, Error *error)
{
    char *subtype = NULL;
    if (database_value(source, &subtype, error, multirange_sql, 1, oid) != 0) {
        return -1;
    }
    uint32_t type = subtype != NULL ? (uint32_t)strtoul(subtype, NULL, 10) : 0;
    free(subtype);
    return range_of(forms, source, type, "pg_catalog.multirange_send(\1)", out, error);
}

static int make(Forms *forms, Database *source, const PGresult *row, const char *oid, Known *out,
                Error *error)
{
    Known element;
    switch (PQgetvalue(row, 0, KIND)[0]) {
    case 'd':
        return get(forms, source, oid_at(row, BASE), out, error) == 0
                   ? (*out = known(out->sql, out->bytes, out->portable), 0)
                   : -1;
    case 'c':
        return composite(forms, source, PQgetvalue(row, 0, RELATION), out, error);
    case 'r':
        return range_of(forms, source, oid_at(row, SUBTYPE), "pg_catalog.range_send(\1)", out, error);
    case 'm':
        return multirange(forms, source, oid, out, error);
    default:
        break;
    }
    if (PQgetvalue(row, 0, SYSTEM)[0] == 't') {
        *out = system_type(PQgetvalue(row, 0, NAME));
        return 0;
    }
    if (oid_at(row, ELEMENT) == 0) {
        *out = known("\1", false, false);
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
    *out = (Form){.sql = found.sql, .bytes = found.bytes};
    return 0;
}
