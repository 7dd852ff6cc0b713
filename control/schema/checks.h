/*
 * CHECK constraints that look outside of their row: at another table, at the clock, at a setting. pg_dump writes them into
 * CREATE TABLE, so that rows are checked while the other table is empty, or years after they were right (the manual warns of
 * that, ddl-constraints). Here they are made after the rows.
 */
#pragma once

#include "schema.h"
#include "script.h"

/* Takes such constraints off the tables at the end of pre, and adds them to post. */
int checks_move(const SchemaRoad *road, SchemaScript *pre, SchemaScript *post, Error *error) MUST_CHECK;
