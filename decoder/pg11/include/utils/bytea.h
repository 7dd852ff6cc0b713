/* PostgreSQL 11: how bytea is written as text. */
#pragma once

#define BYTEA_OUTPUT_HEX 1

extern int bytea_output;
