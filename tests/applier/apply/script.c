/*
 * Every change gets a run of its own with one row, as small transactions give them.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 64

static int split(Arena *arena, const char *line, char **words)
{
    int count = 0;
    char *rest = NULL;
    char *copy = arena_strndup(arena, line, strlen(line));
    for (char *word = strtok_r(copy, " \n", &rest); word != NULL && count < MAX_WORDS;
         word = strtok_r(NULL, " \n", &rest)) {
        words[count++] = word;
    }
    return count;
}

static void require(bool condition, const char *line)
{
    if (!condition) {
        fprintf(stderr, "not understood: %s\n", line);
        exit(2);
    }
}

static ReplicaIdentity identity_of(const char *word)
{
    static const char *const names[] = {"nothing", "default", "index", "full"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], word) == 0) {
            return (ReplicaIdentity)i;
        }
    }
    require(false, word);
    return IDENTITY_NOTHING;
}

static SourceColumn column_of(char *word)
{
    SourceColumn column = {
        .name = word, .type = 25, .type_schema = "pg_catalog", .type_name = "text", .typmod = -1};
    char *type = strchr(word, ':');
    if (type != NULL) {
        *type = '\0';
        column.type = (uint32_t)strtoul(type + 1, NULL, 10);
    }
    column.base_type = column.type;
    char *star = strchr(word, '*');
    if (star != NULL) {
        *star = '\0';
        column.key = true;
    }
    return column;
}

SourceRelation *script_relation(Arena *arena, const char *line)
{
    char *words[MAX_WORDS];
    int count = split(arena, line, words);
    require(count >= 2 && strchr(words[0], '.') != NULL, line);
    SourceRelation *relation = arena_zalloc(arena, sizeof(*relation));
    relation->schema = words[0];
    relation->name = strchr(words[0], '.');
    *relation->name++ = '\0';
    relation->identity = identity_of(words[1]);
    relation->column_count = (uint32_t)(count - 2);
    relation->columns = arena_zalloc(arena, sizeof(*relation->columns) * MAX_WORDS);
    relation->keys = arena_zalloc(arena, sizeof(*relation->keys) * MAX_WORDS);
    for (uint32_t c = 0; c < relation->column_count; c++) {
        relation->columns[c] = column_of(words[c + 2]);
        if (relation->columns[c].key) {
            relation->keys[relation->key_count++] = c;
        }
    }
    return relation;
}

static CellState state_of(const char *word)
{
    if (word == NULL) {
        return CELL_ABSENT;
    }
    return strcmp(word, "-") == 0 ? CELL_NULL : strcmp(word, "~") == 0 ? CELL_UNCHANGED : CELL_VALUE;
}

/* words for all columns, or for the key's alone. */
static const CellList *side_of(Arena *arena, const SourceRelation *source, char **words, int count,
                               bool key_only)
{
    uint32_t columns = source->column_count;
    CellList *cells = arena_zalloc(arena, sizeof *cells);
    uint8_t *states = arena_zalloc(arena, columns + 1);
    uint32_t *offsets = arena_zalloc(arena, (columns + 1) * sizeof *offsets);
    char *data = arena_strndup(arena, "", 0);
    int next = 0;
    for (uint32_t c = 0; c < columns; c++) {
        bool given = (!key_only || source->columns[c].key) && next < count;
        const char *word = given ? words[next++] : NULL;
        states[c] = (uint8_t)state_of(word);
        if (states[c] == CELL_VALUE && strcmp(word, "''") != 0) {
            data = arena_printf(arena, "%s%s", data, word);
        }
        offsets[c + 1] = (uint32_t)strlen(data);
    }
    require(next == count, words[0]);
    *cells = (CellList){.states = states, .offsets = offsets, .data = (const uint8_t *)data};
    return cells;
}

static int old_words(char **words, int count)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], ">") == 0) {
            return i - 1;
        }
    }
    return 0;
}

Change script_change(Arena *arena, const ApplyRelation *relation, const char *line, Position position)
{
    char *words[MAX_WORDS];
    int count = split(arena, line, words);
    require(count >= 1 && strchr("IUD", words[0][0]) != NULL, line);
    const SourceRelation *source = relation->source;
    bool full = source->identity == IDENTITY_FULL;
    RowsRecord *rows = arena_zalloc(arena, sizeof(*rows));
    rows->column_count = source->column_count;
    rows->count = 1;
    rows->first_sequence = position.sequence;
    if (words[0][0] == 'D') {
        rows->kind = CHANGE_DELETE;
        rows->old = full ? OLD_FULL : OLD_KEY;
        rows->sides[SIDE_OLD] = side_of(arena, source, words + 1, count - 1, !full);
    } else {
        int old = old_words(words, count);
        rows->kind = words[0][0] == 'I' ? CHANGE_INSERT : CHANGE_UPDATE;
        rows->old = old == 0 ? OLD_NONE : full ? OLD_FULL : OLD_KEY;
        int skip = old == 0 ? 1 : old + 2;
        rows->sides[SIDE_NEW] = side_of(arena, source, words + skip, count - skip, false);
        if (old != 0) {
            rows->sides[SIDE_OLD] = side_of(arena, source, words + 1, old, !full);
        }
    }
    return (Change){.relation = relation, .rows = rows, .row = 0, .position = position};
}
