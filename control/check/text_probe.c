/*
 * What text is searched and sorted by lies in files of the servers' machines: dictionaries, and the rules of collations. The
 * servers are asked for both, and the answers compared.
 */
#include "check.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Dictionaries of users, and the files that their options name. */
#define FILES                                                                                                \
    "SELECT format('%I.%I', n.nspname, d.dictname) AS dictionary, concat(o.option[2], CASE "                 \
    "lower(o.option[1]) WHEN 'dictfile' THEN CASE WHEN t.tmplname = 'thesaurus' THEN '.ths' ELSE '.dict' "   \
    "END WHEN 'afffile' THEN '.affix' WHEN 'stopwords' THEN '.stop' WHEN 'synonyms' THEN '.syn' ELSE "       \
    "'.rules' END) AS file FROM pg_ts_dict d JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN "          \
    "pg_namespace n ON n.oid = d.dictnamespace, regexp_matches(d.dictinitoption, '(\\w+) = ''([^'']+)''', "  \
    "'g') AS o (option) WHERE d.oid >= 16384 AND NOT " IN_EXTENSION(                                         \
        "pg_ts_dict",                                                                                        \
        "d.oid") " AND "                                                                                     \
                 "lower(o.option[1]) IN ('dictfile', 'afffile', 'stopwords', 'synonyms', 'rules')"

#define DIGEST                                                                                               \
    "md5(pg_read_binary_file(concat((SELECT setting FROM pg_config WHERE name = 'SHAREDIR'), "               \
    "'/tsearch_data/', file), 0, 1000000000, true))"

static int compare_files(CheckContext *context, const char *there, json_t *findings, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(context->target, &rows, error,
                       "SELECT dictionary, format('file %s %s', file, CASE WHEN here IS NULL THEN 'is not on "
                       "the target' ELSE 'is another one on the target' END) FROM (SELECT dictionary, file, "
                       "md5, " DIGEST " AS here FROM json_to_recordset($1::json) AS f (dictionary text, file "
                       "text, md5 text)) q WHERE here IS DISTINCT FROM md5 ORDER BY 1, 2",
                       1, there) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        finding_add(findings, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), NULL);
    }
    PQclear(rows);
    return 0;
}

/* Only superusers read the servers' files. */
int probe_dictionaries(CheckContext *context, json_t *findings, Error *error)
{
    bool source_super = false, target_super = false, some = false;
    char *there = NULL;
    if (database_found(context->source, &some, error, FILES " LIMIT 1", 0) != 0 ||
        database_is_superuser(context->source, &source_super, error) != 0 ||
        database_is_superuser(context->target, &target_super, error) != 0) {
        return -1;
    }
    if (!some) {
        return 0;
    }
    if (!source_super || !target_super) {
        return check_skip(error, "it takes superusers of both sides to compare files");
    }
    if (database_value(
            context->source, &there, error,
            "SELECT json_agg(json_build_object('dictionary', dictionary, 'file', file, 'md5', " DIGEST
            ")) FROM (" FILES ") f",
            0) != 0) {
        return -1;
    }
    int status = compare_files(context, there, findings, error);
    free(there);
    return status;
}

/* --- collations --- */

#define MOST_COLLATIONS "50"

/*
 * Those in use by columns and indexes, besides the database's own (100), C and POSIX. A user's own may be named like one of the
 * system's, and be another: it goes by its locale alone.
 */
static const char collations_sql[] =
    "SELECT format('%I.%I', n.nspname, k.collname), CASE WHEN n.nspname = 'pg_catalog' THEN k.collname END, "
    "k.collprovider, k.collcollate FROM "
    "pg_collation k JOIN pg_namespace n ON n.oid = k.collnamespace WHERE k.collprovider IN ('c', 'i') AND "
    "k.oid NOT IN (100, 950, 951) AND k.oid IN (SELECT a.attcollation FROM pg_attribute a WHERE a.attrelid "
    ">= "
    "16384 UNION SELECT unnest(i.indcollation) FROM pg_index i WHERE i.indexrelid >= 16384) ORDER BY 1 "
    "LIMIT " MOST_COLLATIONS;

/* The words in the order of a collation; NULL where the server cannot say. */
static char *sort_by(Database *database, const char *collation)
{
    char *sql = NULL, *sorted = NULL;
    Error refused;
    /* The words have a % among them. */
    if (asprintf(&sql, "%s%s%s", "SELECT string_agg(w, ' < ' ORDER BY w COLLATE ", collation,
                 ", w COLLATE \"C\") FROM unnest(ARRAY[" SORTED_WORDS "]) w") < 0) {
        return NULL;
    }
    int status = database_value(database, &sorted, &refused, sql, 0);
    free(sql);
    return status == 0 ? sorted : NULL;
}

/* What the target calls it: by its name, or, for a user's, which is not there before the copy, by its locale. */
static int find_on_target(Database *target, PGresult *all, int row, char **out, Error *error)
{
    return database_value(
        target, out, error,
        "SELECT format('%I.%I', n.nspname, k.collname) FROM pg_collation k JOIN pg_namespace n ON n.oid = "
        "k.collnamespace WHERE k.collprovider::text = $2 AND n.nspname = 'pg_catalog' AND k.collname::text "
        "IN "
        "($1::text, $3::text, concat($3::text, '-x-icu')) AND k.collencoding IN (-1, (SELECT encoding FROM "
        "pg_database WHERE datname = current_database())) ORDER BY k.collname::text = $1::text DESC NULLS "
        "LAST, "
        "k.collname LIMIT 1",
        3, PQgetisnull(all, row, 1) ? NULL : PQgetvalue(all, row, 1), PQgetvalue(all, row, 2),
        PQgetvalue(all, row, 3));
}

static int compare_order(CheckContext *context, PGresult *all, int row, json_t *findings, Error *error)
{
    char *name = NULL, *detail = NULL;
    if (find_on_target(context->target, all, row, &name, error) != 0) {
        return -1;
    }
    char *there = name != NULL ? sort_by(context->source, PQgetvalue(all, row, 0)) : NULL;
    char *here = name != NULL ? sort_by(context->target, name) : NULL;
    if (here != NULL && there != NULL && strcmp(here, there) != 0 &&
        asprintf(&detail, "source %s; target %s", there, here) > 0) {
        finding_add(findings, PQgetvalue(all, row, 0), detail, NULL);
        free(detail);
    }
    free(here);
    free(there);
    free(name);
    return 0;
}

int probe_collations(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *all = NULL;
    if (database_query(context->source, &all, error, collations_sql, 0) != 0) {
        return -1;
    }
    int status = 0;
    for (int i = 0; status == 0 && i < PQntuples(all); i++) {
        status = compare_order(context, all, i, findings, error);
    }
    PQclear(all);
    return status;
}
