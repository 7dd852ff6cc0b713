/*
 * A statement that the client sent by itself, or in a string with others, is found by its number: the triggers count those that
 * fire (classes.c says which do). What goes back, goes back in the count, too; so a string that rolls back between its statements,
 * or resets the session's settings, does not tell which it was.
 *
 * A statement that a function or a DO block made is in the call stack, which the server writes as
 *
 *     SQL statement "CREATE TABLE …"
 *     PL/pgSQL function f() line 3 at SQL statement
 *
 * without escaping quotes. It ends at a quote and the end of a line: the first such that leaves something which can be parsed.
 * To end it earlier would leave a name or a string open.
 */
#include "statement.h"

#include <pg_query.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"

#define FRAME "SQL statement \""

static int parse(const char *sql, PgQuery__ParseResult **out, Error *error)
{
    *out = NULL;
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql);
    int status = 0;
    if (result.error != NULL) {
        status = error_set(error, ERROR_STATE,
                           "PostgreSQL 15's parser does not understand it: %s, at character %d",
                           result.error->message, result.error->cursorpos);
    } else {
        *out = pg_query__parse_result__unpack(NULL, result.parse_tree.len,
                                              (const uint8_t *)result.parse_tree.data);
        if (*out == NULL) {
            status = error_set(error, ERROR_STATE, "its parse tree is too deep to be read");
        }
    }
    pg_query_free_protobuf_parse_result(result);
    return status;
}

/* The text of one of the string's statements, without white space around. */
static void cut(const char *sql, const PgQuery__RawStmt *raw, Text *out)
{
    const char *from = sql + raw->stmt_location;
    size_t size = raw->stmt_len > 0 ? (size_t)raw->stmt_len : strlen(from);
    while (size > 0 && strchr(" \t\r\n\f", from[0]) != NULL) {
        from++;
        size--;
    }
    while (size > 0 && strchr(" \t\r\n\f;", from[size - 1]) != NULL) {
        size--;
    }
    text_append_bytes(out, from, size);
}

int ddl_statement_parse(const char *text, DdlStatement *out, Error *error)
{
    *out = (DdlStatement){0};
    if (parse(text, &out->tree, error) != 0) {
        return -1;
    }
    if (out->tree->n_stmts != 1) {
        return error_set(error, ERROR_STATE, "it is %zu statements, not one", out->tree->n_stmts);
    }
    out->node = out->tree->stmts[0]->stmt;
    cut(text, out->tree->stmts[0], &out->text);
    return 0;
}

void ddl_statement_free(DdlStatement *statement)
{
    if (statement->tree != NULL) {
        pg_query__parse_result__free_unpacked(statement->tree, NULL);
    }
    text_free(&statement->text);
    *statement = (DdlStatement){0};
}

/* One that undoes, or forgets, what came before it in the string. */
static bool loses_count(const PgQuery__Node *node)
{
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_DISCARD_STMT:
        return true;
    case PG_QUERY__NODE__NODE_VARIABLE_SET_STMT:
        return node->variable_set_stmt->kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL;
    case PG_QUERY__NODE__NODE_TRANSACTION_STMT:
        return node->transaction_stmt->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK ||
               node->transaction_stmt->kind == PG_QUERY__TRANSACTION_STMT_KIND__TRANS_STMT_ROLLBACK_TO;
    default:
        return false;
    }
}

static int take_number(const DdlMessage *message, const PgQuery__ParseResult *tree, Text *out, Error *error)
{
    const PgQuery__RawStmt *found = NULL;
    int fires = 0;
    bool lost = false;
    for (size_t i = 0; i < tree->n_stmts; i++) {
        const PgQuery__Node *node = tree->stmts[i]->stmt;
        lost = lost || loses_count(node);
        fires += ddl_fires(node);
        if (ddl_fires(node) && fires == message->number) {
            found = tree->stmts[i];
        }
    }
    if (fires > 1 && lost) {
        return error_set(error, ERROR_STATE,
                         "it is one of %d in a string that rolls back or resets between them", fires);
    }
    if (found == NULL) {
        return error_set(
            error, ERROR_STATE,
            "the client's string has %d statements that define something, and this was number %d: "
            "a function in C or an extension may have made it",
            fires, message->number);
    }
    if (!ddl_fits_tag(found->stmt, message->tag)) {
        return error_set(error, ERROR_STATE,
                         "statement %d of the client's string is none that the source calls %s",
                         message->number, message->tag);
    }
    cut(message->query, found, out);
    return 0;
}

static int find_in_string(const DdlMessage *message, Text *out, Error *error)
{
    PgQuery__ParseResult *tree;
    if (message->query[0] == '\0') {
        return error_set(
            error, ERROR_STATE,
            "the string that the client sent was too long to come with each of its statements, of which "
            "this was number %d",
            message->number);
    }
    int status = parse(message->query, &tree, error);
    if (status == 0) {
        status = take_number(message, tree, out, error);
        pg_query__parse_result__free_unpacked(tree, NULL);
    }
    return status;
}

/* The one statement of the string that may be meant; false when there is none, or more than one. */
static bool take_only(const DdlMessage *message, const char *sql, Text *out)
{
    PgQuery__ParseResult *tree;
    const PgQuery__RawStmt *found = NULL;
    Error ignored;
    int fits = 0;
    if (parse(sql, &tree, &ignored) != 0) {
        return false;
    }
    for (size_t i = 0; i < tree->n_stmts; i++) {
        if (ddl_fires(tree->stmts[i]->stmt) && ddl_fits_tag(tree->stmts[i]->stmt, message->tag)) {
            found = tree->stmts[i];
            fits++;
        }
    }
    if (fits == 1) {
        cut(sql, found, out);
    }
    pg_query__parse_result__free_unpacked(tree, NULL);
    return fits == 1;
}

static int find_in_stack(const DdlMessage *message, Text *out, Error *error)
{
    size_t head = strlen(FRAME);
    if (strncmp(message->stack, FRAME, head) != 0) {
        return error_set(error, ERROR_STATE,
                         "it was made by %.*s, whose own statements the source does not show",
                         (int)strcspn(message->stack, "\n"), message->stack);
    }
    const char *from = message->stack + head;
    for (const char *end = strchr(from, '"'); end != NULL; end = strchr(end + 1, '"')) {
        if (end[1] != '\n' && end[1] != '\0') {
            continue;
        }
        char *sql = strndup(from, (size_t)(end - from));
        if (sql == NULL) {
            abort();
        }
        bool found = take_only(message, sql, out);
        free(sql);
        if (found) {
            return 0;
        }
    }
    return error_set(error, ERROR_STATE, "which statement of the function or DO block it was cannot be told");
}

int ddl_statement_find(const DdlMessage *message, DdlStatement *out, Error *error)
{
    Text text = {0};
    *out = (DdlStatement){0};
    const char *strings = json_string_value(
        json_object_get(json_object_get(message->root, "settings"), "standard_conforming_strings"));
    if (strings != NULL && strcmp(strings, "on") != 0 && strchr(message->query, '\\') != NULL) {
        return error_set(error, ERROR_STATE,
                         "it has a backslash, and standard_conforming_strings is off in its session");
    }
    int status = message->stack[0] != '\0' ? find_in_stack(message, &text, error)
                                           : find_in_string(message, &text, error);
    if (status == 0) {
        status = ddl_statement_parse(text.data, out, error);
    }
    text_free(&text);
    return status;
}

int ddl_statement_write(const DdlStatement *statement, Text *out, Error *error)
{
    PgQueryProtobuf packed = {.len = pg_query__parse_result__get_packed_size(statement->tree)};
    packed.data = malloc(packed.len + 1);
    if (packed.data == NULL) {
        abort();
    }
    pg_query__parse_result__pack(statement->tree, (uint8_t *)packed.data);
    PgQueryDeparseResult result = pg_query_deparse_protobuf(packed);
    free(packed.data);
    int status = 0;
    if (result.error != NULL) {
        status = error_set(error, ERROR_STATE, "it cannot be written anew: %s", result.error->message);
    } else {
        text_append(out, result.query);
    }
    pg_query_free_deparse_result(result);
    return status;
}

int ddl_statement_drop_concurrently(const DdlStatement *statement, Text *out, Error *error)
{
    PgQueryScanResult result = pg_query_scan(statement->text.data);
    if (result.error != NULL) {
        error_set(error, ERROR_STATE, "its words cannot be told apart: %s", result.error->message);
        pg_query_free_scan_result(result);
        return -1;
    }
    PgQuery__ScanResult *words =
        pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);
    pg_query_free_scan_result(result);
    size_t at = 0;
    for (size_t i = 0; words != NULL && i < words->n_tokens; i++) {
        const PgQuery__ScanToken *word = words->tokens[i];
        if (word->token == PG_QUERY__TOKEN__CONCURRENTLY) {
            text_append_bytes(out, statement->text.data + at, (size_t)word->start - at);
            at = (size_t)word->end;
            break;
        }
    }
    text_append(out, statement->text.data + at);
    if (words != NULL) {
        pg_query__scan_result__free_unpacked(words, NULL);
    }
    return 0;
}
