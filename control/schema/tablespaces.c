/*
 * pg_restore writes a name with quotes only where it needs them (fmtId), so both ways are looked for.
 */
#include "tablespaces.h"

#include <stdlib.h>
#include <string.h>

#include "database.h"

static char *printed(const char *before, const char *name, const char *after)
{
    Text text = {0};
    text_printf(&text, "%s%s%s", before, name, after);
    return text.data;
}

static void add(Tablespaces *tablespaces, const char *argument, struct argp_state *state)
{
    const char *equals = strchr(argument, '=');
    if (equals == NULL || equals == argument) {
        argp_error(state, "--tablespace takes OLD=NEW, not \"%s\"", argument);
        return;
    }
    if (tablespaces->count == MOST_TABLESPACES) {
        argp_error(state, "at most %d of --tablespace", MOST_TABLESPACES);
        return;
    }
    Tablespace *tablespace = &tablespaces->list[tablespaces->count++];
    tablespace->from = strndup(argument, (size_t)(equals - argument));
    tablespace->to = strdup(equals + 1);
    if (tablespace->from == NULL || tablespace->to == NULL) {
        abort();
    }
    char *from = database_quote(tablespace->from), *to = database_quote(tablespace->to);
    tablespace->bare = printed("SET default_tablespace = ", tablespace->from, ";");
    tablespace->quoted = printed("SET default_tablespace = ", from, ";");
    tablespace->set = printed("SET default_tablespace = ", *tablespace->to != '\0' ? to : "''", ";");
    free(from);
    free(to);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    if (key != 0x7100) {
        return ARGP_ERR_UNKNOWN;
    }
    add(state->input, argument, state);
    return 0;
}

static const struct argp_option options[] = {
    {.name = "tablespace",
     .key = 0x7100,
     .arg = "OLD=NEW",
     .doc = "What is in tablespace OLD at the source goes into NEW on the target; nothing behind the = is "
            "the default one. May "
            "be repeated"},
    {0},
};

const struct argp tablespaces_argp = {.options = options, .parser = parse};

const char *tablespaces_map(const Tablespaces *tablespaces, const char *from)
{
    for (size_t i = 0; i < tablespaces->count; i++) {
        if (strcmp(tablespaces->list[i].from, from) == 0) {
            return tablespaces->list[i].to;
        }
    }
    return from;
}

const char *tablespaces_set(const Tablespaces *tablespaces, const char *statement)
{
    for (size_t i = 0; tablespaces != NULL && statement != NULL && i < tablespaces->count; i++) {
        const Tablespace *tablespace = &tablespaces->list[i];
        if (strcmp(statement, tablespace->bare) == 0 || strcmp(statement, tablespace->quoted) == 0) {
            return tablespace->set;
        }
    }
    return statement;
}

void tablespaces_arrays(const Tablespaces *tablespaces, Text *from, Text *to)
{
    for (size_t i = 0; i < tablespaces->count; i++) {
        const Tablespace *tablespace = &tablespaces->list[i];
        text_array_add(from, tablespace->from);
        text_array_add(to, *tablespace->to != '\0' ? tablespace->to : "pg_default");
    }
    text_array_end(from);
    text_array_end(to);
}

void tablespaces_free(Tablespaces *tablespaces)
{
    for (size_t i = 0; i < tablespaces->count; i++) {
        free(tablespaces->list[i].from);
        free(tablespaces->list[i].to);
        free(tablespaces->list[i].set);
        free(tablespaces->list[i].bare);
        free(tablespaces->list[i].quoted);
    }
    tablespaces->count = 0;
}
