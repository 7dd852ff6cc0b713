/*
 * Tables that somebody has dropped at the source while the migration copies, where DDL is not captured: the stream says nothing
 * of them.
 */
#pragma once

#include "copy.h"

/*
 * Those that were not copied yet, and are gone from the target as well, are no part of the migration any more; nor is what the
 * schema has of them. What is gone from the source alone stops the copy when its turn comes: nobody has said that it is to go.
 */
int gone_forget(Copy *copy, Error *error) MUST_CHECK;
