/*
 * What was applied: by lane since the start, by table since the last take, and no more tables at once than a report may
 * carry.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "counts.h"

#define SECOND 1000000u

static const ApplyRelation spread = {.number = 70, .serial = 1, .lane_class = LANE_SPREAD};
static const ApplyRelation whole = {.number = 80, .serial = 2, .lane_class = LANE_WHOLE};

/* Adds a batch of one change per entry: relation, lane, commit. */
typedef struct Entry {
    const ApplyRelation *relation;
    int lane;
    Lsn commit;
} Entry;

static void add(Counts *counts, const Entry *entries, size_t count, uint64_t now)
{
    Batch *batch = batch_new(BATCH_ROWS);
    for (size_t i = 0; i < count; i++) {
        Change change = {
            .relation = entries[i].relation, .lane = entries[i].lane, .position = {entries[i].commit, i + 1}};
        batch_add_change(batch, &change);
    }
    counts_add(counts, batch, now);
    batch_free(batch);
}

static void assert_table(const TableCount *count, int64_t table, int lane, uint64_t rows, double seconds)
{
    assert_int_equal(count->table, table);
    assert_int_equal(count->lane, lane);
    assert_int_equal(count->rows, rows);
    assert_true(count->seconds > seconds - 0.01 && count->seconds < seconds + 0.01);
}

static void rows_are_counted_by_lane_and_by_table(void **state)
{
    (void)state;
    Counts *counts = counts_new(2);
    CountsReport report;
    assert_true(counts_take(counts, 10 * SECOND, false, &report));
    assert_int_equal(report.table_count, 0);
    counts_report_free(&report);

    add(counts, (Entry[]){{&spread, 0, 100}, {&spread, 1, 100}, {&whole, 1, 100}, {&spread, 1, 200}}, 4,
        11 * SECOND);
    add(counts, (Entry[]){{&whole, 1, 200}, {&whole, 1, 200}}, 2, 12 * SECOND);
    assert_false(counts_take(counts, 12 * SECOND + SECOND / 10, false, &report));
    assert_true(counts_take(counts, 20 * SECOND, false, &report));
    assert_int_equal(report.table_count, 2);
    assert_table(&report.tables[0], 70, -1, 3, 10);
    assert_table(&report.tables[1], 80, 1, 3, 10);
    assert_string_equal(report.lanes, "[{\"rows\": 1, \"transactions\": 1, \"rows_per_second\": 0.1, "
                                      "\"transactions_per_second\": 0.1}, "
                                      "{\"rows\": 5, \"transactions\": 2, \"rows_per_second\": 0.5, "
                                      "\"transactions_per_second\": 0.2}]");
    counts_report_free(&report);
    counts_free(counts);
}

static void idle_lanes_come_to_rest(void **state)
{
    (void)state;
    Counts *counts = counts_new(1);
    CountsReport report;
    add(counts, (Entry[]){{&spread, 0, 100}}, 1, SECOND);
    assert_true(counts_take(counts, SECOND, false, &report));
    counts_report_free(&report);
    assert_true(counts_take(counts, 10 * SECOND, false, &report));
    assert_int_equal(report.table_count, 0);
    assert_string_equal(report.lanes, "[{\"rows\": 1, \"transactions\": 1, \"rows_per_second\": 0.0, "
                                      "\"transactions_per_second\": 0.0}]");
    counts_report_free(&report);
    counts_free(counts);
}

static void tables_take_turns(void **state)
{
    enum { TABLES = 5000 };
    static ApplyRelation relations[TABLES];
    (void)state;
    Counts *counts = counts_new(1);
    CountsReport report;
    assert_true(counts_take(counts, SECOND, false, &report));
    counts_report_free(&report);
    for (int i = 0; i < TABLES; i++) {
        relations[i] = (ApplyRelation){.number = i, .serial = (uint64_t)i + 1};
        add(counts, &(Entry){&relations[i], 0, 100}, 1, 2 * SECOND);
    }
    uint64_t seen = 0, now = 2 * SECOND;
    for (int turn = 0; turn < 3; turn++) {
        now += 6 * SECOND;
        assert_true(counts_take(counts, now, false, &report));
        assert_true(report.table_count < TABLES);
        for (size_t i = 0; i < report.table_count; i++) {
            assert_int_equal(report.tables[i].table, seen++);
            assert_int_equal(report.tables[i].rows, 1);
        }
        /* Who waited for a turn gets a rate over all of that time. */
        assert_true(turn == 0 || report.tables[0].seconds > 6 * turn);
        counts_report_free(&report);
    }
    assert_int_equal(seen, TABLES);
    counts_free(counts);
}

static void what_is_counted_is_told_when_no_more_comes(void **state)
{
    (void)state;
    Counts *counts = counts_new(1);
    CountsReport report;
    assert_true(counts_take(counts, SECOND, false, &report));
    counts_report_free(&report);
    add(counts, (Entry[]){{&spread, 0, 100}}, 1, 2 * SECOND);
    assert_false(counts_take(counts, 2 * SECOND + SECOND / 10, false, &report));
    assert_true(counts_take(counts, 2 * SECOND + SECOND / 4, false, &report));
    assert_int_equal(report.table_count, 1);
    assert_true(report.complete);
    counts_report_free(&report);
    assert_false(counts_take(counts, 3 * SECOND, false, &report)); /* and nothing again */
    counts_free(counts);
}

static void a_truncate_counts_for_each_of_its_tables(void **state)
{
    (void)state;
    Counts *counts = counts_new(1);
    CountsReport report;
    const TruncateRecord record = {.relation_count = 3};
    Batch *batch = batch_new(BATCH_TRUNCATE);
    batch->truncate = &record;
    batch->truncated = calloc(3, sizeof *batch->truncated);
    batch->truncated[0] = &whole;
    batch->truncated[2] = &spread; /* the one between is left alone */
    counts_add(counts, batch, SECOND);
    batch_free(batch);
    assert_true(counts_take(counts, SECOND, true, &report));
    assert_int_equal(report.table_count, 2);
    assert_table(&report.tables[0], 80, -1, 1, 0);
    assert_table(&report.tables[1], 70, -1, 1, 0);
    counts_report_free(&report);
    counts_free(counts);
}

static void all_is_taken_at_the_end(void **state)
{
    (void)state;
    Counts *counts = counts_new(1);
    CountsReport report;
    assert_true(counts_take(counts, SECOND, false, &report));
    counts_report_free(&report);
    add(counts, (Entry[]){{&spread, 0, 100}, {&whole, 0, 100}}, 2, SECOND + 1);
    assert_true(counts_take(counts, SECOND + 2, true, &report));
    assert_int_equal(report.table_count, 2);
    counts_report_free(&report);

    /* In the next run the serial number may be another table's. */
    counts_end_run(counts);
    const ApplyRelation other = {.number = 90, .serial = 1, .lane_class = LANE_SPREAD};
    add(counts, (Entry[]){{&other, 0, 100}}, 1, 2 * SECOND);
    assert_true(counts_take(counts, 2 * SECOND, true, &report));
    assert_int_equal(report.table_count, 1);
    assert_int_equal(report.tables[0].table, 90);
    counts_report_free(&report);
    counts_free(counts);
}

static void what_waits_to_be_told_is_joined(void **state)
{
    (void)state;
    Counts *counts = counts_new(1);
    CountsReport first = {0}, next;
    add(counts, (Entry[]){{&spread, 0, 100}}, 1, SECOND);
    assert_true(counts_take(counts, SECOND, true, &next));
    next.counted = 100;
    counts_report_join(&first, &next);
    add(counts, (Entry[]){{&spread, 0, 200}, {&whole, 0, 200}}, 2, 2 * SECOND);
    assert_true(counts_take(counts, 2 * SECOND, true, &next));
    next.counted = 200;
    counts_report_join(&first, &next);
    assert_null(next.tables);
    assert_null(next.lanes);
    assert_int_equal(first.table_count, 3);
    assert_int_equal(first.tables[0].table, 70);
    assert_int_equal(first.tables[1].table, 70);
    assert_int_equal(first.tables[2].table, 80);
    assert_int_equal(first.counted, 200);
    assert_non_null(strstr(first.lanes, "\"rows\": 3"));
    counts_report_free(&first);
    counts_free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_counted_by_lane_and_by_table),
        cmocka_unit_test(idle_lanes_come_to_rest),
        cmocka_unit_test(tables_take_turns),
        cmocka_unit_test(what_is_counted_is_told_when_no_more_comes),
        cmocka_unit_test(a_truncate_counts_for_each_of_its_tables),
        cmocka_unit_test(all_is_taken_at_the_end),
        cmocka_unit_test(what_waits_to_be_told_is_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
