/*
 * Our lines stand between two comments (block.h) at the end of the file, under a [databases] of their own, and are taken away
 * again; what a run that was killed leaves is taken away by the next.
 */
#include "pgbouncer/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "place.h"
#include "text.h"

#define COMMENT ";"

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
    text_append(&block, BLOCK_BEGIN(COMMENT) "[databases]\n");
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
    text_append(&block, BLOCK_END(COMMENT));
    return block.data;
}

int stage_set(Proxy *proxy, const char *block, bool keep, Error *error)
{
    char *text = NULL, *edited = NULL;
    size_t from, end;
    if (store_read(proxy->store, NULL, &text, error) != 0) {
        return -1;
    }
    bool ours = block_find(text, COMMENT, &from, &end);
    if (!ours) {
        from = end = strlen(text);
    }
    const char *line_end = block != NULL && from > 0 && text[from - 1] != '\n' ? BLOCK_NO_END(COMMENT) : "";
    if (asprintf(&edited, "%.*s%s%s%s", (int)from, text, line_end, block != NULL ? block : "", text + end) <
        0) {
        abort();
    }
    int status =
        strcmp(edited, text) != 0 ? store_replace(proxy->store, NULL, edited, keep && !ours, error) : 0;
    free(edited);
    free(text);
    return status;
}

int pgbouncer_clean(Proxy *proxy, ConfigFiles *files, Error *error)
{
    size_t from, end;
    if (!block_find(files->flat, COMMENT, &from, &end)) {
        return 0;
    }
    config_files_free(files);
    return stage_set(proxy, NULL, false, error) == 0 ? pgbouncer_read(proxy, files, error) : -1;
}

/* One that has ended reads its file when it is started again. */
int stage_strike(Proxy *proxy, Error *error)
{
    return stage_set(proxy, NULL, false, error) == 0 &&
                   (pgbouncer_reload(proxy, NULL, error) == 0 || place_is_deserted(proxy->uri))
               ? 0
               : -1;
}
