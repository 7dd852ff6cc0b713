/*
 * One row for each kind of difference: whom to ask, and what. $1 is the object's name and $2 its part's, as the comparison
 * gives them; sessions have the search_path pg_catalog, so that every other name comes with its schema.
 */
#include "mend.h"

#include <stdlib.h>
#include <string.h>

#include "queries.h"

typedef enum Case { MISSING, EXTRA, DIFFERS } Case; /* on the target */

typedef struct Row {
    const char *kind;
    const char *part; /* the words that it begins with; NULL: the object as a whole */
    Case is;
    bool ask_target;
    const char *sql;
} Row;

#define RELATION                                                                                             \
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE concat(n.nspname, '.', "           \
    "c.relname) = $1"
/* An index of a constraint is mended with that. */
#define INDEX RELATION " AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)"
#define OF_TABLE(catalog, table, name)                                                                       \
    " FROM " catalog " o JOIN pg_class c ON c.oid = o." table                                                \
    " JOIN pg_namespace n ON n.oid = c.relnamespace "                                                        \
    "WHERE concat(n.nspname, '.', c.relname, ' ', o." name ") = $1"
#define CONSTRAINT OF_TABLE("pg_constraint", "conrelid", "conname")
/* A key of a partition that is like its parent's is to be a part of that: its index says so, and nothing is dropped. */
#define NOT_OF_PARENT                                                                                        \
    " AND NOT EXISTS (SELECT FROM pg_inherits h JOIN pg_constraint p ON p.conrelid = h.inhparent AND "       \
    "p.contype = o.contype AND pg_get_constraintdef(p.oid) = pg_get_constraintdef(o.oid) WHERE h.inhrelid "  \
    "= o.conrelid AND o.contype IN ('p', 'u'))"
#define TRIGGER OF_TABLE("pg_trigger", "tgrelid", "tgname")
#define RULE OF_TABLE("pg_rewrite", "ev_class", "rulename")
#define FUNCTION                                                                                             \
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE concat(n.nspname, '.', p.proname, " \
    "'(', " ARGUMENTS("pg_get_function_identity_arguments(p.oid)",                                           \
                      "p.prokind") ", ')') = $1 AND p.prokind IN ('f', 'p', 'w')"
#define COLUMN                                                                                               \
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = "    \
    "c.oid "                                                                                                 \
    "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE concat(n.nspname, '.', "  \
    "c.relname) = $1 "                                                                                       \
    "AND a.attname = $2 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')"
/* $2 is "NAME", or "ROLE NAME", as queries.c puts it together; lists of names are stored as they were written. */
#define SETTING                                                                                              \
    "SELECT format('ALTER %s SET %s TO %s', CASE WHEN r.oid IS NULL THEN 'DATABASE @database@' ELSE "        \
    "format('ROLE %I IN DATABASE @database@', r.rolname) END, split_part(c.setting, '=', 1), CASE WHEN "     \
    "v.value = '' THEN quote_literal('') WHEN c.setting ~ "                                                  \
    "'^(search_path|[a-z_]*(libraries|tablespaces)|unix_socket_directories)=' THEN v.value ELSE "            \
    "quote_literal(v.value) END) FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, "      \
    "unnest(s.setconfig) AS c (setting), LATERAL (SELECT substr(c.setting, strpos(c.setting, '=') + 1)) AS " \
    "v (value) WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND "  \
    "$1 = '(the database)' AND concat(r.rolname, CASE WHEN r.oid IS NOT NULL THEN ' ' END, "                 \
    "split_part(c.setting, '=', 1)) = $2"

#define DATABASE_COMMENT                                                                                     \
    "SELECT format('COMMENT ON DATABASE @database@ IS %L', shobj_description(oid, 'pg_database')) FROM "     \
    "pg_database WHERE datname = current_database() AND $1 = '(the database)'"

#define DEFINED_FUNCTION "SELECT rtrim(pg_get_functiondef(p.oid), chr(10))" FUNCTION
#define TABLE_COMMENT                                                                                        \
    "SELECT format('COMMENT ON %s %I.%I IS %L', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN "          \
    "'MATERIALIZED VIEW' ELSE 'TABLE' END, n.nspname, c.relname, obj_description(c.oid, "                    \
    "'pg_class'))" RELATION

/* One of a constraint comes with that, but for a partition's, whose constraint comes from its parent. */
#define MISSING_INDEX                                                                                        \
    "SELECT CASE WHEN k.oid IS NULL THEN pg_get_indexdef(c.oid) WHEN h.inhparent IS NOT NULL THEN "          \
    "format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s; ALTER INDEX %I.%I ATTACH PARTITION %I.%I', "            \
    "tn.nspname, "                                                                                           \
    "t.relname, k.conname, pg_get_constraintdef(k.oid), pn.nspname, p.relname, n.nspname, c.relname) END "   \
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid " \
    "JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace "                 \
    "LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', "    \
    "'x') "                                                                                                  \
    "LEFT JOIN pg_inherits h ON h.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = h.inhparent "             \
    "LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE concat(n.nspname, '.', c.relname) = $1"

static const Row rows[] = {
    {"index", NULL, MISSING, false, MISSING_INDEX},
    {"index", "part of", MISSING, false,
     "SELECT format('ALTER INDEX %I.%I ATTACH PARTITION %I.%I', pn.nspname, p.relname, n.nspname, c.relname) "
     "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_inherits h ON h.inhrelid = c.oid "
     "JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace "
     "WHERE concat(n.nspname, '.', c.relname) = $1"},
    {"index", NULL, EXTRA, true, "SELECT format('DROP INDEX %I.%I', n.nspname, c.relname)" INDEX},
    {"index", "definition", DIFFERS, false,
     "SELECT format('DROP INDEX %I.%I; %s', n.nspname, c.relname, pg_get_indexdef(c.oid))" INDEX},
    {"constraint", NULL, MISSING, false,
     "SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, o.conname, "
     "pg_get_constraintdef(o.oid))" CONSTRAINT},
    {"constraint", NULL, EXTRA, true,
     "SELECT format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, o.conname)" CONSTRAINT
         NOT_OF_PARENT},
    {"constraint", "definition", DIFFERS, false,
     "SELECT format('ALTER TABLE %1$I.%2$I DROP CONSTRAINT %3$I, ADD CONSTRAINT %3$I %4$s', n.nspname, "
     "c.relname, o.conname, "
     "pg_get_constraintdef(o.oid))" CONSTRAINT},
    {"trigger", NULL, MISSING, false, "SELECT pg_get_triggerdef(o.oid)" TRIGGER},
    {"trigger", NULL, EXTRA, true,
     "SELECT format('DROP TRIGGER %I ON %I.%I', o.tgname, n.nspname, c.relname)" TRIGGER},
    {"trigger", "definition", DIFFERS, false,
     "SELECT format('DROP TRIGGER %I ON %I.%I; %s', o.tgname, n.nspname, c.relname, "
     "pg_get_triggerdef(o.oid))" TRIGGER},
    {"trigger", "enabled", DIFFERS, false,
     "SELECT format('ALTER TABLE %I.%I %s TRIGGER %I', n.nspname, c.relname, CASE o.tgenabled WHEN 'O' THEN "
     "'ENABLE' WHEN 'D' THEN "
     "'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, o.tgname)" TRIGGER},
    {"rule", NULL, MISSING, false, "SELECT rtrim(pg_get_ruledef(o.oid), ';')" RULE},
    {"rule", NULL, EXTRA, true,
     "SELECT format('DROP RULE %I ON %I.%I', o.rulename, n.nspname, c.relname)" RULE},
    {"function", NULL, MISSING, false, DEFINED_FUNCTION},
    {"function", NULL, EXTRA, true, "SELECT format('DROP ROUTINE %s', p.oid::regprocedure)" FUNCTION},
    {"function", "definition", DIFFERS, false, DEFINED_FUNCTION},
    {"function", "body", DIFFERS, false, DEFINED_FUNCTION},
    {"table", "column ", MISSING, false,
     "SELECT format('ALTER TABLE %I.%I ADD COLUMN %I %s%s%s', n.nspname, c.relname, a.attname, "
     "format_type(a.atttypid, "
     "a.atttypmod), CASE WHEN d.oid IS NOT NULL THEN concat(' DEFAULT ', pg_get_expr(d.adbin, d.adrelid)) "
     "END, CASE WHEN a.attnotnull THEN ' NOT "
     "NULL' END)" COLUMN},
    {"table", "column ", EXTRA, true,
     "SELECT format('ALTER TABLE %I.%I DROP COLUMN %I', n.nspname, c.relname, a.attname)" COLUMN},
    {"table", "column ", DIFFERS, false,
     "SELECT format('ALTER TABLE %1$I.%2$I ALTER %3$I TYPE %4$s, ALTER %3$I %5$s NOT NULL, ALTER %3$I %6$s', "
     "n.nspname, c.relname, "
     "a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'SET' ELSE 'DROP' END, "
     "CASE WHEN d.oid IS NULL "
     "THEN 'DROP DEFAULT' ELSE concat('SET DEFAULT ', pg_get_expr(d.adbin, d.adrelid)) END)" COLUMN},
    {"table", "definition", DIFFERS, false,
     "SELECT format('CREATE OR REPLACE VIEW %I.%I AS %s', n.nspname, c.relname, rtrim(pg_get_viewdef(c.oid), "
     "';'))" RELATION " AND c.relkind = 'v'"},
    {"table", "replica identity", DIFFERS, false,
     "SELECT format('ALTER TABLE %I.%I REPLICA IDENTITY %s', n.nspname, c.relname, CASE c.relreplident WHEN "
     "'f' "
     "THEN 'FULL' WHEN 'n' THEN 'NOTHING' WHEN 'd' THEN 'DEFAULT' ELSE (SELECT format('USING INDEX %I', "
     "x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND "
     "i.indisreplident) END)" RELATION},
    {"table", "owner", DIFFERS, false,
     "SELECT format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, "
     "pg_get_userbyid(c.relowner))" RELATION},
    {"table", "comment", MISSING, false, TABLE_COMMENT},
    {"table", "comment", DIFFERS, false, TABLE_COMMENT},
    {"database", "setting ", MISSING, false, SETTING},
    {"database", "setting ", DIFFERS, false, SETTING},
    {"database", "owner", DIFFERS, false,
     "SELECT format('ALTER DATABASE @database@ OWNER TO %I', pg_get_userbyid(datdba)) FROM pg_database WHERE "
     "datname = current_database() AND $1 = '(the database)'"},
    {"database", "comment", MISSING, false, DATABASE_COMMENT},
    {"database", "comment", DIFFERS, false, DATABASE_COMMENT},
};

/* Stands for the target's database, which may have another name than the source's. */
#define DATABASE_WORD "@database@"

static const Row *row_of(const CatalogDifference *difference)
{
    Case is = difference->target == NULL ? MISSING : difference->source == NULL ? EXTRA : DIFFERS;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const Row *row = &rows[i];
        bool part = row->part == NULL ? difference->part == NULL
                                      : difference->part != NULL &&
                                            strncmp(difference->part, row->part, strlen(row->part)) == 0;
        if (part && row->is == is && strcmp(row->kind, difference->kind) == 0) {
            return row;
        }
    }
    return NULL;
}

/* Writes statement with the target's database where the word stands, which is at most once and before anything of the user's. */
static int write_statement(Database *target, const char *statement, Text *out, Error *error)
{
    const char *word = strstr(statement, DATABASE_WORD);
    char *name = NULL;
    if (word == NULL) {
        text_append(out, statement);
        return 0;
    }
    if (database_value(target, &name, error, "SELECT quote_ident(current_database()::text)", 0) != 0) {
        return -1;
    }
    text_printf(out, "%.*s%s%s", (int)(word - statement), statement, name, word + strlen(DATABASE_WORD));
    free(name);
    return 0;
}

int drift_mend(Database *source, Database *target, DriftTruth truth, const CatalogDifference *difference,
               Text *out, Error *error)
{
    CatalogDifference turned = *difference;
    if (truth == TRUTH_ON_TARGET) {
        Database *other = source;
        source = target;
        target = other;
        turned.source = difference->target;
        turned.target = difference->source;
    }
    const Row *row = row_of(&turned);
    char *statement = NULL;
    if (row == NULL) {
        return 0;
    }
    Database *asked = row->ask_target ? target : source;
    int status = strstr(row->sql, "$2") != NULL
                     ? database_value(asked, &statement, error, row->sql, 2, difference->object,
                                      difference->part + strlen(row->part))
                     : database_value(asked, &statement, error, row->sql, 1, difference->object);
    if (status == 0 && statement != NULL) {
        status = strcmp(row->kind, "database") == 0 ? write_statement(target, statement, out, error)
                                                    : (text_append(out, statement), 0);
    }
    free(statement);
    return status == 0
               ? 0
               : error_context(error, "looking how %s %s is defined", difference->kind, difference->object);
}
