/* PostgreSQL 11: odds and ends. */
#pragma once

extern int extra_float_digits;

extern char *quote_qualified_identifier(const char *qualifier, const char *identifier);
extern bool parse_bool(const char *value, bool *result);
