/*
 * Is a fence standing? A boolean expression of SQL for the database that is asked, under whatever search_path and operators.
 *
 * Read-only by default alone may be anybody's: a fence has the connection limit, too, or the mark of one that leaves readers.
 */
#pragma once

/* A setting of the database that nobody reads but us. */
#define FENCE_MARK "penstock.fence"

#define FENCE_STANDS                                                                                         \
    "(EXISTS (SELECT FROM pg_catalog.pg_database d JOIN pg_catalog.pg_db_role_setting s"                     \
    "  ON s.setdatabase OPERATOR(pg_catalog.=) d.oid AND s.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid" \
    "  WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"                                 \
    "   AND 'default_transaction_read_only=on'::pg_catalog.text OPERATOR(pg_catalog.=) ANY (s.setconfig)"    \
    "   AND (d.datconnlimit OPERATOR(pg_catalog.=) 0 OR ('" FENCE_MARK "=readers'::pg_catalog.text)"         \
    "     OPERATOR(pg_catalog.=) ANY (s.setconfig))))"
