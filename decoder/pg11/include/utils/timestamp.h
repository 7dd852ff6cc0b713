/* PostgreSQL 11: the time. */
#pragma once

extern TimestampTz GetCurrentTimestamp(void);
