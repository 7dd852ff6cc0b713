/* PostgreSQL 11: functions by OID. */
#pragma once

#define F_OIDEQ 184
