/*
 * Which lane a change belongs to: a function of the relation's name, its class and the bytes of its key, the same in
 * every run and on every machine.
 */
#pragma once

#include "error.h"
#include "relation.h"
#include "reader.h"

/* What is the same for all rows of one run. */
typedef struct LaneRouter {
    const RowsRecord *rows;
    const SourceRelation *source;
    uint64_t seed; /* of the relation's name */
    int lanes;
    bool spread;
} LaneRouter;

/* Where one row goes: to `lane`; an update that changes the key also concerns `other` (else other == lane). */
typedef struct LaneRoute {
    int lane;
    int other;
    bool rekeyed; /* the update changes the key */
} LaneRoute;

void lane_router_init(LaneRouter *router, const ApplyRelation *relation, const RowsRecord *rows, int lanes);

/* Routes row number row of the run. ERROR_PROTOCOL when its key is not there. */
int lane_route(const LaneRouter *router, uint32_t row, LaneRoute *route, Error *error) MUST_CHECK;

/* The lane of a relation that stays whole; for any relation, the one in which it is truncated. */
int lane_home(const SourceRelation *source, int lanes);
