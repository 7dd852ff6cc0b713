/*
 * Is a fence standing? A boolean expression of SQL for the database that is asked, under whatever search_path and operators.
 *
 * Read-only by default alone may be anybody's: a fence has the connection limit, too, or the mark of one that leaves readers.
 */
#pragma once

/* A setting of the database that nobody reads but us. */
#define FENCE_MARK "penstock.fence"

/* Another, of a fence that stays when the migration is finished: "MIGRATION at TIME". It means nothing once the fence is gone. */
#define FENCE_FINISHED "penstock.finished"

/* Its value, as a text; NULL where there is none. */
#define FENCE_FINISHED_VALUE                                                                                 \
    "(SELECT pg_catalog.substr(c, pg_catalog.length('" FENCE_FINISHED "=') OPERATOR(pg_catalog.+) 1)"        \
    "  FROM pg_catalog.pg_database d JOIN pg_catalog.pg_db_role_setting s"                                   \
    "   ON s.setdatabase OPERATOR(pg_catalog.=) d.oid AND s.setrole OPERATOR(pg_catalog.=) "                 \
    "0::pg_catalog.oid,"                                                                                     \
    "   pg_catalog.unnest(s.setconfig) AS c"                                                                 \
    "  WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"                                 \
    "   AND pg_catalog.strpos(c, '" FENCE_FINISHED "=') OPERATOR(pg_catalog.=) 1)"

#define FENCE_STANDS                                                                                         \
    "(EXISTS (SELECT FROM pg_catalog.pg_database d JOIN pg_catalog.pg_db_role_setting s"                     \
    "  ON s.setdatabase OPERATOR(pg_catalog.=) d.oid AND s.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid" \
    "  WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"                                 \
    "   AND 'default_transaction_read_only=on'::pg_catalog.text OPERATOR(pg_catalog.=) ANY (s.setconfig)"    \
    "   AND (d.datconnlimit OPERATOR(pg_catalog.=) 0 OR ('" FENCE_MARK "=readers'::pg_catalog.text)"         \
    "     OPERATOR(pg_catalog.=) ANY (s.setconfig))))"
