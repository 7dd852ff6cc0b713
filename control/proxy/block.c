#include "block.h"

#include <stdio.h>
#include <string.h>

#define MARK_SIZE 80

bool block_find(const char *text, const char *comment, size_t *from, size_t *end)
{
    char begins[MARK_SIZE], ends[MARK_SIZE], no_end[MARK_SIZE];
    snprintf(begins, sizeof begins, BLOCK_BEGIN("%s"), comment);
    snprintf(ends, sizeof ends, BLOCK_END("%s"), comment);
    snprintf(no_end, sizeof no_end, BLOCK_NO_END("%s"), comment);
    const char *begin = strstr(text, begins);
    if (begin == NULL || (begin > text && begin[-1] != '\n')) {
        return false;
    }
    const char *last = strstr(begin, ends);
    size_t size = strlen(no_end);
    *from = (size_t)(begin - text);
    *end = last != NULL ? (size_t)(last - text) + strlen(ends) : strlen(text);
    if (*from >= size && strncmp(begin - size, no_end, size) == 0) {
        *from -= size;
    }
    return true;
}
