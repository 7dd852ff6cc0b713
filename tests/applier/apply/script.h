/*
 * Changes written by hand, for tests. A relation is "schema.name identity column …", a key column ends in *,
 * a column may have its source type's OID behind a colon (text otherwise), and all values are in text format:
 *
 *     public.t default id*:23 a b
 *
 * A change is its kind and its cells, one per column; for updates that send the old row, that and > first:
 *
 *     I 1 x y        insert          ~  unchanged
 *     U 1 x ~        update          -  null
 *     U 1 > 2 x y    update of key 1 (of row 1 a b under full: U 1 a b > 1 a c)
 *     D 1            delete          ''  the empty text
 */
#pragma once

#include "arena.h"
#include "batch.h"

/* Both live in arena. A line that is not understood ends the program. */
SourceRelation *script_relation(Arena *arena, const char *line);
Change script_change(Arena *arena, const ApplyRelation *relation, const char *line, Position position);
