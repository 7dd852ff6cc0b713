/*
 * Checks that the target database is a place where the source's rows mean the same.
 */
#include "check.h"

/* What it is, and what it would have to be: $1 has the source's. One that is there keeps its rows, under another name. */
#define GATHER_DATABASE                                                                                      \
    "SELECT json_build_object('encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', "   \
    "datctype) FROM pg_database WHERE datname = current_database()"

#define OTHER_ENCODING                                                                                       \
    "(pg_encoding_to_char(encoding) <> $1::json ->> 'encoding' AND (pg_encoding_to_char(encoding) <> "       \
    "'UTF8' OR $1::json ->> 'encoding' = 'SQL_ASCII'))"

#define MADE_ANEW                                                                                            \
    "format('ALTER DATABASE %I RENAME TO %I; CREATE DATABASE %I ENCODING %L LC_COLLATE %L LC_CTYPE %L "      \
    "TEMPLATE template0', datname, concat(left(datname, 59), '_old'), datname, CASE WHEN " OTHER_ENCODING    \
    " THEN $1::json ->> 'encoding' ELSE pg_encoding_to_char(encoding) END, $1::json ->> 'collate', "         \
    "$1::json ->> 'ctype')"

static const CheckRow rows[] = {
    {.id = "same-database",
     .title = "Source and target as two databases",
     .of_database = true,
     .severity = CHECK_PROBLEM,
     .function = probe_same_database,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "Name the database that everything is moved to as --target."},
    {.id = "target-empty",
     .title = "Other tables in the target database",
     .of_database = true,
     .severity = CHECK_PROBLEM,
     .function = probe_target_empty,
     .needs = NEEDS_TARGET,
     .advice = "Name another database, or drop what is in the way."},
    {.id = CHECK_TRIAL,
     .title = "The schema, made without rows in a database of its own on the target",
     .severity = CHECK_PROBLEM,
     .function = probe_trial,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "Make each object possible, on the target or at the source. Objects other than tables may "
               "also be left for later: the copy goes on without them, names them, and tries them again when "
               "it is run again."},
    {.id = "drift",
     .title = "Definitions that differ from the source's, of a migration that runs",
     .of_database = true,
     .severity = CHECK_PROBLEM,
     .function = probe_drift,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "Where DDL is captured, the change may be on its way. Otherwise make the target like the "
               "source; the cutover refuses to begin before that."},
    {.id = "encoding",
     .title = "Encoding of both databases",
     .of_database = true,
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather = GATHER_DATABASE,
     .sql = "SELECT format('database %I', datname), format('%s on the target, %s at the source', "
            "pg_encoding_to_char(encoding), $1::json ->> 'encoding'), " MADE_ANEW
            " FROM pg_database WHERE datname = current_database() AND " OTHER_ENCODING,
     .advice = "Create the target database again, from another one, with the source's encoding or, unless "
               "that is SQL_ASCII, with UTF8, which can hold any text."},
    {.id = "locale",
     .title = "LC_COLLATE and LC_CTYPE of both databases",
     .of_database = true,
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .gather = GATHER_DATABASE,
     /* Where the encoding is another one, too, the statement for that does both. */
     .sql =
         "SELECT format('database %I', datname), format('%s and %s on the target, %s and %s at the source', "
         "datcollate, datctype, $1::json ->> 'collate', $1::json ->> 'ctype'), CASE WHEN NOT "
         "" OTHER_ENCODING " THEN " MADE_ANEW " END FROM pg_database WHERE datname = current_database() "
         "AND (datcollate, datctype)::text IS DISTINCT FROM ($1::json ->> 'collate', $1::json ->> "
         "'ctype')::text",
     .advice = "Text would be sorted, and upper and lower case compared, differently from before."},
    {.id = "money",
     .title = "Columns of money, whose meaning is lc_monetary's",
     .severity = CHECK_PROBLEM,
     .function = probe_money,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "Amounts are stored as whole numbers of the smallest unit: the same number would be a "
               "different amount."},
    {.id = "collations",
     .title = "Collations in use that the target lacks",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather = "SELECT coalesce(json_agg(collname), '[]') FROM pg_collation WHERE oid < 16384 "
               "AND oid IN (SELECT attcollation FROM pg_attribute WHERE attrelid >= 16384)",
     .sql = "SELECT format('collation %I', name), NULL, NULL FROM json_array_elements_text($1::json) name "
            "WHERE NOT EXISTS (SELECT FROM pg_collation WHERE collname = name) ORDER BY name",
     .advice = "Install the locale on the target's machine and run pg_import_system_collations there."},
};

const CheckGroup check_target_rows = {"Target database", rows, sizeof rows / sizeof rows[0]};
