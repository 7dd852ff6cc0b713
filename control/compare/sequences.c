/*
 * A sequence is a one-row relation: its position is read from there, on both sides by the same query, a few
 * hundred sequences in each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "sequences.h"
#include "text.h"

#define BATCH 400

static char *values_sql(const PGresult *names, int first, int last)
{
    Text sql = {0};
    for (int i = first; i < last; i++) {
        char *schema = database_quote(PQgetvalue(names, i, 0)),
             *name = database_quote(PQgetvalue(names, i, 1));
        text_printf(&sql, "%sSELECT %d AS number, last_value, is_called FROM %s.%s",
                    i == first ? "" : " UNION ALL ", i, schema, name);
        free(schema);
        free(name);
    }
    text_append(&sql, " ORDER BY number");
    return sql.data;
}

static int compare_batch(Database *source, Database *target, const PGresult *names, int first, int last,
                         size_t *different, char named[256], Error *error)
{
    PGresult *here = NULL, *there = NULL;
    char *sql = values_sql(names, first, last);
    int status = database_query(source, &here, error, sql, 0);
    if (status == 0) {
        status = database_query(target, &there, error, sql, 0);
    }
    for (int i = 0; status == 0 && i < last - first; i++) {
        if (strcmp(PQgetvalue(here, i, 1), PQgetvalue(there, i, 1)) == 0 &&
            strcmp(PQgetvalue(here, i, 2), PQgetvalue(there, i, 2)) == 0) {
            continue;
        }
        if ((*different)++ == 0) {
            snprintf(named, 256, "%s.%s", PQgetvalue(names, first + i, 0), PQgetvalue(names, first + i, 1));
        }
    }
    free(sql);
    PQclear(here);
    PQclear(there);
    return status;
}

int compare_sequences(Database *source, Database *target, size_t *count, size_t *different, char first[256],
                      Error *error)
{
    PGresult *names;
    *count = *different = 0;
    first[0] = '\0';
    if (sequences_list(source, &names, error) != 0) {
        return -1;
    }
    int status = 0, total = PQntuples(names);
    for (int i = 0; status == 0 && i < total; i += BATCH) {
        int last = i + BATCH < total ? i + BATCH : total;
        status = compare_batch(source, target, names, i, last, different, first, error);
    }
    *count = (size_t)total;
    PQclear(names);
    return status == 0 ? 0 : error_context(error, "comparing sequences");
}
