/*
 * The hash of a row starts with the hash of schema and name and runs through the key's cells: the bytes of a value,
 * seeded with what came before and with the column's format, or the cell's state where there is no value. A relation
 * that stays whole stops after its name; one whose rows go through another table takes that one's, so that all that do are in one
 * lane.
 *
 * The key of an insert is in its new row, of a delete in its old row. An update has its key in the old row when the
 * source sent one, else in the new row, because then it did not change. A column that is "unchanged" in the new row (a
 * TOASTed key) is taken from the old one.
 */
#include "lane.h"

#include <string.h>

#include <xxhash.h>

static uint64_t name_hash(const SourceRelation *source)
{
    uint64_t hash = XXH3_64bits(source->schema, strlen(source->schema));
    return XXH3_64bits_withSeed(source->name, strlen(source->name), hash);
}

void lane_router_init(LaneRouter *router, const ApplyRelation *relation, const RowsRecord *rows, int lanes)
{
    *router = (LaneRouter){
        .rows = rows,
        .source = relation->source,
        .seed = relation->route != NULL ? XXH3_64bits(relation->route, strlen(relation->route))
                                        : name_hash(relation->source),
        .lanes = lanes,
        .spread = relation->lane_class == LANE_SPREAD && relation->source->key_count > 0,
    };
}

/* One key cell on a side; an unchanged one of the new row is read from the old row, where there is one. */
static CellState key_cell(const RowsRecord *rows, RowSide side, uint32_t column, uint32_t row, Bytes *value)
{
    CellState state = rows_cell(rows, side, column, row, value);
    if (state == CELL_UNCHANGED && side == SIDE_NEW && rows->sides[SIDE_OLD] != NULL) {
        state = rows_cell(rows, SIDE_OLD, column, row, value);
    }
    return state;
}

static int hash_key(const LaneRouter *router, RowSide side, uint32_t row, int *lane, Error *error)
{
    uint64_t hash = router->seed;
    for (uint32_t i = 0; i < router->source->key_count; i++) {
        uint32_t column = router->source->keys[i];
        Bytes value;
        CellState state = key_cell(router->rows, side, column, row, &value);
        if (state == CELL_UNCHANGED || state == CELL_ABSENT) {
            error_set(error, ERROR_PROTOCOL, "a change of %s.%s came without its key column \"%s\"",
                      router->source->schema, router->source->name, router->source->columns[column].name);
            return error_hint(error,
                              "A source older than 11.15 leaves out key values that are stored out of line: "
                              "update the source server, or shorten those keys.");
        }
        hash += (uint64_t)router->source->columns[column].format + 1;
        hash = state == CELL_VALUE ? XXH3_64bits_withSeed(value.data, value.size, hash)
                                   : XXH3_64bits_withSeed("", 0, hash ^ UINT64_C(0x9e3779b97f4a7c15));
    }
    *lane = (int)(hash % (uint64_t)router->lanes);
    return 0;
}

static bool key_differs(const LaneRouter *router, uint32_t row)
{
    for (uint32_t i = 0; i < router->source->key_count; i++) {
        uint32_t column = router->source->keys[i];
        Bytes before, after;
        CellState old_state = rows_cell(router->rows, SIDE_OLD, column, row, &before);
        CellState new_state = key_cell(router->rows, SIDE_NEW, column, row, &after);
        if (old_state != new_state) {
            return true;
        }
        if (old_state == CELL_VALUE &&
            (before.size != after.size ||
             (before.size > 0 && memcmp(before.data, after.data, before.size) != 0))) {
            return true;
        }
    }
    return false;
}

int lane_route(const LaneRouter *router, uint32_t row, LaneRoute *route, Error *error)
{
    const RowsRecord *rows = router->rows;
    if (!router->spread) {
        route->lane = route->other = (int)(router->seed % (uint64_t)router->lanes);
        route->rekeyed = false;
        return 0;
    }
    bool has_old = rows->sides[SIDE_OLD] != NULL;
    if (hash_key(router, has_old ? SIDE_OLD : SIDE_NEW, row, &route->lane, error) != 0) {
        return -1;
    }
    route->other = route->lane;
    route->rekeyed = rows->kind == CHANGE_UPDATE && has_old && key_differs(router, row);
    return route->rekeyed ? hash_key(router, SIDE_NEW, row, &route->other, error) : 0;
}

int lane_home(const SourceRelation *source, int lanes)
{
    return (int)(name_hash(source) % (uint64_t)lanes);
}
