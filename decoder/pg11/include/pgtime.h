/* PostgreSQL 11: time zones. */
#pragma once

typedef struct pg_tz pg_tz;

extern pg_tz *session_timezone;

extern pg_tz *pg_tzset(const char *name);
