/*
 * Single values as readable text, for print.c.
 */
#pragma once

#include <stdio.h>

#include "wire.h"

/* 'text', escaped. */
void value_print_text(FILE *out, Bytes text);

/* Microseconds since 2000-01-01 UTC as "2026-11-22 03:14:07.123456". */
void value_print_time(FILE *out, int64_t time);

/* A value as the column's format and base type say. */
void value_print(FILE *out, const RelationColumnRecord *column, Bytes value);
