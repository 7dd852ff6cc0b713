/* PostgreSQL 11: the database's encoding. */
#pragma once

extern const char *GetDatabaseEncodingName(void);
