/*
 * Our lines stand between two comments at the end of the file, under a [databases] of their own, and are taken away again; what
 * a run that was killed leaves is taken away by the next.
 */
#include "pgbouncer/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define BEGIN_LINE "; penstock: a rehearsal, taken away by itself"
#define END_LINE "; penstock: end of the rehearsal"

void stage_name(size_t number, const char *as, const char *when, char out[64])
{
    snprintf(out, 64, REHEARSAL "%zu%s_%s", number, as, when);
}

static void add_line(Text *block, const Player *player, const char *name, const Endpoint *where,
                     const char *user)
{
    char *copy = ini_line_copy(player->line, name, player->entry, where, user, "1");
    text_printf(block, "%s\n", copy);
    free(copy);
}

char *stage_lines(const Rehearsal *all)
{
    Text block = {0};
    char name[64];
    text_append(&block, BEGIN_LINE "\n[databases]\n");
    for (size_t i = 0; i < all->count; i++) {
        const Player *player = &all->players[i];
        const char *user = player->forced ? NULL : player->user;
        stage_name(i, "", "now", name);
        add_line(&block, player, name, NULL, user);
        stage_name(i, "", "next", name);
        add_line(&block, player, name, &all->context->to, user);
        stage_name(i, "_plain", "now", name);
        add_line(&block, player, name, NULL, NULL);
        stage_name(i, "_plain", "next", name);
        add_line(&block, player, name, &all->context->to, NULL);
    }
    text_append(&block, END_LINE "\n");
    return block.data;
}

/* Where our lines begin and end in the text; false when there are none. */
static bool find_lines(const char *text, size_t *from, size_t *end)
{
    const char *begin = strstr(text, BEGIN_LINE "\n");
    const char *last = begin != NULL ? strstr(begin, END_LINE "\n") : NULL;
    if (begin == NULL || (begin > text && begin[-1] != '\n')) {
        return false;
    }
    *from = (size_t)(begin - text);
    *end = last != NULL ? (size_t)(last - text) + strlen(END_LINE "\n") : strlen(text);
    return true;
}

int stage_set(Proxy *proxy, const char *block, Error *error)
{
    char *text = NULL, *edited = NULL;
    size_t from, end;
    if (store_read(proxy->store, NULL, &text, error) != 0) {
        return -1;
    }
    if (!find_lines(text, &from, &end)) {
        from = end = strlen(text);
    }
    const char *line_end = block != NULL && from > 0 && text[from - 1] != '\n' ? "\n" : "";
    if (asprintf(&edited, "%.*s%s%s%s", (int)from, text, line_end, block != NULL ? block : "", text + end) <
        0) {
        abort();
    }
    int status = strcmp(edited, text) != 0 ? store_replace(proxy->store, NULL, edited, false, error) : 0;
    free(edited);
    free(text);
    return status;
}

int pgbouncer_clean(Proxy *proxy, ConfigFiles *files, Error *error)
{
    size_t from, end;
    if (!find_lines(files->flat, &from, &end)) {
        return 0;
    }
    config_files_free(files);
    return stage_set(proxy, NULL, error) == 0 ? pgbouncer_read(proxy, files, error) : -1;
}

int stage_strike(Proxy *proxy, const char *before, Error *error)
{
    char *now = NULL;
    if (store_read(proxy->store, NULL, &now, error) != 0) {
        return -1;
    }
    size_t from, end, size = strlen(before);
    /* Nobody has changed the file meanwhile: what we put behind it, a line end perhaps, goes, too. */
    bool same = find_lines(now, &from, &end) && now[end] == '\0' && from >= size && from <= size + 1 &&
                strncmp(now, before, size) == 0;
    free(now);
    int status =
        same ? store_replace(proxy->store, NULL, before, false, error) : stage_set(proxy, NULL, error);
    return status == 0 ? pgbouncer_reload(proxy, NULL, error) : status;
}
