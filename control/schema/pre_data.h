/*
 * What must be there before the rows, made in order by one session.
 */
#pragma once

#include "objects.h"

/*
 * Makes the objects of pre and then those of rights, and plans those of post, in one transaction; or, where the target's
 * lock table has no room for that many, in several, each of which writes down what it made. See schema_restore_pre_data.
 */
int pre_data_make(const SchemaRoad *road, const char *encoding, const SchemaScript *pre,
                  const SchemaScript *post, Error *error) MUST_CHECK;
