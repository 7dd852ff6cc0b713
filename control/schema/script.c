/*
 * An object of the script begins with comments in a fixed form (_printTocEntry of pg_backup_archiver.c, the same from 9.x
 * to 18 but for the lines that some have not):
 *
 *     --
 *     -- TOC entry 3002 (class 2606 OID 16400)
 *     -- Dependencies: 215 2994
 *     -- Name: child child_p_fkey; Type: FK CONSTRAINT; Schema: shop; Owner: app
 *     -- Data Pos: 0
 *     --
 *
 * The body of a function may hold the very same lines. Therefore the text is read as SQL is: a comment inside of quotes
 * or dollar quotes is none. (standard_conforming_strings is on in pg_dump's session, so that a backslash means something in E''
 * alone.) Before an object stand the settings that it wants made for the session, SET default_tablespace and SET
 * default_table_access_method, and at the end of the one before in the text; each object gets those that are in force
 * when its turn comes, so that objects may be made in any order.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* --- walking over SQL --- */

/* Behind the quoted text that begins at at; `escapes`: a backslash takes the next character with it. */
static char *skip_quoted(char *at, char quote, bool escapes)
{
    for (at++; *at != '\0'; at++) {
        if (escapes && *at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == quote && at[1] == quote) {
            at++;
        } else if (*at == quote) {
            return at + 1;
        }
    }
    return at;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Behind the dollar-quoted text that begins at at; at + 1 when none does. */
static char *skip_dollar_quoted(char *at)
{
    char *end = at + 1;
    while (is_word(*end)) {
        end++;
    }
    if (*end != '$' || (at[1] >= '0' && at[1] <= '9')) {
        return at + 1;
    }
    size_t size = (size_t)(end + 1 - at);
    for (char *close = end + 1; (close = strchr(close, '$')) != NULL; close++) {
        if (strncmp(close, at, size) == 0) {
            return close + size;
        }
    }
    return at + strlen(at);
}

/* Behind the word, number or name that begins at at; a $ in it begins no quote. E'…' is a word before a quote. */
static char *skip_word(char *at)
{
    char *start = at;
    while (is_word(*at) || *at == '$') {
        at++;
    }
    bool escapes = at - start == 1 && (*start == 'E' || *start == 'e');
    return *at == '\'' && escapes ? skip_quoted(at, '\'', true) : at;
}

/* Behind whatever begins at at, which is not the end. */
static char *skip(char *at)
{
    switch (*at) {
    case '\'':
    case '"':
        return skip_quoted(at, *at, false);
    case '$':
        return skip_dollar_quoted(at);
    case '-':
        return at[1] == '-' ? at + strcspn(at, "\n") : at + 1;
    default:
        return is_word(*at) ? skip_word(at) : at + 1;
    }
}

static bool is_header(const char *at)
{
    return begins(at, "--\n-- TOC entry ");
}

/* What ends an object's statements: the comments over the next, or those at the end of the script. */
static bool is_end(const char *at)
{
    return is_header(at) || begins(at, "-- Completed on ") ||
           begins(at, "--\n-- PostgreSQL database dump complete") || begins(at, "\\unrestrict ");
}

/* The next such line, or the end of the text. */
static char *next_end(char *at)
{
    for (bool fresh = true; *at != '\0'; at = skip(at)) {
        if (fresh && is_end(at)) {
            return at;
        }
        fresh = *at == '\n';
    }
    return at;
}

/* --- the comments over an object --- */

static void parse_needs(const char *list, SchemaObject *object)
{
    size_t capacity = 0;
    for (char *end;; list = end) {
        long need = strtol(list, &end, 10);
        if (end == list) {
            return;
        }
        if (object->need_count == capacity) {
            capacity = capacity > 0 ? capacity * 2 : 4;
            object->needs = realloc(object->needs, capacity * sizeof *object->needs);
            if (object->needs == NULL) {
                abort();
            }
        }
        object->needs[object->need_count++] = (int)need;
    }
}

/* The last place of needle in text. A name may hold it, too. */
static char *find_last(char *text, const char *needle)
{
    char *found = NULL;
    for (char *at = text; (at = strstr(at, needle)) != NULL; at++) {
        found = at;
    }
    return found;
}

/* "name; Type: t; Schema: s; Owner: o": cut up in place. */
static bool parse_name(char *line, SchemaObject *object)
{
    char *owner = find_last(line, "; Owner: ");
    if (owner != NULL) {
        *owner = '\0';
    }
    char *schema = find_last(line, "; Schema: ");
    if (schema != NULL) {
        *schema = '\0';
    }
    char *kind = find_last(line, "; Type: ");
    if (owner == NULL || schema == NULL || kind == NULL) {
        return false;
    }
    *kind = '\0';
    object->name = line;
    object->kind = kind + strlen("; Type: ");
    object->schema = schema + strlen("; Schema: ");
    return true;
}

static bool parse_ids(const char *line, SchemaObject *object)
{
    return sscanf(line, "-- TOC entry %d (class %u OID %u)", &object->dump_id, &object->class_id,
                  &object->object_id) == 3;
}

/*
 * Reads the comments at at. Behind them, or NULL when they are not in the form above. Line by line, each cut off from the rest: to
 * sscanf its text has a length, and it would look for the end of the whole script at each object.
 */
static char *parse_header(char *at, SchemaObject *object)
{
    bool named = false;
    *object = (SchemaObject){0};
    at += strlen("--\n");
    for (char *end; begins(at, "--"); at = end + 1) {
        end = at + strcspn(at, "\n");
        if (*end == '\0') {
            return NULL;
        }
        *end = '\0';
        if (begins(at, "-- TOC entry ")) {
            if (!parse_ids(at, object)) {
                return NULL;
            }
        } else if (begins(at, "-- Name: ")) {
            named = parse_name(at + strlen("-- Name: "), object);
        } else if (begins(at, "-- Dependencies:")) {
            parse_needs(at + strlen("-- Dependencies:"), object);
        } else if (strcmp(at, "--") == 0) {
            return named ? end + 1 : NULL;
        }
    }
    return NULL;
}

/* --- objects --- */

/* What captures DDL at the source (control/ddl/capture.sql): their functions' schema is left out of the dump. */
static bool is_ours(const SchemaObject *object)
{
    static const char prefix[] = "penstock_ddl_", owned[] = "EVENT TRIGGER penstock_ddl_";
    return (strcmp(object->kind, "EVENT TRIGGER") == 0 && begins(object->name, prefix)) ||
           begins(object->name, owned);
}

static bool everywhere(const SchemaObject *object)
{
    bool on_schema = strcmp(object->kind, "COMMENT") == 0 || strcmp(object->kind, "ACL") == 0;
    return (on_schema && strcmp(object->name, "SCHEMA public") == 0) ||
           (strcmp(object->kind, "COMMENT") == 0 && begins(object->name, "EXTENSION "));
}

/* Settings for objects that come later stand in lines of their own at the end of body: the first of them, or its end. */
static char *settings_at_end(char *body)
{
    size_t size = strlen(body);
    for (;;) {
        while (size > 0 && body[size - 1] == '\n') {
            size--;
        }
        size_t line = size;
        while (line > 0 && body[line - 1] != '\n') {
            line--;
        }
        if (!begins(body + line, "SET default_tablespace = ") &&
            !begins(body + line, "SET default_table_access_method = ")) {
            return body + size;
        }
        size = line;
    }
}

typedef struct Parse {
    SchemaScript *script;
    const char *tablespace; /* the SET in force, or NULL */
    const char *access_method;
} Parse;

/* Takes the SETs at text, cut into lines, as those in force from here on. */
static void take_settings(Parse *parse, char *text)
{
    while (*text != '\0') {
        char *end = text + strcspn(text, "\n");
        bool more = *end != '\0';
        *end = '\0';
        if (begins(text, "SET default_tablespace")) {
            parse->tablespace = text;
        } else if (begins(text, "SET default_table_access_method")) {
            parse->access_method = text;
        }
        text = more ? end + 1 : end;
    }
}

void script_add(SchemaScript *script, const SchemaObject *object)
{
    if (script->count == script->capacity) {
        script->capacity = script->capacity > 0 ? script->capacity * 2 : 256;
        script->objects = realloc(script->objects, script->capacity * sizeof *script->objects);
        if (script->objects == NULL) {
            abort();
        }
    }
    script->objects[script->count++] = *object;
}

void script_keep(SchemaScript *script, PGresult *rows)
{
    for (size_t i = 0; i < sizeof script->more / sizeof *script->more; i++) {
        if (script->more[i] == NULL) {
            script->more[i] = rows;
            return;
        }
    }
    abort();
}

/* A body, which ends where the next object begins: its settings are cut off, the rest is the object's statements. */
static void add_object(Parse *parse, SchemaObject *object, char *body)
{
    char *settings = settings_at_end(body);
    object->tablespace = parse->tablespace;
    object->access_method = parse->access_method;
    /* Its own says nothing: initdb makes the schema. But it may have been dropped from the target since. */
    bool public = strcmp(object->kind, "SCHEMA") == 0 && strcmp(object->name, "public") == 0;
    object->sql = public ? "CREATE SCHEMA IF NOT EXISTS public;" : body + strspn(body, "\n");
    if (*settings != '\0') {
        *settings = '\0';
        take_settings(parse, settings + 1);
    }
    if (everywhere(object) || is_ours(object) || *object->sql == '\0') {
        free(object->needs);
    } else {
        script_add(parse->script, object);
    }
}

static int unreadable(const char *at, Error *error)
{
    return error_set(error, ERROR_PROTOCOL, "what pg_restore wrote cannot be read, at \"%.60s\"", at);
}

int script_parse(char *text, SchemaScript *out, Error *error)
{
    Parse parse = {.script = out};
    *out = (SchemaScript){.text = text};
    if (text == NULL) {
        return 0;
    }
    char *at = next_end(text);
    bool more = is_header(at);
    *at = '\0';
    take_settings(&parse, text);
    while (more) {
        SchemaObject object;
        *at = '-';
        char *body = parse_header(at, &object);
        if (body == NULL) {
            free(object.needs);
            return unreadable(at, error);
        }
        at = next_end(body);
        more = is_header(at);
        *at = '\0';
        add_object(&parse, &object, body);
    }
    return 0;
}

void script_free(SchemaScript *script)
{
    for (size_t i = 0; i < script->count; i++) {
        free(script->objects[i].needs);
        free(script->objects[i].left);
        free(script->objects[i].not_valid);
    }
    for (size_t i = 0; i < sizeof script->more / sizeof *script->more; i++) {
        PQclear(script->more[i]);
    }
    free(script->objects);
    free(script->text);
    *script = (SchemaScript){0};
}
