/* PostgreSQL 11: small catalog questions. */
#pragma once

extern char *get_namespace_name(Oid schema);
