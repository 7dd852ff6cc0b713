/*
 * The text form of LSNs, both ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lsn.h"

static void text_and_back(void **state)
{
    (void)state;
    static const struct {
        Lsn lsn;
        const char *text;
    } cases[] = {
        {0, "0/0"},
        {1, "0/1"},
        {UINT64_C(0x16B374D848), "16/B374D848"},
        {UINT64_C(0x100000000), "1/0"},
        {UINT64_MAX, "FFFFFFFF/FFFFFFFF"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[LSN_TEXT_SIZE];
        Lsn lsn;
        assert_string_equal(lsn_format(cases[i].lsn, text), cases[i].text);
        assert_true(lsn_parse(cases[i].text, &lsn));
        assert_true(lsn == cases[i].lsn);
    }
}

static void lower_case_and_leading_zeros_are_read(void **state)
{
    (void)state;
    Lsn lsn;
    assert_true(lsn_parse("00000016/0b374d84", &lsn));
    assert_true(lsn == UINT64_C(0x160b374d84));
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "/",    "1",    "1/",   "/1",          "1/2/3",       "g/1",   "1/g",
        " 1/2", "1/2 ", "1 /2", "-1/2", "123456789/1", "1/123456789", "0x1/2", "1\n/2",
    };
    Lsn lsn;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(lsn_parse(texts[i], &lsn));
    }
    assert_false(lsn_parse(NULL, &lsn));
}

static void a_record_begins_behind_the_header_of_its_page(void **unused)
{
    (void)unused;
    assert_int_equal(lsn_end_before(0x2436018), 0x2436000);
    assert_int_equal(lsn_end_before(0x3000028), 0x3000000);
    assert_int_equal(lsn_end_before(0x2436028), 0x2436028); /* no segment begins there */
    assert_int_equal(lsn_end_before(0x2436000), 0x2436000);
    assert_int_equal(lsn_end_before(0x2436100), 0x2436100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(lower_case_and_leading_zeros_are_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_record_begins_behind_the_header_of_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
