/*
 * The SQL of a comparison.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "table_query.h"

static const CompareColumn columns[] = {
    {.name = "id", .type = "int4", .key = true},
    {.name = "we\"ight", .type = "float8"},
    {.name = "sizes", .type = "_float4"},
    {.name = "home", .type = ""},
};

static void totals_hash_floats_by_their_bits(void **state)
{
    (void)state;
    char *sql =
        query_total(&(CompareSubject){.schema = "s", .name = "T", .columns = columns, .column_count = 4});
    assert_string_equal(sql,
                        "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended("
                        "ROW(t.\"id\", pg_catalog.float8send(t.\"we\"\"ight\"), "
                        "pg_catalog.array_send(t.\"sizes\"), t.\"home\")::text, 0)), 0)"
                        " FROM ONLY \"s\".\"T\" AS t");
    free(sql);
}

static void other_encodings_are_hashed_as_utf8(void **state)
{
    (void)state;
    char *sql = query_total(&(CompareSubject){.schema = "s",
                                              .name = "t",
                                              .partitioned = true,
                                              .to_utf8 = true,
                                              .columns = columns,
                                              .column_count = 1});
    assert_string_equal(
        sql, "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended("
             "pg_catalog.encode(pg_catalog.convert_to(ROW(t.\"id\")::text, 'UTF8'), 'hex'), 0)), 0)"
             " FROM \"s\".\"t\" AS t");
    free(sql);
}

static void buckets_are_of_the_key_alone(void **state)
{
    (void)state;
    char *sql =
        query_buckets(&(CompareSubject){.schema = "s", .name = "t", .columns = columns, .column_count = 2});
    assert_string_equal(sql, "SELECT (pg_catalog.hashtextextended(ROW(t.\"id\")::text, 0) & 4095)::int4, "
                             "pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended("
                             "ROW(t.\"id\", pg_catalog.float8send(t.\"we\"\"ight\"))::text, 0))"
                             " FROM ONLY \"s\".\"t\" AS t GROUP BY 1 ORDER BY 1");
    free(sql);
}

static void without_a_key_the_row_is_its_own(void **state)
{
    (void)state;
    char *sql =
        query_rows(&(CompareSubject){.schema = "s", .name = "t", .columns = columns + 3, .column_count = 1});
    assert_string_equal(
        sql, "SELECT pg_catalog.left(ROW(t.\"home\")::text, 200) COLLATE pg_catalog.\"C\", "
             "pg_catalog.hashtextextended(ROW(t.\"home\")::text, 0) FROM ONLY \"s\".\"t\" AS t WHERE "
             "(pg_catalog.hashtextextended(ROW(t.\"home\")::text, 0) & 4095)::int4 = ANY "
             "($1::int4[]) ORDER BY 1, 2");
    free(sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_hash_floats_by_their_bits),
        cmocka_unit_test(other_encodings_are_hashed_as_utf8),
        cmocka_unit_test(buckets_are_of_the_key_alone),
        cmocka_unit_test(without_a_key_the_row_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
