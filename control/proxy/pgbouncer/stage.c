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
#define TRIES 5 /* of an edit, where somebody else changes the same file */

void stage_name(const BlockKey *key, size_t number, const char *as, const char *when, char out[64])
{
    snprintf(out, 64, REHEARSAL "%s_%zu%s_%s", key->text, number, as, when);
}

static void add_line(Text *block, const Player *player, const char *name, const Endpoint *where,
                     const char *user)
{
    char *copy = ini_line_copy(player->line, name, player->entry, where, user, "1");
    text_printf(block, "%s\n", copy);
    free(copy);
}

/* The lines for all players, which the caller frees. */
static char *list_lines(const Rehearsal *all)
{
    Text block = {0};
    char name[64];
    text_append(&block, "[databases]\n");
    for (size_t i = 0; i < all->count; i++) {
        const Player *player = &all->players[i];
        const char *user = player->forced ? NULL : player->user;
        stage_name(all->key, i, "", "now", name);
        add_line(&block, player, name, NULL, user);
        stage_name(all->key, i, "", "next", name);
        add_line(&block, player, name, &all->context->to, user);
        stage_name(all->key, i, "_plain", "now", name);
        add_line(&block, player, name, NULL, NULL);
        stage_name(all->key, i, "_plain", "next", name);
        add_line(&block, player, name, &all->context->to, NULL);
    }
    return block.data;
}

bool stage_stands(const char *text, const BlockKey *key)
{
    return block_stands(text, COMMENT, key);
}

/* STORE_CHANGED: from the beginning. */
static int set_once(Proxy *proxy, const BlockKey *key, const char *lines, bool keep, Error *error)
{
    char *text = NULL;
    if (store_read(proxy->store, NULL, &text, error) != 0) {
        return -1;
    }
    char *edited = block_put(text, COMMENT, key, lines);
    keep = keep && !stage_stands(text, key);
    int status = strcmp(edited, text) != 0 ? store_replace(proxy->store, NULL, text, edited, keep, error) : 0;
    free(edited);
    free(text);
    return status;
}

int stage_set(Proxy *proxy, const BlockKey *key, const char *lines, bool keep, Error *error)
{
    int status = STORE_CHANGED;
    for (int i = 0; i < TRIES && status == STORE_CHANGED; i++) {
        status = set_once(proxy, key, lines, keep, error);
    }
    return status == 0 ? 0 : -1;
}

int pgbouncer_clean(Proxy *proxy, ConfigFiles *files, Error *error)
{
    if (!stage_stands(files->files[0].text, &proxy->rehearsal)) {
        return 0;
    }
    config_files_free(files);
    return stage_set(proxy, &proxy->rehearsal, NULL, false, error) == 0 ? pgbouncer_read(proxy, files, error)
                                                                        : -1;
}

int stage_build(const Rehearsal *all, bool keep, Error *error)
{
    Proxy *proxy = all->proxy;
    if (pgbouncer_take_files(proxy, all->context->stop, error) != 0) {
        return -1;
    }
    char *lines = list_lines(all);
    int status = stage_set(proxy, all->key, lines, keep, error);
    if (status == 0) {
        status = pgbouncer_reload(proxy, NULL, error);
    }
    free(lines);
    pgbouncer_give_files(proxy);
    return status;
}

/* One that has ended reads its file when it is started again. */
int stage_strike(Proxy *proxy, const BlockKey *key, Error *error)
{
    if (pgbouncer_take_files(proxy, NULL, error) != 0) {
        return -1;
    }
    int status = stage_set(proxy, key, NULL, false, error);
    if (status == 0 && pgbouncer_reload(proxy, NULL, error) != 0 && !place_is_deserted(proxy->uri)) {
        status = -1;
    }
    pgbouncer_give_files(proxy);
    return status;
}
