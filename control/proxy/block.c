#include "block.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

#define BEGIN "%s penstock: a rehearsal"
#define MARK_SIZE 96

/* FNV-1a, over both names and what parts them. */
BlockKey block_key(char letter, const char *migration, const char *moves)
{
    uint32_t hash = 2166136261u;
    const char *const parts[] = {migration, "/", moves};
    for (size_t i = 0; i < 3; i++) {
        for (const char *at = parts[i]; *at != '\0'; at++) {
            hash = (hash ^ (unsigned char)*at) * 16777619u;
        }
    }
    BlockKey key;
    snprintf(key.text, sizeof key.text, "%c%08x", letter, (unsigned)hash);
    return key;
}

typedef struct Marks {
    char any[MARK_SIZE], begin[MARK_SIZE], end[MARK_SIZE], no_end[MARK_SIZE];
} Marks;

static Marks marks_of(const char *comment, const BlockKey *key)
{
    Marks marks;
    snprintf(marks.any, sizeof marks.any, "\n" BEGIN, comment);
    snprintf(marks.begin, sizeof marks.begin, BEGIN " %s, taken away by itself\n", comment, key->text);
    snprintf(marks.end, sizeof marks.end, "%s penstock: end of the rehearsal %s\n", comment, key->text);
    snprintf(marks.no_end, sizeof marks.no_end, "\n%s penstock: the line above had no end\n", comment);
    return marks;
}

/* Without its last comment, as when the file was cut off, it ends before another one of ours, or with the text. */
static const char *find_end(const char *begin, const Marks *marks)
{
    const char *last = strstr(begin, marks->end), *other = strstr(begin, marks->any);
    return last != NULL ? last + strlen(marks->end) : other != NULL ? other + 1 : begin + strlen(begin);
}

/* NULL when there is none. */
static const char *find_begin(const char *text, const Marks *marks)
{
    const char *begin = strstr(text, marks->begin);
    while (begin != NULL && begin > text && begin[-1] != '\n') {
        begin = strstr(begin + 1, marks->begin);
    }
    return begin;
}

bool block_stands(const char *text, const char *comment, const BlockKey *key)
{
    Marks marks = marks_of(comment, key);
    return find_begin(text, &marks) != NULL;
}

char *block_put(const char *text, const char *comment, const BlockKey *key, const char *lines)
{
    Marks marks = marks_of(comment, key);
    const char *begin = find_begin(text, &marks), *rest = begin != NULL ? find_end(begin, &marks) : "";
    size_t head = begin != NULL ? (size_t)(begin - text) : strlen(text), no_end = strlen(marks.no_end);
    Text out = {0};
    if (lines == NULL && begin != NULL && *rest == '\0' && head >= no_end &&
        strncmp(begin - no_end, marks.no_end, no_end) == 0) {
        head -= no_end; /* behind which nothing is left */
    }
    text_append_bytes(&out, text, head);
    if (lines != NULL) {
        bool open = begin == NULL && head > 0 && text[head - 1] != '\n';
        text_printf(&out, "%s%s%s%s", open ? marks.no_end : "", marks.begin, lines, marks.end);
    }
    text_append(&out, rest);
    return out.data;
}
