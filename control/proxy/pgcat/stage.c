/*
 * Our lines stand between two comments at the end (block.h).
 */
#include "pgcat/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "pgcat/plan.h"
#include "text.h"
#include "toml.h"

#define COMMENT "#"

/* Whoever waits for the other server in vain, waits this long. */
#define TIMEOUT "3000"

bool pgcat_is_stage(const char *pool)
{
    return strncmp(pool, PGCAT_REHEARSAL, strlen(PGCAT_REHEARSAL)) == 0;
}

void pgcat_stage_name(const BlockKey *key, size_t number, char out[64])
{
    snprintf(out, 64, PGCAT_REHEARSAL "%s_%zu", key->text, number);
}

bool pgcat_is_staged(const char *text, const BlockKey *key)
{
    return block_stands(text, COMMENT, key);
}

char *pgcat_strike(const char *text, const BlockKey *key)
{
    return block_put(text, COMMENT, key, NULL);
}

/* One connection for each user, and none before it is asked for. */
static int shrink(char **copy, const char *name, Error *error)
{
    const char *const users[] = {"pools", name, "users", NULL};
    const char *const pool[] = {"pools", name, NULL};
    int status = toml_set(copy, pool, "connect_timeout", TIMEOUT, error);
    char *user;
    for (size_t i = 0; status == 0 && (user = toml_child(*copy, users, i)) != NULL; i++) {
        const char *const table[] = {"pools", name, "users", user, NULL};
        status = toml_set(copy, table, "pool_size", "1", error);
        if (status == 0) {
            status = toml_set(copy, table, "min_pool_size", NULL, error);
        }
        free(user);
    }
    return status;
}

/* Where the plan's pool called pool moves, its copy leads to where now. */
static int lead(char **copy, const json_t *plan, const char *pool, const char *name, const Endpoint *where,
                Error *error)
{
    json_t *places = json_array(), *place;
    size_t i;
    json_array_foreach(json_object_get(plan, "places"), i, place)
    {
        if (strcmp(pgcat_text(place, "pool"), pool) == 0) {
            json_t *own = json_copy(place);
            json_object_set_new(own, "pool", json_string(name));
            json_array_append_new(places, own);
        }
    }
    json_t *own_plan = json_pack("{s:[], s:o}", "pools", "places", places);
    char *led = NULL;
    int status = pgcat_point(*copy, own_plan, where, 0, &led, error);
    json_decref(own_plan);
    if (status == 0) {
        free(*copy);
        *copy = led;
    }
    return status;
}

static int add_copy(Text *out, const char *text, const BlockKey *key, const json_t *plan, const char *pool,
                    size_t number, const Endpoint *where, Error *error)
{
    char name[64];
    pgcat_stage_name(key, number, name);
    char *copy = toml_copy(text, (const char *const[]){"pools", pool, NULL}, name);
    int status = shrink(&copy, name, error);
    if (status == 0) {
        status = lead(&copy, plan, pool, name, where, error);
    }
    text_append(out, copy);
    free(copy);
    return status;
}

int pgcat_stage(const char *text, const BlockKey *key, const json_t *plan, const Endpoint *where, char **out,
                Error *error)
{
    char *clean = pgcat_strike(text, key);
    size_t i;
    Text pools = {0};
    json_t *pool;
    int status = 0;
    text_append(&pools, "");
    json_array_foreach(json_object_get(plan, "pools"), i, pool)
    {
        if (status == 0) {
            status = add_copy(&pools, clean, key, plan, pgcat_text(pool, "pool"), i, where, error);
        }
    }
    *out = status == 0 ? block_put(text, COMMENT, key, pools.data) : NULL;
    text_free(&pools);
    free(clean);
    return status;
}
