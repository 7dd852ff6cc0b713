/*
 * What a session makes in one transaction: objects of post-data that are made in a moment, and go as they are. What does not go
 * together goes by itself (make.c).
 */
#pragma once

#include "objects.h"

#define HANDFUL 50

typedef struct Handful {
    const PlannedObject *objects[HANDFUL];
    long items[HANDFUL]; /* the caller's own numbers */
    size_t count;
} Handful;

/*
 * Whether the object may be one of several. Beside the stream a transaction must not hold the locks of several, and whoever enters
 * (SchemaRoad.enter) looks at rows.
 */
bool handful_fits(const SchemaRoad *road, const PlannedObject *planned);

/*
 * Makes those that fit, from the first on, up to one that does not or is refused, and notes them as made, in a transaction of its
 * own. *made counts them. What goes wrong with all of them together is no error: nothing is made then.
 */
int handful_make(const SchemaRoad *road, Builder *builder, const Handful *handful, size_t *made,
                 Error *error) MUST_CHECK;
