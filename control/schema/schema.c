/*
 * The two schema steps: what must be there before the rows (pre-data), and what is better made after them
 * (post-data: indexes, constraints, triggers, rules, materialized views' contents).
 *
 * Pre-data goes into one transaction where the target's lock table is large enough for it. Repeated, it first
 * drops what an earlier attempt has made: nothing is lost, since no rows were there yet, and the target was
 * empty when the migration began. Post-data goes parallel, one transaction per entry; repeated, entries whose
 * object exists on the target are left out. Objects are compared by pg_identify_object, which speaks the same
 * on both majors. Entries that are no object of their own (ATTACH, COMMENT, REFRESH, ROW SECURITY) can be run
 * twice.
 *
 * The archive is not kept between runs: it is dumped again, since the schema must not change anyway.
 */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "toc.h"

/* Roles that the database's objects mention, and that must be on the target; owners of OID 10 are pinned. */
static const char roles_sql[] =
    "SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d"
    "  JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid AND d.refclassid = "
    "'pg_catalog.pg_authid'::pg_catalog.regclass"
    " WHERE d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    "   AND (d.deptype = 'o' AND $1::bool OR d.deptype <> 'o' AND $2::bool)"
    " UNION SELECT r.rolname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner"
    "        WHERE c.oid >= 16384 AND r.oid = 10 AND $1::bool"
    " ORDER BY 1";

static int missing_roles(const SchemaRoad *road, const char *wanted, Text *missing, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(road->target, &rows, error,
                       "SELECT w FROM unnest($1::text[]) w"
                       " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = w)",
                       1, wanted) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        text_printf(missing, "%s%s", i > 0 ? ", " : "", PQgetvalue(rows, i, 0));
    }
    PQclear(rows);
    return 0;
}

static int check_roles(const SchemaRoad *road, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(road->source, &rows, error, roles_sql, 2, road->options.no_owner ? "f" : "t",
                       road->options.no_privileges ? "f" : "t") != 0) {
        return -1;
    }
    Text wanted = {0}, missing = {0};
    for (int i = 0; i < PQntuples(rows); i++) {
        text_array_add(&wanted, PQgetvalue(rows, i, 0));
    }
    text_array_end(&wanted);
    PQclear(rows);
    int status = missing_roles(road, wanted.data, &missing, error);
    if (status == 0 && missing.size > 0) {
        status = error_set(error, ERROR_TARGET,
                           "roles that own or may use objects are missing on the target: %s", missing.data);
        error_hint(
            error,
            "create them there (pg_dumpall --roles-only on the source says how), or use --no-owner and "
            "--no-privileges");
    }
    text_free(&wanted);
    text_free(&missing);
    return status;
}

/* Whether the target's lock table can hold everything that pre-data makes: some six locks for each relation. */
static int fits_one_transaction(const SchemaRoad *road, bool *fits, Error *error)
{
    char *relations = NULL, *locks = NULL;
    int status = database_value(road->source, &relations, error,
                                "SELECT count(*) * 6 FROM pg_catalog.pg_class"
                                " WHERE oid >= 16384 AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')",
                                0);
    if (status == 0) {
        status = database_value(road->target, &locks, error,
                                "SELECT pg_catalog.current_setting('max_locks_per_transaction')::int"
                                " * (pg_catalog.current_setting('max_connections')::int"
                                "    + pg_catalog.current_setting('max_prepared_transactions')::int) / 2",
                                0);
    }
    *fits = status == 0 && atol(relations) < atol(locks);
    free(relations);
    free(locks);
    return status;
}

/* Of the objects $1 (number), $2 (type) and $3 (identity), the numbers of those that exist. */
static const char existing_sql[] =
    "SELECT w.number FROM unnest($1::int[], $2::text[], $3::text[]) w (number, type, identity)"
    "  JOIN (SELECT i.type, i.identity FROM ("
    "      SELECT 'pg_catalog.pg_class'::regclass::oid, indexrelid FROM pg_catalog.pg_index"
    "      UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint"
    "      UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, oid FROM pg_catalog.pg_trigger WHERE NOT "
    "tgisinternal"
    "      UNION ALL SELECT 'pg_catalog.pg_rewrite'::regclass, oid FROM pg_catalog.pg_rewrite"
    "      UNION ALL SELECT 'pg_catalog.pg_policy'::regclass, oid FROM pg_catalog.pg_policy"
    "      UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::regclass, oid FROM pg_catalog.pg_statistic_ext"
    "      UNION ALL SELECT 'pg_catalog.pg_event_trigger'::regclass, oid FROM pg_catalog.pg_event_trigger"
    "      UNION ALL SELECT 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication"
    "      UNION ALL SELECT 'pg_catalog.pg_publication_rel'::regclass, oid FROM pg_catalog.pg_publication_rel"
    "    ) o (class, object), pg_catalog.pg_identify_object(o.class, o.object, 0) i WHERE o.object >= 16384) "
    "e"
    "  ON e.type = w.type AND e.identity = w.identity";

/* The type and identity of each entry's object, asked of the source. */
static int identify(const SchemaRoad *road, const TocEntry *entries, size_t count, PGresult **out,
                    Error *error)
{
    Text arrays[3] = {{0}, {0}, {0}};
    for (size_t i = 0; i < count; i++) {
        char text[3][24];
        snprintf(text[0], sizeof(text[0]), "%zu", i);
        snprintf(text[1], sizeof(text[1]), "%u", entries[i].class_id);
        snprintf(text[2], sizeof(text[2]), "%u", entries[i].object_id);
        for (int j = 0; j < 3 && entries[i].class_id != 0; j++) {
            text_array_add(&arrays[j], text[j]);
        }
    }
    for (int j = 0; j < 3; j++) {
        text_array_end(&arrays[j]);
    }
    int status = database_query(road->source, out, error,
                                "SELECT o.number, i.type, i.identity"
                                "  FROM unnest($1::int[], $2::oid[], $3::oid[]) o (number, class, object),"
                                "       pg_catalog.pg_identify_object(o.class, o.object, 0) i"
                                " WHERE i.identity IS NOT NULL",
                                3, arrays[0].data, arrays[1].data, arrays[2].data);
    for (int j = 0; j < 3; j++) {
        text_free(&arrays[j]);
    }
    return status;
}

static int find_existing(const SchemaRoad *road, const PGresult *identities, PGresult **out, Error *error)
{
    Text arrays[3] = {{0}, {0}, {0}};
    for (int j = 0; j < 3; j++) {
        for (int i = 0; i < PQntuples(identities); i++) {
            text_array_add(&arrays[j], PQgetvalue(identities, i, j));
        }
        text_array_end(&arrays[j]);
    }
    int status = database_query(road->target, out, error, existing_sql, 3, arrays[0].data, arrays[1].data,
                                arrays[2].data);
    for (int j = 0; j < 3; j++) {
        text_free(&arrays[j]);
    }
    return status;
}

/* Marks the entries whose object is on the target already. */
static int skip_existing(const SchemaRoad *road, TocEntry *entries, size_t count, Error *error)
{
    PGresult *identities = NULL, *existing = NULL;
    int status = identify(road, entries, count, &identities, error);
    if (status == 0) {
        status = find_existing(road, identities, &existing, error);
    }
    for (int i = 0; status == 0 && i < PQntuples(existing); i++) {
        size_t number = strtoul(PQgetvalue(existing, i, 0), NULL, 10);
        if (number < count) {
            entries[number].skip = true;
        }
    }
    PQclear(identities);
    PQclear(existing);
    return status;
}

/* Restores the section that mode names; when only_missing, what of it is not on the target yet. */
static int restore_section(const SchemaRoad *road, const Archive *archive, const RestoreMode *mode,
                           bool only_missing, Error *error)
{
    Text list = {0}, use_list = {0};
    TocEntry *entries = NULL;
    size_t count = 0;
    int status = archive_list(archive, mode->section, &list, error);
    if (status == 0) {
        toc_parse(list.data != NULL ? list.data : "", &entries, &count);
        status = only_missing ? skip_existing(road, entries, count, error) : 0;
    }
    if (status == 0) {
        toc_write(entries, count, &use_list);
        status = archive_restore(archive, &use_list, mode, error);
    }
    free(entries);
    text_free(&list);
    text_free(&use_list);
    return status;
}

static int restore_pre_data(const SchemaRoad *road, const Archive *archive, bool repeated, Error *error)
{
    RestoreMode mode = {.section = "pre-data", .drop_first = repeated, .jobs = 1};
    if (fits_one_transaction(road, &mode.in_one_transaction, error) != 0) {
        return -1;
    }
    return restore_section(road, archive, &mode, false, error);
}

int schema_restore_pre_data(const SchemaRoad *road, bool repeated, Error *error)
{
    Archive *archive = NULL;
    if (check_roles(road, error) != 0 || archive_dump(road, &archive, error) != 0) {
        return -1;
    }
    int status = restore_pre_data(road, archive, repeated, error);
    archive_free(archive);
    return status;
}

int schema_restore_post_data(const SchemaRoad *road, bool repeated, Error *error)
{
    Archive *archive = NULL;
    if (archive_dump(road, &archive, error) != 0) {
        return -1;
    }
    const RestoreMode mode = {.section = "post-data", .jobs = road->jobs};
    int status = restore_section(road, archive, &mode, repeated, error);
    archive_free(archive);
    return status;
}
