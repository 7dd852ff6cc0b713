/*
 * The unit is seen in the bytes of one unit of currency, '1', as its send function gives them; the notation in the text of a
 * negative amount with thousands and decimals.
 */
#include "money.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char meaning_sql[] = "SELECT encode(cash_send('1'::money), 'hex'), "
                                  "(-1234.5)::numeric::money::text, current_setting('lc_monetary'),"
                                  " format('ALTER DATABASE %I SET lc_monetary = ', current_database())";

enum { UNIT, NOTATION, LOCALE, FIX };

/* Columns whose type is money or has it inside, from the types outward; whether it is inside of any but a domain. */
static const char columns_sql[] =
    "WITH RECURSIVE holder (type, inside) AS ("
    "  SELECT 'money'::regtype::oid, false"
    "  UNION"
    "  SELECT t.oid, t.typtype <> 'd' OR h.inside FROM holder h JOIN pg_type t"
    "    ON t.typtype = 'd' AND t.typbasetype = h.type OR t.typlen = -1 AND t.typelem = h.type"
    "    OR t.oid IN (SELECT r.rngtypid FROM pg_range r WHERE r.rngsubtype = h.type)"
    "    OR t.typtype = 'c' AND t.typrelid IN (SELECT a.attrelid FROM pg_attribute a"
    "                                           WHERE a.atttypid = h.type AND a.attnum > 0 AND NOT "
    "a.attisdropped))"
    "SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname), bool_or(h.inside)"
    "  FROM holder h JOIN pg_attribute a ON a.atttypid = h.type AND a.attnum > 0 AND NOT a.attisdropped"
    "  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')"
    "  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_'"
    "   AND n.nspname NOT IN ('information_schema', 'penstock')"
    " GROUP BY 1 ORDER BY 1";

/* Tells of the columns that differ, when either the unit or the notation does. */
static void tell(const PGresult *here, const PGresult *there, const PGresult *columns, MoneyFound found,
                 void *context)
{
    bool unit = strcmp(PQgetvalue(here, 0, UNIT), PQgetvalue(there, 0, UNIT)) != 0;
    char *why = NULL, *fix = NULL, *name = PQgetvalue(here, 0, LOCALE);
    if (asprintf(&why, "lc_monetary is %s at the source and %s on the target, where money has another %s",
                 name, PQgetvalue(there, 0, LOCALE), unit ? "number of decimals" : "notation") < 0 ||
        asprintf(&fix, "%s'%s'", PQgetvalue(there, 0, FIX), name) < 0) {
        abort();
    }
    for (int row = 0; row < PQntuples(columns); row++) {
        if (unit || *PQgetvalue(columns, row, 1) == 't') {
            found(context, PQgetvalue(columns, row, 0), why, fix);
        }
    }
    free(why);
    free(fix);
}

int money_compare(Database *source, Database *target, MoneyFound found, void *context, Error *error)
{
    PGresult *here = NULL, *there = NULL, *columns = NULL;
    int status = database_query(source, &here, error, meaning_sql, 0);
    if (status == 0) {
        status = database_query(target, &there, error, meaning_sql, 0);
    }
    if (status == 0 && (strcmp(PQgetvalue(here, 0, UNIT), PQgetvalue(there, 0, UNIT)) != 0 ||
                        strcmp(PQgetvalue(here, 0, NOTATION), PQgetvalue(there, 0, NOTATION)) != 0)) {
        status = database_query(source, &columns, error, columns_sql, 0);
        if (status == 0) {
            tell(here, there, columns, found, context);
        }
    }
    PQclear(here);
    PQclear(there);
    PQclear(columns);
    return status;
}
