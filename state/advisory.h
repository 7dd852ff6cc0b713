/*
 * Who holds an advisory lock of ours: a FROM clause and the beginning of WHERE, to which conditions may be added.
 *
 * key is SQL for the lock's key; joins, "" or text that begins with a space, may use l, the row of pg_locks.
 */
#pragma once

#define ADVISORY_HOLDERS(key, joins)                                                                         \
    "pg_locks l" joins ", LATERAL (SELECT " key                                                              \
    " AS key) k WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "                             \
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "                     \
    "AND (l.classid::bigint << 32 | l.objid::bigint) = k.key"
