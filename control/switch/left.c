/*
 * Named are the largest first: what people look for is whether something of weight is among them. The list as a whole is
 * penstock.left_behind.
 */
#include "left.h"

#include <stdlib.h>

#include "large.h"
#include "left_behind.h"

/* "1 relation", "2 relations". */
#define COUNTED(what) "format('%s " what "%s', count(*), CASE WHEN count(*) <> 1 THEN 's' END)"

/* A sentence of each kind, or NULL; $1: the migration. */
static const char *const sentences[] = {
    "WITH l AS (SELECT * FROM penstock.left_behind WHERE migration = $1 AND extent = 'all' AND kind <> 'S')"
    " SELECT format('%s of the source left behind: %s%s', (SELECT " COUNTED(
        "relation") " FROM l),"
                    "     (SELECT string_agg(format('%s.%s (%s)', schema_name, relation_name, reason), ', ' "
                    "ORDER BY "
                    "schema_name,"
                    "        relation_name) FROM (SELECT * FROM l ORDER BY schema_name, relation_name LIMIT "
                    "20) x),"
                    "     CASE WHEN (SELECT count(*) FROM l) > 20 THEN ', ...' END) WHERE EXISTS (SELECT "
                    "FROM l)",
    "WITH l AS (SELECT * FROM penstock.left_behind WHERE migration = $1 AND extent = 'rows')"
    " SELECT format('the rows of %s are left behind, empty on the target: %s%s',"
    "     (SELECT " COUNTED(
        "relation") " FROM l), (SELECT string_agg(format('%s.%s (%s)', schema_name, relation_name, "
                    "reason), ', '"
                    "        ORDER BY schema_name, relation_name) FROM (SELECT * FROM l ORDER BY "
                    "schema_name, relation_name "
                    "LIMIT 20) "
                    "x), CASE WHEN (SELECT count(*) FROM l) > 20 THEN ', ...' END) WHERE EXISTS (SELECT FROM "
                    "l)",
    "WITH k AS (SELECT object_name FROM penstock.schema_object WHERE migration = $1 AND kind = 'FK "
    "CONSTRAINT'"
    "     AND (not_valid IS NOT NULL OR state = 'left out' AND (starts_with(words, 'needs ')"
    "          OR starts_with(words, 'points to '))))"
    " SELECT format('%s to what is left behind, left out or not checked: %s%s',"
    "     (SELECT " COUNTED(
        "foreign key") " FROM k), (SELECT string_agg(object_name, ', ' ORDER BY object_name)"
                       "        FROM (SELECT * FROM k ORDER BY 1 LIMIT 20) x), CASE WHEN (SELECT count(*) "
                       "FROM k) > 20 THEN ', "
                       "...' END)"
                       "  WHERE EXISTS (SELECT FROM k)",
};

#define COUNT (sizeof sentences / sizeof *sentences)

/* Those of a migration that was begun without them. */
static int large_sentence(Cutover *cutover, char **out, Error *error)
{
    LargeKnown known;
    if (large_load(cutover->target, cutover->migration.name, &known, error) != 0) {
        return -1;
    }
    return known.known ? 0
                       : database_value(
                             cutover->source, out, error,
                             "SELECT format('%s of the source left behind (--skip-large-objects)',"
                             " " COUNTED("large object") ") FROM pg_largeobject_metadata HAVING count(*) > 0",
                             0);
}

static int refuse(const char *first, Error *error)
{
    error_set(error, ERROR_STATE, "not everything is moved: %.700s", first);
    return error_hint(
        error,
        "As --only, --exclude and --schema-only of the first copy said: after the switch applications do "
        "not find it. If that is meant: --accept-left-behind. penstock.left_behind has the whole list.");
}

int left_check(Cutover *cutover, Error *error)
{
    int status = left_behind_renew(cutover->source, cutover->target, cutover->migration.name, error);
    char *first = NULL;
    for (size_t i = 0; status == 0 && i <= COUNT; i++) {
        char *sentence = NULL;
        status = i < COUNT ? database_value(cutover->target, &sentence, error, sentences[i], 1,
                                            cutover->migration.name)
                           : large_sentence(cutover, &sentence, error);
        if (sentence != NULL) {
            cutover_warn(cutover, "%s", sentence);
        }
        if (first == NULL) {
            first = sentence;
        } else {
            free(sentence);
        }
    }
    if (status == 0 && first != NULL && !cutover->options->accept_left_behind) {
        status = refuse(first, error);
    }
    free(first);
    return status;
}
