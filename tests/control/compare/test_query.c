/*
 * The SQL of a comparison.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forms.h"
#include "table_query.h"

static const CompareColumn columns[] = {
    {.name = "id", .form = "\1", .key = true},
    {.name = "we\"ight", .form = "pg_catalog.float8send(\1)", .bytes = true},
    {.name = "home", .form = "\1"},
};

static const CompareSubject plain = {.schema = "s", .name = "T", .columns = columns, .column_count = 3};

#define ROW "ROW(t.\"id\", pg_catalog.float8send(t.\"we\"\"ight\"), t.\"home\")::pg_catalog.text"
#define KEY "ROW(t.\"id\")::pg_catalog.text"

static void check(char *sql, const char *expected)
{
    assert_string_equal(sql, expected);
    free(sql);
}

static void totals_hash_values_in_their_forms(void **state)
{
    (void)state;
    const CompareSubject *subjects[] = {&plain};
    check(query_totals(subjects, 1),
          "SELECT 0, pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(" ROW
          ", 0)), 0) FROM ONLY \"s\".\"T\" AS t WHERE true");
}

static void what_is_sent_is_hashed_as_it_is_sent(void **state)
{
    (void)state;
    const CompareColumn sent[] = {
        {.name = "id", .form = "\1", .sent = "\1", .key = true},
        {.name = "f", .form = "pg_catalog.float8send(\1)", .bytes = true, .sent = "nan(\1)"},
        {.name = "mood", .form = "\1"},
    };
    CompareSubject subject = {.schema = "s", .name = "T", .sent = true, .columns = sent, .column_count = 3};
    const CompareSubject *subjects[] = {&subject};
    check(query_totals(subjects, 1),
          "SELECT 0, pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hash_array_extended("
          "ARRAY[pg_catalog.record_send(ROW(t.\"id\", nan(t.\"f\"), ROW(t.\"mood\")::pg_catalog.text))], "
          "0)), 0)"
          " FROM ONLY \"s\".\"T\" AS t WHERE true");
    check(query_key_hash(&subject),
          "pg_catalog.hash_array_extended(ARRAY[pg_catalog.record_send(ROW(t.\"id\"))], 0)");
    subject.careful = true;
    char *careful = query_row_hash(&subject);
    assert_null(strstr(careful, "record_send")); /* a row may be longer than what can be sent */
    free(careful);
}

static void many_tables_are_one_query(void **state)
{
    (void)state;
    const CompareSubject whole = {.schema = "s", .name = "t", .partitioned = true};
    const CompareSubject *subjects[] = {&whole, &whole};
    check(query_totals(subjects, 2),
          "SELECT 0, pg_catalog.count(*), "
          "coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW()::pg_catalog.text, "
          "0)), 0) FROM \"s\".\"t\" AS t WHERE true UNION ALL "
          "SELECT 1, pg_catalog.count(*), "
          "coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW()::pg_catalog.text, "
          "0)), 0) FROM \"s\".\"t\" AS t WHERE true");
}

static void a_pace_sleeps_between_bursts(void **state)
{
    (void)state;
    CompareSubject subject = plain;
    subject.column_count = 0;
    subject.pace = (ComparePace){.rows = 500, .seconds = 0.0125};
    const CompareSubject *subjects[] = {&subject};
    check(
        query_totals(subjects, 1),
        "SELECT 0, pg_catalog.count(*), "
        "coalesce(pg_catalog.sum(pg_catalog.hashtextextended(ROW()::pg_catalog.text, 0)), 0), "
        "pg_catalog.count(*) FILTER (WHERE CASE WHEN pg_catalog.random() OPERATOR(pg_catalog.<) "
        "'0.002'::pg_catalog.float8 THEN pg_catalog.pg_sleep('0.0125'::pg_catalog.float8) IS NULL ELSE false "
        "END) FROM ONLY \"s\".\"T\" AS t WHERE true");
}

static void who_yields_stays_away_for_as_long_as_it_woke_late(void **state)
{
    (void)state;
    CompareSubject subject = plain;
    subject.pace = (ComparePace){.rows = 500, .yields = true};
    const CompareSubject *subjects[] = {&subject};
    char *sql = query_totals(subjects, 1);
    const char *nap = strstr(sql, "pg_catalog.pg_sleep('0.002'::pg_catalog.float8)");
    assert_non_null(nap);
    assert_non_null(strstr(nap, "OPERATOR(pg_catalog.*) '30'::pg_catalog.float8"));
    free(sql);
}

static void other_encodings_are_hashed_as_utf8(void **state)
{
    (void)state;
    CompareSubject subject = plain;
    subject.to_utf8 = true;
    subject.column_count = 1;
    const CompareSubject *subjects[] = {&subject};
    check(query_totals(subjects, 1), "SELECT 0, pg_catalog.count(*), "
                                     "coalesce(pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.encode("
                                     "pg_catalog.convert_to(" KEY ", 'UTF8'), 'hex'), 0)), 0)"
                                     " FROM ONLY \"s\".\"T\" AS t WHERE true");
}

static void ranges_conditions_and_samples_restrict(void **state)
{
    (void)state;
    CompareSubject subject = plain;
    subject.column_count = 1;
    subject.condition = "WHERE id > 5";
    subject.range = (QueryRange){.column = "id", .type = "int8", .first_key = "10", .last_key = ""};
    subject.sample = 100;
    const CompareSubject *subjects[] = {&subject};
    check(query_totals(subjects, 1),
          "SELECT 0, pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(" KEY
          ", 0)), 0) FROM (SELECT * FROM ONLY \"s\".\"T\" WHERE id > 5) AS t WHERE true"
          " AND t.\"id\" OPERATOR(pg_catalog.>=) '10'::pg_catalog.int8"
          " AND pg_catalog.abs(pg_catalog.hashtextextended(" KEY
          ", 0) OPERATOR(pg_catalog.%) 10000::pg_catalog.int8)"
          " OPERATOR(pg_catalog.<) 100::pg_catalog.int8");
}

static void buckets_are_of_the_key_alone(void **state)
{
    (void)state;
    check(query_buckets(&plain), "SELECT (pg_catalog.hashtextextended(" KEY
                                 ", 0) OPERATOR(pg_catalog.&) 4095::pg_catalog.int8)::pg_catalog.int4, "
                                 "pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(" ROW
                                 ", 0)) FROM ONLY \"s\".\"T\" AS t WHERE true GROUP BY 1 ORDER BY 1");
}

static void without_a_key_the_row_is_its_own(void **state)
{
    (void)state;
    CompareSubject subject = plain;
    subject.columns = columns + 2;
    subject.column_count = 1;
#define HOME "ROW(t.\"home\")::pg_catalog.text"
    check(query_rows(&subject), "SELECT pg_catalog.left(" HOME ", 200) COLLATE pg_catalog.\"C\", "
                                "pg_catalog.hashtextextended(" HOME ", 0), pg_catalog.hashtextextended(" HOME
                                ", 0) FROM ONLY \"s\".\"T\" AS t WHERE true AND "
                                "(pg_catalog.hashtextextended(" HOME ", 0) OPERATOR(pg_catalog.&) "
                                "4095::pg_catalog.int8)::pg_catalog.int4 OPERATOR(pg_catalog.=) ANY "
                                "($1::pg_catalog.int4[]) ORDER BY 2, 3");
}

static void a_careful_hash_is_of_hashes(void **state)
{
    (void)state;
    CompareSubject subject = plain;
    subject.careful = true;
    char *sql = query_rows(&subject);
    assert_non_null(strstr(sql, "ELSE pg_catalog.md5(pg_catalog.concat(t.\"id\")) END, "
                                "pg_catalog.md5(pg_catalog.float8send(t.\"we\"\"ight\")), "
                                "CASE WHEN t.\"home\" IS NOT DISTINCT FROM NULL THEN NULL "));
    assert_non_null(strstr(sql, "left(ROW(t.\"id\")"));
    free(sql);
}

static void a_form_takes_its_value_wherever_it_stands(void **state)
{
    (void)state;
    check(form_apply("f(\1, '%')", "t.\"a\""), "f(t.\"a\", '%')");
    check(form_apply("", "x"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_hash_values_in_their_forms),
        cmocka_unit_test(what_is_sent_is_hashed_as_it_is_sent),
        cmocka_unit_test(many_tables_are_one_query),
        cmocka_unit_test(a_pace_sleeps_between_bursts),
        cmocka_unit_test(who_yields_stays_away_for_as_long_as_it_woke_late),
        cmocka_unit_test(other_encodings_are_hashed_as_utf8),
        cmocka_unit_test(ranges_conditions_and_samples_restrict),
        cmocka_unit_test(buckets_are_of_the_key_alone),
        cmocka_unit_test(without_a_key_the_row_is_its_own),
        cmocka_unit_test(a_careful_hash_is_of_hashes),
        cmocka_unit_test(a_form_takes_its_value_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
