#include "statement.h"

#include <ctype.h>
#include <string.h>

/* Behind what begins at `at`: a quoted thing, or one character. */
static size_t step(const char *sql, size_t at)
{
    char quote = sql[at];
    if (quote != '\'' && quote != '"') {
        return at + 1;
    }
    bool escapes = quote == '\'' && at > 0 && (sql[at - 1] == 'E' || sql[at - 1] == 'e') &&
                   (at < 2 || !isalnum((unsigned char)sql[at - 2]));
    for (at++; sql[at] != '\0'; at++) {
        if (escapes && sql[at] == '\\' && sql[at + 1] != '\0') {
            at++;
        } else if (sql[at] == quote) {
            if (sql[at + 1] != quote) {
                return at + 1;
            }
            at++;
        }
    }
    return at;
}

static size_t skip_space(const char *sql, size_t at)
{
    while (isspace((unsigned char)sql[at])) {
        at++;
    }
    return at;
}

/* Behind the semicolon of the statement that begins there. */
static size_t statement_end(const char *sql, size_t at)
{
    while (sql[at] != '\0' && sql[at] != ';') {
        at = step(sql, at);
    }
    return sql[at] == ';' ? at + 1 : at;
}

/* Behind the word, or words with one blank between, and the space that follows; 0 when it is another. */
static size_t take(const char *sql, size_t at, const char *words)
{
    size_t size = strlen(words);
    if (strncmp(sql + at, words, size) != 0 ||
        (isalnum((unsigned char)words[size - 1]) &&
         (isalnum((unsigned char)sql[at + size]) || sql[at + size] == '_'))) {
        return 0;
    }
    return skip_space(sql, at + size);
}

/* Behind "(…)", 0 when there is none. */
static size_t take_parentheses(const char *sql, size_t at)
{
    int depth = 0;
    if (sql[at] != '(') {
        return 0;
    }
    do {
        depth += sql[at] == '(' ? 1 : sql[at] == ')' ? -1 : 0;
        at = step(sql, at);
    } while (depth > 0 && sql[at] != '\0');
    return depth == 0 ? at : 0;
}

/* Behind an identifier, which may be quoted and may have a schema before it. */
static size_t take_name(const char *sql, size_t at)
{
    size_t begin = at;
    while (sql[at] == '"' || sql[at] == '.' || sql[at] == '_' || sql[at] == '$' ||
           isalnum((unsigned char)sql[at]) || (unsigned char)sql[at] >= 0x80) {
        at = step(sql, at);
    }
    return at > begin ? at : 0;
}

/* The last part of a name, without its quotes. */
static void append_plain(Text *out, const char *sql, size_t begin, size_t end)
{
    size_t last = begin;
    for (size_t at = begin; at < end; at = step(sql, at)) {
        last = sql[at] == '.' ? at + 1 : last;
    }
    bool quoted = sql[last] == '"';
    text_append(out, "");
    for (size_t at = last + quoted; at < end - quoted; at++) {
        at += quoted && sql[at] == '"';
        text_append_bytes(out, sql + at, 1);
    }
}

/* The first statement that is no SET: where it begins and, behind its semicolon, ends. False when there is none. */
static bool main_statement(const char *sql, size_t *begin, size_t *end)
{
    for (size_t at = skip_space(sql, 0); sql[at] != '\0'; at = skip_space(sql, statement_end(sql, at))) {
        if (take(sql, at, "SET") == 0) {
            *begin = at;
            *end = statement_end(sql, at);
            return true;
        }
    }
    return false;
}

void statement_pair_free(StatementPair *pair)
{
    text_free(&pair->settings);
    text_free(&pair->build);
    text_free(&pair->rest);
    text_free(&pair->relation);
    text_free(&pair->index);
}

static bool pair_of_index(const char *sql, size_t at, size_t end, StatementPair *out)
{
    size_t unique = take(sql, at, "CREATE UNIQUE INDEX");
    size_t name = unique != 0 ? unique : take(sql, at, "CREATE INDEX");
    size_t name_end = name != 0 ? take_name(sql, name) : 0;
    size_t on = name_end != 0 ? take(sql, skip_space(sql, name_end), "ON") : 0;
    if (on == 0 || take(sql, on, "ONLY") != 0 || take_name(sql, on) == 0) {
        return false;
    }
    text_append(&out->build,
                unique != 0 ? "CREATE UNIQUE INDEX CONCURRENTLY " : "CREATE INDEX CONCURRENTLY ");
    text_append_bytes(&out->build, sql + name, end - name);
    text_append_bytes(&out->relation, sql + on, take_name(sql, on) - on);
    append_plain(&out->index, sql, name, name_end);
    return true;
}

/* What stands in "ALTER TABLE [ONLY] table ADD CONSTRAINT name definition;". */
typedef struct Adding {
    size_t table, table_end, name, name_end, definition, end;
    bool only;
} Adding;

static bool read_adding(const char *sql, Adding *out)
{
    size_t at;
    *out = (Adding){0};
    if (!main_statement(sql, &at, &out->end) || (at = take(sql, at, "ALTER TABLE")) == 0) {
        return false;
    }
    size_t only = take(sql, at, "ONLY");
    out->only = only != 0;
    out->table = only != 0 ? only : at;
    out->table_end = take_name(sql, out->table);
    out->name = out->table_end != 0 ? take(sql, skip_space(sql, out->table_end), "ADD CONSTRAINT") : 0;
    out->name_end = out->name != 0 ? take_name(sql, out->name) : 0;
    out->definition = skip_space(sql, out->name_end);
    return out->name_end != 0;
}

/* Behind the columns and what else belongs to the index; 0 when something is not known. */
static size_t take_index_clauses(const char *sql, size_t at)
{
    size_t end = take_parentheses(sql, at);
    static const char *const more[] = {"INCLUDE", "WITH"};
    for (size_t i = 0; end != 0 && i < sizeof more / sizeof *more; i++) {
        size_t clause = take(sql, skip_space(sql, end), more[i]);
        end = clause != 0 ? take_parentheses(sql, clause) : end;
    }
    return end;
}

static bool pair_of_constraint(const char *sql, StatementPair *out)
{
    Adding adding;
    if (!read_adding(sql, &adding)) {
        return false;
    }
    size_t primary = take(sql, adding.definition, "PRIMARY KEY");
    size_t columns = primary != 0 ? primary : take(sql, adding.definition, "UNIQUE");
    size_t clauses = columns != 0 ? take_index_clauses(sql, columns) : 0;
    size_t more = clauses != 0 ? skip_space(sql, clauses) : 0;
    if (clauses == 0 || (sql[more] != ';' && take(sql, more, "DEFERRABLE") == 0)) {
        return false;
    }
    int name_size = (int)(adding.name_end - adding.name), table_size = (int)(adding.table_end - adding.table);
    text_printf(&out->build, "CREATE UNIQUE INDEX CONCURRENTLY %.*s ON %.*s ", name_size, sql + adding.name,
                table_size, sql + adding.table);
    text_append_bytes(&out->build, sql + columns, clauses - columns);
    text_printf(&out->rest, "ALTER TABLE ONLY %.*s ADD CONSTRAINT %.*s %s USING INDEX %.*s ", table_size,
                sql + adding.table, name_size, sql + adding.name, primary != 0 ? "PRIMARY KEY" : "UNIQUE",
                name_size, sql + adding.name);
    text_append_bytes(&out->rest, sql + more, adding.end - more);
    text_append_bytes(&out->relation, sql + adding.table, (size_t)table_size);
    append_plain(&out->index, sql, adding.name, adding.name_end);
    return true;
}

bool statement_pair(const char *sql, StatementPair *out)
{
    size_t begin, end;
    *out = (StatementPair){0};
    if (!main_statement(sql, &begin, &end) ||
        (!pair_of_index(sql, begin, end, out) && !pair_of_constraint(sql, out))) {
        return false;
    }
    if (begin > 0) {
        text_append_bytes(&out->settings, sql, begin);
    }
    if (sql[skip_space(sql, end)] != '\0') {
        text_append(&out->rest, sql + end);
    }
    return true;
}

bool statement_validate(const char *sql, Text *out)
{
    Adding adding;
    if (!read_adding(sql, &adding)) {
        return false;
    }
    text_printf(out, "ALTER TABLE %s%.*s VALIDATE CONSTRAINT %.*s", adding.only ? "ONLY " : "",
                (int)(adding.table_end - adding.table), sql + adding.table,
                (int)(adding.name_end - adding.name), sql + adding.name);
    return true;
}

bool statement_not_valid(const char *sql, Text *out)
{
    static const char already[] = " NOT VALID";
    Adding adding;
    if (!read_adding(sql, &adding) || sql[adding.end - 1] != ';') {
        return false;
    }
    bool foreign = take(sql, adding.definition, "FOREIGN KEY") != 0;
    size_t size = adding.end - 1;
    if ((foreign && !adding.only) || (!foreign && take(sql, adding.definition, "CHECK") == 0) ||
        (size >= sizeof already - 1 &&
         strncmp(sql + size - (sizeof already - 1), already, sizeof already - 1) == 0)) {
        return false;
    }
    text_append_bytes(out, sql, size);
    text_append(out, already);
    text_append(out, sql + size);
    return true;
}

bool statement_defines(const char *sql, const char *definition)
{
    size_t begin, end;
    Adding adding;
    if (!main_statement(sql, &begin, &end)) {
        return false;
    }
    begin = read_adding(sql, &adding) ? adding.definition : begin;
    end -= end > begin && sql[end - 1] == ';';
    return strlen(definition) == end - begin && strncmp(sql + begin, definition, end - begin) == 0;
}
