/*
 * What the target lacks to be as fast as the source from the first query on. Private to this folder.
 */
#pragma once

#include "cutover.h"

/* Names the target's tables that have rows and no statistics; NULL for none. The caller frees *names. */
int warm_without_statistics(Cutover *cutover, char **names, Error *error) MUST_CHECK;
