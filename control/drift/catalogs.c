/*
 * Both sides work on the same kind at the same time and give (object, hash), in the order of bytes (those of UTF-8 where the two
 * have other encodings, in which names may have another order); the two lists are walked along each other. Of objects with two
 * hashes all parts are read and compared by name: should the hashes differ for another reason than a part (names beyond ASCII
 * in two encodings), there is no difference.
 */
#include "catalogs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "queries.h"
#include "query.h"
#include "text.h"

#define LIMIT_MS (30 * 60 * 1000)
#define SLICE 25000 /* relations: with their constraints, some 40 MB of a server's process */

enum { SOURCE, TARGET, SIDES };

typedef struct Comparison {
    Database *sides[SIDES];
    CatalogOptions options;
    bool one_encoding;
    int slices; /* in which kinds of which there are very many objects are compared, by a hash of their names */
    CatalogDifferences *out;
    size_t capacity;
} Comparison;

static void add(Comparison *comparison, const char *kind, const char *object, const char *part,
                const char *source, const char *target)
{
    CatalogDifferences *out = comparison->out;
    if (out->count == comparison->capacity) {
        comparison->capacity = comparison->capacity > 0 ? comparison->capacity * 2 : 64;
        out->list = realloc(out->list, comparison->capacity * sizeof *out->list);
        if (out->list == NULL) {
            abort();
        }
    }
    out->list[out->count++] =
        (CatalogDifference){kind, text_copy(object), text_copy(part), text_copy(source), text_copy(target)};
}

static void clear(CatalogDifference *difference)
{
    free(difference->object);
    free(difference->part);
    free(difference->source);
    free(difference->target);
}

void catalog_differences_free(CatalogDifferences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        clear(&differences->list[i]);
    }
    free(differences->list);
    *differences = (CatalogDifferences){0};
}

void catalog_filter(CatalogDifferences *differences, bool (*keep)(const CatalogDifference *, void *context),
                    void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < differences->count; i++) {
        if (keep(&differences->list[i], context)) {
            differences->list[kept++] = differences->list[i];
        } else {
            clear(&differences->list[i]);
        }
    }
    differences->count = kept;
}

/* Sends head, the kind's query, tail to both sides, with one parameter or none, and takes both results. */
static int ask_both(const Comparison *comparison, const CatalogQuery *kind, const char *head,
                    const char *tail, const char *parameter, PGresult *out[SIDES], Error *error)
{
    int status = 0;
    for (int i = 0; i < SIDES; i++) {
        PGconn *connection = database_connection(comparison->sides[i]);
        Text sql = {0};
        text_append(&sql, head);
        catalog_query_write(kind, database_version(comparison->sides[i]), &comparison->options, &sql);
        text_append(&sql, tail);
        int sent = parameter != NULL
                       ? PQsendQueryParams(connection, sql.data, 1, NULL, &parameter, NULL, NULL, 0)
                       : PQsendQuery(connection, sql.data);
        if (sent == 0 && status == 0) {
            status = database_error(comparison->sides[i], NULL, error);
        }
        text_free(&sql);
    }
    for (int i = 0; i < SIDES; i++) {
        Error later = {0};
        const Query query = {.sql = "", .what = "comparing the catalogs", .limits = query_within(LIMIT_MS)};
        if (query_finish(comparison->sides[i], &query, &out[i], status == 0 ? error : &later) != 0) {
            status = -1;
        }
    }
    return status;
}

/* --- views --- */

static bool begins_name(unsigned char c)
{
    return c == '_' || c == '"' || c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool goes_on(unsigned char c)
{
    return c == '$' || (c >= '0' && c <= '9') || (c != '"' && begins_name(c));
}

/* Where the name, number or literal that begins here ends; another character is one by itself. */
static const char *skip_word(const char *at)
{
    const char *from = at++;
    if (*from == '"' || *from == '\'') {
        while (*at != '\0' && (*at != *from || at[1] == *from)) {
            at += *at == *from ? 2 : 1;
        }
        return *at != '\0' ? at + 1 : at;
    }
    bool number = *from >= '0' && *from <= '9';
    while ((number || begins_name((unsigned char)*from)) &&
           (goes_on((unsigned char)*at) || (number && *at == '.'))) {
        at++;
    }
    return at;
}

/* Without what stands before a dot. */
static char *without_qualifiers(const char *text)
{
    Text out = {0};
    text_append(&out, "");
    while (*text != '\0') {
        const char *end = skip_word(text);
        if (begins_name((unsigned char)*text) && *end == '.') {
            text = end + 1;
            continue;
        }
        text_append_bytes(&out, text, (size_t)(end - text));
        text = end;
    }
    return out.data;
}

/*
 * Up to 15 a view's columns are written with their table's name, since its rule has tables of its own; from 16 on not where there
 * is but one table (ruleutils.c, get_query_def: varprefix). Between such majors the names before dots say nothing.
 */
static bool same_view(const Comparison *comparison, const char *kind, const char *part, const char *source,
                      const char *target)
{
    bool old = database_version(comparison->sides[SOURCE]) < 160000;
    if (strcmp(kind, "table") != 0 || strcmp(part, "definition") != 0 ||
        old == (database_version(comparison->sides[TARGET]) < 160000)) {
        return false;
    }
    char *left = without_qualifiers(source), *right = without_qualifiers(target);
    bool same = strcmp(left, right) == 0;
    free(left);
    free(right);
    return same;
}

/* The names of ICU's locales are made those of BCP 47 from 16 on (commands/collationcmds.c). */
static bool same_icu_locale(const Comparison *comparison, const char *part)
{
    bool old = database_version(comparison->sides[SOURCE]) < 160000;
    return strcmp(part, "ICU locale") == 0 && old != (database_version(comparison->sides[TARGET]) < 160000);
}

/* --- parts of objects that are on both sides --- */

static const char *cell(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? "" : PQgetvalue(rows, row, column);
}

static int compare_keys(const PGresult *source, int i, const PGresult *target, int j)
{
    int object = strcmp(cell(source, i, 0), cell(target, j, 0));
    return object != 0 ? object : strcmp(cell(source, i, 1), cell(target, j, 1));
}

static void compare_parts(Comparison *comparison, const char *kind, PGresult *const rows[SIDES])
{
    int counts[SIDES] = {PQntuples(rows[SOURCE]), PQntuples(rows[TARGET])};
    for (int i = 0, j = 0; i < counts[SOURCE] || j < counts[TARGET];) {
        int order = i == counts[SOURCE]   ? 1
                    : j == counts[TARGET] ? -1
                                          : compare_keys(rows[SOURCE], i, rows[TARGET], j);
        const PGresult *named = order <= 0 ? rows[SOURCE] : rows[TARGET];
        int row = order <= 0 ? i : j;
        const char *source = order <= 0 ? cell(rows[SOURCE], i, 2) : NULL;
        const char *target = order >= 0 ? cell(rows[TARGET], j, 2) : NULL;
        if (source == NULL || target == NULL ||
            (strcmp(source, target) != 0 && !same_icu_locale(comparison, cell(named, row, 1)) &&
             !same_view(comparison, kind, cell(named, row, 1), source, target))) {
            add(comparison, kind, cell(named, row, 0), cell(named, row, 1), source, target);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

/* Of a name in a query: what puts it into the same order on both sides. */
#define IN_ORDER(name) name " COLLATE \"C\""
#define IN_ORDER_OF_UTF8(name) "convert_to(" name ", 'UTF8')"

static int compare_changed(Comparison *comparison, const CatalogQuery *kind, Text *objects, Error *error)
{
    PGresult *rows[SIDES] = {NULL, NULL};
    text_array_end(objects);
    int status =
        ask_both(comparison, kind, "SELECT object, part, value FROM (",
                 comparison->one_encoding
                     ? ") q (object, part, value) WHERE object = ANY ($1::text[]) ORDER BY " IN_ORDER(
                           "object") ", " IN_ORDER("part")
                     : ") q (object, part, value) WHERE object = ANY ($1::text[]) ORDER "
                       "BY " IN_ORDER_OF_UTF8("object") ", " IN_ORDER_OF_UTF8("part"),
                 objects->data, rows, error);
    if (status == 0) {
        compare_parts(comparison, kind->kind, rows);
    }
    PQclear(rows[SOURCE]);
    PQclear(rows[TARGET]);
    return status;
}

/* --- objects --- */

/* Objects of a kind that an earlier query has found on one side only, by name. */
typedef struct Missing {
    const char **names;
    size_t count;
} Missing;

static int by_name(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static Missing missing_of(const Comparison *comparison, const char *kind)
{
    const CatalogDifferences *found = comparison->out;
    Missing missing = {.names = calloc(found->count + 1, sizeof *missing.names)};
    if (missing.names == NULL) {
        abort();
    }
    for (size_t i = 0; i < found->count; i++) {
        if (found->list[i].part == NULL && strcmp(found->list[i].kind, kind) == 0) {
            missing.names[missing.count++] = found->list[i].object;
        }
    }
    qsort(missing.names, missing.count, sizeof *missing.names, by_name);
    return missing;
}

static bool is_missing(const Missing *missing, const char *object)
{
    return bsearch(&object, missing->names, missing->count, sizeof *missing->names, by_name) != NULL;
}

/* Notes what is on one side only; those with two hashes go into changed. Of parts none says whether the object is there. */
static void compare_objects(Comparison *comparison, const char *kind, bool parts, PGresult *const rows[SIDES],
                            Text *changed)
{
    int counts[SIDES] = {PQntuples(rows[SOURCE]), PQntuples(rows[TARGET])};
    Missing missing = parts ? missing_of(comparison, kind) : (Missing){0};
    for (int i = 0, j = 0; i < counts[SOURCE] || j < counts[TARGET]; comparison->out->objects++) {
        int order = i == counts[SOURCE]   ? 1
                    : j == counts[TARGET] ? -1
                                          : strcmp(cell(rows[SOURCE], i, 0), cell(rows[TARGET], j, 0));
        const char *object = order <= 0 ? cell(rows[SOURCE], i, 0) : cell(rows[TARGET], j, 0);
        if (order != 0 && parts) {
            if (!is_missing(&missing, object)) {
                text_array_add(changed, object);
            }
        } else if (order < 0) {
            add(comparison, kind, object, NULL, "there", NULL);
        } else if (order > 0) {
            add(comparison, kind, object, NULL, NULL, "there");
        } else if (strcmp(cell(rows[SOURCE], i, 1), cell(rows[TARGET], j, 1)) != 0) {
            text_array_add(changed, object);
        }
        i += order <= 0;
        j += order >= 0;
    }
    free(missing.names);
}

/* What stands behind a kind's query: of all its objects, or of one slice. */
static void write_tail(const Comparison *comparison, int slice, int slices, Text *out)
{
    text_append(out, ") q (object, part, value)");
    if (slices > 1) {
        text_printf(out, " WHERE (hashtext(object COLLATE \"C\") & 2147483647) %% %d = %d", slices, slice);
    }
    text_append(out, comparison->one_encoding ? " GROUP BY object ORDER BY " IN_ORDER("object")
                                              : " GROUP BY object ORDER BY " IN_ORDER_OF_UTF8("object"));
}

static int compare_slice(Comparison *comparison, const CatalogQuery *kind, bool parts, int slice, int slices,
                         Error *error)
{
    PGresult *rows[SIDES] = {NULL, NULL};
    Text changed = {0}, tail = {0};
    write_tail(comparison, slice, slices, &tail);
    int status =
        ask_both(comparison, kind,
                 comparison->one_encoding
                     ? "SELECT object, md5(string_agg(concat(part, '=', value), chr(10) ORDER BY " IN_ORDER(
                           "part") ")) FROM ("
                     : "SELECT object, md5(convert_to(string_agg(concat(part, '=', value), chr(10) ORDER "
                       "BY " IN_ORDER_OF_UTF8("part") "), 'UTF8')) FROM (",
                 tail.data, NULL, rows, error);
    if (status == 0) {
        compare_objects(comparison, kind->kind, parts, rows, &changed);
    }
    PQclear(rows[SOURCE]);
    PQclear(rows[TARGET]);
    if (status == 0 && changed.size > 0) {
        status = compare_changed(comparison, kind, &changed, error);
    }
    text_free(&changed);
    text_free(&tail);
    return status;
}

static int renew(Comparison *comparison, Error *error)
{
    const CatalogSessions *sessions = comparison->options.sessions;
    return sessions->renew(sessions->context, &comparison->sides[SOURCE], &comparison->sides[TARGET], error);
}

static int compare_kind(Comparison *comparison, const CatalogQuery *kind, bool parts, Error *error)
{
    static const char *const many[] = {"table", "index", "constraint"};
    int slices = 1;
    for (size_t i = 0; !parts && i < sizeof many / sizeof *many; i++) {
        slices = strcmp(kind->kind, many[i]) == 0 ? comparison->slices : slices;
    }
    for (int slice = 0; slice < slices; slice++) {
        if ((slices > 1 && renew(comparison, error) != 0) ||
            compare_slice(comparison, kind, parts, slice, slices, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Where names have other bytes on either side, so have their hashes. */
static int choose_slices(Comparison *comparison, Error *error)
{
    char *count = NULL;
    comparison->slices = 1;
    if (comparison->options.sessions == NULL) {
        return 0;
    }
    if (renew(comparison, error) != 0 ||
        database_value(comparison->sides[SOURCE], &count, error,
                       "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'i', 'I')"
                       " AND relnamespace <> 'pg_toast'::regnamespace",
                       0) != 0) {
        return -1;
    }
    if (comparison->one_encoding && count != NULL) {
        comparison->slices = 1 + number_int(count) / SLICE;
    }
    free(count);
    return 0;
}

static bool same_encoding(Database *one, Database *other)
{
    const char *left = PQparameterStatus(database_connection(one), "server_encoding");
    const char *right = PQparameterStatus(database_connection(other), "server_encoding");
    return left != NULL && right != NULL && strcmp(left, right) == 0;
}

static bool is_superuser(Database *database)
{
    const char *superuser = PQparameterStatus(database_connection(database), "is_superuser");
    return superuser != NULL && strcmp(superuser, "on") == 0;
}

static int compare_kinds(Comparison *comparison, const CatalogQueries *queries, Error *error)
{
    for (size_t i = 0; i < queries->count; i++) {
        if (compare_kind(comparison, &queries->list[i], queries->parts, error) != 0) {
            return error_context(error, "comparing the definitions of each %s", queries->list[i].kind);
        }
    }
    return 0;
}

int catalog_compare(Database *source, Database *target, const CatalogOptions *options,
                    CatalogDifferences *out, Error *error)
{
    Comparison comparison = {.sides = {source, target},
                             .options = *options,
                             .one_encoding = same_encoding(source, target),
                             .out = out};
    *out = (CatalogDifferences){0};
    int here = database_version(source), there = database_version(target);
    comparison.options.secrets = is_superuser(source) && is_superuser(target);
    comparison.options.oldest = here < there ? here : there;
    int status = choose_slices(&comparison, error) == 0 &&
                         compare_kinds(&comparison, &catalog_queries, error) == 0 &&
                         compare_kinds(&comparison, &catalog_part_queries, error) == 0
                     ? compare_kinds(&comparison, &catalog_other_queries, error)
                     : -1;
    if (status != 0) {
        catalog_differences_free(out);
    }
    return status;
}
