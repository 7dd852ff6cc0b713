/*
 * Roles that own or may use what is restored, and that the target lacks.
 */
#pragma once

#include "schema.h"

/* ERROR_TARGET naming those that are missing, unless neither owners nor grants are wanted. */
int needed_roles_check(const SchemaRoad *road, Error *error) MUST_CHECK;
