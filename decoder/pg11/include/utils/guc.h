/* PostgreSQL 11: reading a setting. */
#pragma once

extern const char *GetConfigOption(const char *name, bool missing_ok, bool restrict_privileged);
