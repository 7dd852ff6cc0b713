/* PostgreSQL 11: replication origins. */
#pragma once

extern bool replorigin_by_oid(RepOriginId id, bool missing_ok, char **name);
