/*
 * Queries that are kept as SQL, and the words in @ of all of them: what depends on the version, and what stands in many places.
 * A word with arguments, @word(one; two)@, is a text in which $1 and $2 stand for them; it may have other words in it.
 */
#include <stdlib.h>
#include <string.h>

#include "query_parts.h"

/* parts.sql and others.sql, compiled in: "-- kind: NAME" stands before each query. */
extern const char catalog_parts_sql[], catalog_others_sql[];

#define PARENT_TRIGGER_OF_11                                                                                 \
    "coalesce((SELECT max(d.refobjid) FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass"             \
    " AND d.objid = t.oid AND d.refclassid = 'pg_trigger'::regclass), 0)"

#define PUBLISHED_SCHEMAS                                                                                    \
    " UNION ALL SELECT o.object, concat('schema ', n.nspname), 'published' FROM o"                           \
    " JOIN pg_publication_namespace s ON s.pnpubid = o.oid JOIN pg_namespace n ON n.oid = s.pnnspid"

/* What differs from version to version. In each row, the first that is not newer than the server counts. */
static const struct {
    const char *word;
    int from;
    const char *text;
} versions[] = {
    {"generated", 120000, "a.attgenerated <> ''"},
    {"generated", 0, "false"},
    {"whole_trigger", 130000, "t.tgparentid = 0"},
    {"whole_trigger", 0, "true"},
    {"parent_trigger", 130000, "t.tgparentid"},
    {"parent_trigger", 0, PARENT_TRIGGER_OF_11},
    {"body", 140000, "pg_get_function_sqlbody(oid)"},
    {"body", 0, "''"},
    {"compression", 140000, "a.attcompression::text"},
    {"compression", 0, "''::text"},
    {"support", 120000, "p.prosupport::oid"},
    {"support", 0, "0"},
    {"deterministic", 120000, "c.collisdeterministic"},
    {"deterministic", 0, "true"},
    {"locale", 170000, "coalesce(c.colllocale, c.collcollate)"},
    {"locale", 150000, "coalesce(c.colliculocale, c.collcollate)"},
    {"locale", 0, "c.collcollate"},
    {"via_root", 130000, "p.pubviaroot"},
    {"via_root", 0, "false"},
    {"published_columns", 150000, "r.prattrs"},
    {"published_columns", 0, "NULL"},
    {"published_rows", 150000, "r.prqual"},
    {"published_rows", 0, "NULL::pg_node_tree"},
    {"published_schemas", 150000, PUBLISHED_SCHEMAS},
    {"published_schemas", 0, ""},
};

static const struct {
    const char *word;
    const char *text;
} texts[] = {
    {"relation", RELATION},
    {"privilege", "concat(@role(x.grantee)@, ' ', x.privilege_type, CASE WHEN x.is_grantable THEN ' WITH "
                  "GRANT OPTION' END)"},
    {"ours", OURS("$1")},
    {"kept", IS_KEPT("$1")},
    {"not_of_extension", NOT_OF_EXTENSION("$1", "$2")},
    {"users", "$2 >= 16384 AND " NOT_OF_EXTENSION("$1", "$2")},
    {"system", "n.nspname <> 'penstock' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_t'"
               " AND (n.nspname = 'pg_catalog' OR NOT " NOT_OF_EXTENSION("$1", "$2") ")"},
    {"role", ROLE("$1")},
    {"owner", OWNER("$1")},
    {"acl", GRANTS("$1", "$2", "$3")},
    {"comment", COMMENT("$1")},
    {"options", "array_to_string(ARRAY(SELECT unnest($1) ORDER BY 1), ', ')"},
    {"function", "$1::oid::regprocedure::text"},
    {"arguments_of", ARGUMENTS("$2($1)", "prokind")},
    {"enabled", "CASE $1 WHEN 'O' THEN 'yes' WHEN 'D' THEN 'no' WHEN 'R' THEN 'REPLICA' ELSE 'ALWAYS' END"},
    {"named", "(SELECT concat(xn.nspname, '.', x.$2) FROM $1 x JOIN pg_namespace xn ON xn.oid = x.$3 WHERE "
              "x.oid = $4)"},
    {"collation", "@named(pg_collation; collname; collnamespace; $1)@"},
    {"operator_class", "@named(pg_opclass; opcname; opcnamespace; $1)@"},
    {"access_method_of", "(SELECT x.amname::text FROM pg_am x WHERE x.oid = $1)"},
    {"since_made",
     "coalesce((SELECT i.initprivs FROM pg_init_privs i WHERE i.classoid = '$1'::regclass AND i.objoid = $2"
     " AND i.objsubid = 0), acldefault($3, $4))"},
    {"less", "(SELECT string_agg(@privilege@, ', ' ORDER BY @privilege@ COLLATE \"C\") FROM (SELECT grantee, "
             "privilege_type,"
             " is_grantable FROM aclexplode($1) EXCEPT SELECT grantee, privilege_type, is_grantable FROM "
             "aclexplode($2)) x"
             " WHERE x.privilege_type <> 'MAINTAIN')"},
};

static const CatalogQuery part_queries[] = {
    {"type", catalog_parts_sql},
    {"table", catalog_parts_sql},
    {"index", catalog_parts_sql},
    {"constraint", catalog_parts_sql},
    {"trigger", catalog_parts_sql},
    {"function", catalog_parts_sql},
    {"operator", catalog_parts_sql},
    {"cast", catalog_parts_sql},
    {"collation", catalog_parts_sql},
    {"text search dictionary", catalog_parts_sql},
    {"text search configuration", catalog_parts_sql},
    {"extension", catalog_parts_sql},
};

static const CatalogQuery other_queries[] = {
    {"text search parser", catalog_others_sql}, {"text search template", catalog_others_sql},
    {"language", catalog_others_sql},           {"access method", catalog_others_sql},
    {"operator family", catalog_others_sql},    {"operator class", catalog_others_sql},
    {"conversion", catalog_others_sql},         {"foreign data wrapper", catalog_others_sql},
    {"user mapping", catalog_others_sql},       {"transform", catalog_others_sql},
    {"publication", catalog_others_sql},        {"security label", catalog_others_sql},
    {"system object", catalog_others_sql},
};

const CatalogQueries catalog_part_queries = {part_queries, sizeof part_queries / sizeof *part_queries, true};
const CatalogQueries catalog_other_queries = {other_queries, sizeof other_queries / sizeof *other_queries,
                                              false};

/* What words are made of, while a query is written. */
typedef struct Writer {
    int version;
    const CatalogOptions *options;
    bool wanted; /* the part that @end@ will end */
    Text *out;
} Writer;

static bool is_word(const char *word, const char *at, size_t size)
{
    return strlen(word) == size && memcmp(word, at, size) == 0;
}

/* Parts that are not wanted stay, with no row: a query has the same shape whatever the options. */
static const char *choice(Writer *writer, const char *word, size_t size)
{
    if (is_word("owners", word, size) || is_word("grants", word, size)) {
        writer->wanted = word[0] == 'o' ? writer->options->owners : writer->options->grants;
        return " UNION ALL SELECT * FROM (";
    }
    if (is_word("end", word, size)) {
        return writer->wanted ? ") x" : ") x WHERE false";
    }
    if (is_word("access_method", word,
                size)) { /* one that has none says nothing of what the other has by its settings */
        return writer->options->oldest >= 120000 ? "c.relam" : "0";
    }
    if (is_word("both_from_12", word, size)) {
        return writer->options->oldest >= 120000 ? "true" : "false";
    }
    if (is_word("secret", word, size)) {
        return writer->options->secrets ? "concat('with the hash ', md5(@options($1)@))" : "''";
    }
    return NULL;
}

static const char *text_of(Writer *writer, const char *word, size_t size)
{
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (is_word(versions[i].word, word, size) && writer->version >= versions[i].from) {
            return versions[i].text;
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (is_word(texts[i].word, word, size)) {
            return texts[i].text;
        }
    }
    return choice(writer, word, size);
}

/* Argument number n of those between begin and end, with its size. */
static const char *argument(const char *begin, const char *end, int n, size_t *size)
{
    const char *next;
    while (n > 1 && (next = memchr(begin, ';', (size_t)(end - begin))) != NULL) {
        begin = next + strspn(next, "; ");
        n--;
    }
    next = memchr(begin, ';', (size_t)(end - begin));
    *size = (size_t)((next != NULL ? next : end) - begin);
    return begin;
}

static char *with_arguments(const char *text, const char *begin, const char *end)
{
    Text out = {0};
    text_append(&out, "");
    for (; *text != '\0'; text++) {
        if (*text == '$' && text[1] >= '1' && text[1] <= '9') {
            size_t size;
            const char *value = argument(begin, end, *++text - '0', &size);
            text_append_bytes(&out, value, size);
        } else {
            text_append_bytes(&out, text, 1);
        }
    }
    return out.data;
}

/* A word begins behind an @ and is one of small letters; @ stands in names of operators, too. */
static void write_words(Writer *writer, const char *at, const char *end)
{
    while (at < end) {
        const char *next = memchr(at, '@', (size_t)(end - at));
        text_append_bytes(writer->out, at, (size_t)((next != NULL ? next : end) - at));
        if (next == NULL) {
            return;
        }
        at = next + 1;
        size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz_12");
        const char *begin = at + size + (at[size] == '('), *last = memchr(begin, '@', (size_t)(end - begin));
        const char *text = last != NULL ? text_of(writer, at, size) : NULL;
        if (text == NULL) {
            text_append(writer->out, "@");
            continue;
        }
        char *filled = with_arguments(text, begin, last - (last > begin));
        write_words(writer, filled, filled + strlen(filled));
        free(filled);
        at = last + 1;
    }
}

/* Where the query of a kind is in a text of several, and where it ends. */
static const char *section(const char *text, const char *kind, const char **end)
{
    static const char head[] = "-- kind: ";
    size_t size = strlen(kind);
    const char *at = text;
    while ((at = strstr(at, head)) != NULL) {
        at += strlen(head);
        if (strncmp(at, kind, size) == 0 && at[size] == '\n') {
            at += size;
            *end = strstr(at, "\n\n");
            *end = *end != NULL ? *end : at + strlen(at);
            return at;
        }
    }
    *end = text + strlen(text);
    return text;
}

void catalog_query_write(const CatalogQuery *query, int version, const CatalogOptions *options, Text *out)
{
    Writer writer = {.version = version, .options = options, .out = out};
    const char *end, *sql = section(query->sql, query->kind, &end);
    write_words(&writer, sql, end);
}
