/*
 * What people read is UTF-8: as it is, converted, or spelt out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "encoding.h"

static void assert_becomes(const char *text, const char *encoding, const char *expected)
{
    char buffer[64];
    snprintf(buffer, sizeof buffer, "%s", text);
    encoding_to_utf8(buffer, sizeof buffer, encoding);
    assert_string_equal(buffer, expected);
    assert_true(encoding_is_utf8(buffer));
}

static void utf8_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "plain", "Gr\xc3\xb6\xc3\x9f", "\xe2\x86\x92", "\xf0\x9f\x90\x98", "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_true(encoding_is_utf8(texts[i]));
        assert_becomes(texts[i], "LATIN1", texts[i]);
    }
}

static void what_is_no_utf8_is_known(void **state)
{
    (void)state;
    static const char *const texts[] = {"\x80",
                                        "\xc3",
                                        "\xc0\xaf",
                                        "\xe0\x80\xaf",
                                        "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xf8\x88\x80\x80\x80",
                                        "a\xe2\x86"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(encoding_is_utf8(texts[i]));
    }
}

static void known_encodings_are_converted(void **state)
{
    (void)state;
    assert_becomes("Gr\xf6\xdf"
                   "e",
                   "LATIN1",
                   "Gr\xc3\xb6\xc3\x9f"
                   "e");
    assert_becomes("\x80", "WIN1252", "\xe2\x82\xac");
    assert_becomes("\xd4\xc5\xd3\xd4", "KOI8R", "\xd1\x82\xd0\xb5\xd1\x81\xd1\x82");
    assert_becomes("\xa4\xa2", "EUC_JP", "\xe3\x81\x82");
}

static void other_bytes_are_spelt_out(void **state)
{
    (void)state;
    assert_becomes("a\xe9"
                   "b \xc3\xb6",
                   "SQL_ASCII", "a\\xe9b \xc3\xb6");
    assert_becomes("\xff", NULL, "\\xff");
    assert_becomes("cut \xe2\x86", "UTF8", "cut \\xe2\\x86");
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    char text[6] = "\xf6\xf6\xf6\xf6\xf6";
    encoding_to_utf8(text, sizeof text, "LATIN1");
    assert_string_equal(text, "\xc3\xb6\xc3\xb6");
    char other[6] = "\xf6\xf6\xf6\xf6\xf6";
    encoding_to_utf8(other, sizeof other, "SQL_ASCII");
    assert_string_equal(other, "\\xf6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_stays_as_it_is),
        cmocka_unit_test(what_is_no_utf8_is_known),
        cmocka_unit_test(known_encodings_are_converted),
        cmocka_unit_test(other_bytes_are_spelt_out),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
