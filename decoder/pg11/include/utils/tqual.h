/* PostgreSQL 11: snapshots that are always there. */
#pragma once

#include "access/genam.h"

extern struct SnapshotData SnapshotAnyData;

#define SnapshotAny (&SnapshotAnyData)
