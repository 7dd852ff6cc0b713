/*
 * The copy writes down what it left out (penstock.schema_object) by kind, schema and name as pg_dump has them, names not
 * quoted; differences have their names in the same form.
 */
#include "drift.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* An object that the copy left out, or made NOT VALID. */
typedef struct Chosen {
    const char *name;
    const char *kind; /* pg_dump's */
} Chosen;

static int by_name(const void *name, const void *row)
{
    return strcmp(name, ((const Chosen *)row)->name);
}

static int by_names(const void *one, const void *other)
{
    return strcmp(((const Chosen *)one)->name, ((const Chosen *)other)->name);
}

typedef struct Names {
    Chosen *sorted;
    size_t count;
} Names;

/* A constraint that was made NOT VALID differs in that alone. */
static bool differs_in_validity(const CatalogDifference *difference)
{
    static const char suffix[] = " NOT VALID";
    if (difference->part == NULL || difference->source == NULL || difference->target == NULL) {
        return false;
    }
    size_t size = strlen(difference->source);
    return strncmp(difference->source, difference->target, size) == 0 &&
           strcmp(difference->target + size, suffix) == 0;
}

/* Triggers and rules that would act on what the stream brings are disabled on the target until the cutover. */
static bool is_silenced(const CatalogDifference *difference)
{
    return difference->part != NULL && strcmp(difference->part, "enabled") == 0 &&
           difference->source != NULL && difference->target != NULL &&
           strcmp(difference->target, "no") == 0 &&
           (strcmp(difference->source, "ALWAYS") == 0 || strcmp(difference->source, "REPLICA") == 0);
}

static bool begins(const char *text, const char *start)
{
    return text != NULL && strncmp(text, start, strlen(start)) == 0;
}

/* A locale is spelt in another way on another system: de_DE.UTF-8, de_DE.utf8. */
static bool same_locale(const char *one, const char *other)
{
    while (*one != '\0' || *other != '\0') {
        one += *one == '-';
        other += *other == '-';
        if (tolower((unsigned char)*one) != tolower((unsigned char)*other)) {
            return false;
        }
        one += *one != '\0';
        other += *other != '\0';
    }
    return true;
}

/* As the preflight sees settings of the servers, too (unlike.c). */
static bool means_the_same(const CatalogDifference *difference)
{
    const char *name = difference->part != NULL ? strrchr(difference->part, ' ') : NULL;
    return begins(difference->part, "setting ") && begins(name, " lc_") && difference->source != NULL &&
           difference->target != NULL && same_locale(difference->source, difference->target);
}

/* What the target's database is set to beside what the source's is, is its operator's choice. */
static bool is_setting_of_target(const CatalogDifference *difference)
{
    return difference->part != NULL && strncmp(difference->part, "setting ", strlen("setting ")) == 0 &&
           difference->source == NULL;
}

/* In the place of the kind of a dump's entry: the rows of a materialized view stay behind. */
#define ROWS_LEFT "rows left behind"

/* Some entries of a dump have the name of what they are about, and are a part of it: leaving one out says nothing of the rest. */
static bool explains(const Chosen *chosen, const CatalogDifference *difference)
{
    if (strcmp(chosen->kind, ROWS_LEFT) == 0) {
        return begins(difference->part, "has rows");
    }
    if (difference->target != NULL) {
        return differs_in_validity(difference);
    }
    if (strcmp(chosen->kind, "TABLE ATTACH") == 0) {
        return begins(difference->part, "partition of ");
    }
    if (strcmp(chosen->kind, "INDEX ATTACH") == 0) {
        return begins(difference->part, "part of");
    }
    if (strcmp(chosen->kind, "SEQUENCE OWNED BY") == 0) {
        return begins(difference->part, "owned by");
    }
    return true;
}

static bool is_left(const CatalogDifference *difference, void *context)
{
    const Names *names = context;
    const Chosen *end = names->sorted + names->count;
    const Chosen *found =
        bsearch(difference->object, names->sorted, names->count, sizeof *names->sorted, by_name);
    if (is_silenced(difference) || is_setting_of_target(difference) || means_the_same(difference)) {
        return false;
    }
    while (found != NULL && found > names->sorted && strcmp(found[-1].name, difference->object) == 0) {
        found--;
    }
    for (; found != NULL && found < end && strcmp(found->name, difference->object) == 0; found++) {
        if (explains(found, difference)) {
            return false;
        }
    }
    return true;
}

static int take_chosen(Database *target, const char *migration, CatalogDifferences *differences, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(target, &rows, error,
                       "SELECT concat(CASE WHEN schema_name NOT IN ('-', '') THEN concat(schema_name, '.') "
                       "END, object_name), kind"
                       "  FROM penstock.schema_object WHERE migration = $1"
                       "   AND (state = 'left out' OR state = 'made' AND words = 'NOT VALID')"
                       " UNION ALL SELECT concat(schema_name, '.', relation_name), '" ROWS_LEFT "'"
                       "  FROM penstock.left_behind WHERE migration = $1 AND extent = 'rows'",
                       1, migration) != 0) {
        return -1;
    }
    Names names = {.count = (size_t)PQntuples(rows)};
    names.sorted = calloc(names.count + 1, sizeof *names.sorted);
    if (names.sorted == NULL) {
        abort();
    }
    for (size_t i = 0; i < names.count; i++) {
        names.sorted[i] = (Chosen){PQgetvalue(rows, (int)i, 0), PQgetvalue(rows, (int)i, 1)};
    }
    qsort(names.sorted, names.count, sizeof *names.sorted, by_names);
    catalog_filter(differences, is_left, &names);
    free(names.sorted);
    PQclear(rows);
    return 0;
}

static bool travels(const CatalogDifference *difference, void *context)
{
    (void)context;
    return strcmp(difference->kind, "publication") != 0;
}

int drift_find(Database *source, Database *target, const char *migration, DriftExtent extent,
               const CatalogSessions *sessions, CatalogDifferences *out, Error *error)
{
    PGresult *row = NULL;
    *out = (CatalogDifferences){0};
    if (database_query(target, &row, error, "SELECT owners, grants FROM penstock.migration WHERE name = $1",
                       1, migration) != 0) {
        return -1;
    }
    const CatalogOptions options = {.owners = PQntuples(row) == 0 || PQgetvalue(row, 0, 0)[0] == 't',
                                    .grants = PQntuples(row) == 0 || PQgetvalue(row, 0, 1)[0] == 't',
                                    .sessions = sessions};
    PQclear(row);
    if (catalog_compare(source, target, &options, out, error) != 0) {
        return -1;
    }
    if (take_chosen(target, migration, out, error) != 0) {
        catalog_differences_free(out);
        return -1;
    }
    if (extent == DRIFT_OF_WHAT_TRAVELS) {
        catalog_filter(out, travels, NULL);
    }
    return 0;
}

/* A definition may be long, and its difference is seen best with both whole: cut only what no line can hold. */
#define SHOWN 300

void drift_describe(const CatalogDifference *difference, Text *out)
{
    text_printf(out, "%s %s", difference->kind, difference->object);
    if (difference->part == NULL) {
        text_append(out,
                    difference->target == NULL ? " is missing on the target" : " is on the target alone");
    } else if (difference->target == NULL) {
        text_printf(out, ": %s (%.*s) is missing on the target", difference->part, SHOWN, difference->source);
    } else if (difference->source == NULL) {
        text_printf(out, ": %s (%.*s) is on the target alone", difference->part, SHOWN, difference->target);
    } else {
        text_printf(out, ": %s is \"%.*s\" at the source, \"%.*s\" on the target", difference->part, SHOWN,
                    difference->source, SHOWN, difference->target);
    }
}
