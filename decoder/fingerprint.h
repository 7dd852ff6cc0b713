/*
 * One number for everything that a relation record says, to tell a changed definition from one that was only
 * invalidated.
 */
#pragma once

#include "wire.h"

/* Never 0. record->fingerprint itself is not read. */
uint64_t relation_fingerprint(const RelationRecord *record);
