/*
 * The source keeps the WAL of two cycles of the copy, or of as long as its longest job takes: the largest table, at 30 MB/s.
 * What was written in the last hour is known from the files that are there. How much is free on their disk no server tells;
 * where the server runs on this machine, and its folder can be read, the disk is asked.
 */
#include "check.h"
#include "sql.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "text.h"

#define WORTH_SAYING 1e10

/* What must fit, in bytes; the same in words; the server's identifier; its folder, "" to who may not know. */
static const char wal_sql[] =
    "SELECT rate * seconds * 2, format('%s an hour are written; for a copy whose longest job takes %s, %s "
    "must "
    "fit', pg_size_pretty((rate * 3600)::int8), date_trunc('minute', seconds * interval '1 s' + interval '30 "
    "s'), pg_size_pretty((rate * seconds * 2)::int8)), (SELECT system_identifier FROM pg_control_system()), "
    "coalesce((SELECT setting FROM pg_settings WHERE name = 'data_directory'), '') FROM (SELECT (SELECT "
    "coalesce(sum(size), 0) / greatest(extract(epoch FROM now() - min(modification)), 300) FROM "
    "pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' AND modification > now() - interval '1 hour')::float8 AS "
    "rate, (SELECT greatest(600, max(pg_table_size(c.oid))::numeric / " TEXT_OF(
        CONNECTION_BYTES_PER_SECOND) ")::float8 FROM " USER_RELATIONS " WHERE c.relkind = 'r') AS seconds) w";

enum { NEED, WORDS, IDENTIFIER, FOLDER };

/* Whether folder, on this machine, is that of the server: its control file begins with the identifier. */
static bool is_here(const char *folder, uint64_t identifier)
{
    char *path = NULL;
    uint64_t found = 0;
    if (*folder == '\0' || asprintf(&path, "%s/global/pg_control", folder) < 0) {
        return false;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool read_it = file >= 0 && read(file, &found, sizeof found) == sizeof found;
    if (file >= 0) {
        close(file);
    }
    free(path);
    return read_it && found == identifier;
}

/* Bytes that are free where the WAL lies, or -1. */
static double free_beside(const char *folder)
{
    char *path = NULL;
    struct statvfs disk;
    double bytes = -1;
    if (asprintf(&path, "%s/pg_wal", folder) >= 0 && statvfs(path, &disk) == 0) {
        bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    }
    free(path);
    return bytes;
}

static void tell(const PGresult *row, json_t *findings)
{
    const char *folder = PQgetvalue(row, 0, FOLDER);
    double need = strtod(PQgetvalue(row, 0, NEED), NULL);
    bool here = is_here(folder, strtoull(PQgetvalue(row, 0, IDENTIFIER), NULL, 10));
    double room = here ? free_beside(folder) : -1;
    char *detail = NULL;
    if (need <= WORTH_SAYING && (room < 0 || need <= room)) {
        return;
    }
    int size = room < 0 ? asprintf(&detail, "%s; how much is free there is not known from here",
                                   PQgetvalue(row, 0, WORDS))
                        : asprintf(&detail, "%s, and %s%.1f GB are free there", PQgetvalue(row, 0, WORDS),
                                   need > room ? "only " : "", room / 1e9);
    if (size < 0) {
        abort();
    }
    finding_add(findings, "pg_wal", detail, NULL);
    free(detail);
}

int probe_wal_rate(CheckContext *context, json_t *findings, Error *error)
{
    PGresult *row = NULL;
    bool may = false;
    if (database_found(context->source, &may, error,
                       "SELECT 1 WHERE has_function_privilege('pg_ls_waldir()', 'EXECUTE') AND "
                       "has_function_privilege('pg_control_system()', 'EXECUTE')",
                       0) != 0) {
        return -1;
    }
    if (!may) {
        return check_skip(error, "the role may not list the WAL (pg_monitor may)");
    }
    if (database_query(context->source, &row, error, wal_sql, 0) != 0) {
        return -1;
    }
    tell(row, findings);
    PQclear(row);
    return 0;
}
