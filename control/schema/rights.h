/*
 * What pg_dump of one database does not bring, or brings wrong: who owns schema public and the database, who may do what with
 * them, their comments, the database's connection limit, and settings of the database and of roles in it.
 *
 * A pg_dump newer than 14 takes for granted that PUBLIC may not create in schema public, and writes no REVOKE for a server
 * that grants it; the rest is in a dump of all databases only. A migrated database must not be more open than its source.
 */
#pragma once

#include "schema.h"
#include "script.h"

/* Adds them to the objects of pre-data. */
int rights_add(const SchemaRoad *road, SchemaScript *pre, Error *error) MUST_CHECK;
