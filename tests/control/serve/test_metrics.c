/*
 * Metrics of a document: what it has and what it does not, in both forms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "serve.h"

bool interrupted(void)
{
    return false;
}

static char *metrics_of(const char *json, MetricsForm form)
{
    json_t *document = json_loads(json, 0, NULL);
    assert_non_null(document);
    char *text = metrics_text(document, 0.5, form);
    json_decref(document);
    return text;
}

#define DOCUMENT                                                                                             \
    "{\"name\": \"a\\\"b\", \"phase\": \"copied\", \"lag\": {\"bytes\": 1099511627776, \"seconds\": null}, " \
    "\"applier\": {\"changes\": 7}, \"slot\": {\"active\": false}, "                                         \
    "\"health\": [{\"id\": \"copy-again\", \"reason\": \"r\"}]}"

static void what_is_known_is_said(void **unused)
{
    (void)unused;
    char *text = metrics_of(DOCUMENT, METRICS_OPEN);
    assert_non_null(strstr(text, "\npenstock_lag_bytes{migration=\"a\\\"b\"} 1099511627776\n"));
    assert_non_null(strstr(text, "\n# UNIT penstock_lag_bytes bytes\n"));
    assert_non_null(strstr(text, "\n# TYPE penstock_applied_rows counter\n"));
    assert_non_null(strstr(text, "\npenstock_applied_rows_total{migration=\"a\\\"b\"} 7\n"));
    assert_non_null(strstr(text, "\npenstock_slot_active{migration=\"a\\\"b\"} 0\n"));
    assert_non_null(strstr(text, "\npenstock_healthy{migration=\"a\\\"b\"} 0\n"));
    assert_non_null(
        strstr(text, "\npenstock_needs_attention{migration=\"a\\\"b\",reason=\"copy-again\"} 1\n"));
    assert_non_null(strstr(text, "\npenstock_phase{migration=\"a\\\"b\",phase=\"copied\"} 1\n"));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
}

static void what_is_not_known_is_left_out(void **unused)
{
    (void)unused;
    char *text = metrics_of(DOCUMENT, METRICS_OPEN);
    assert_null(strstr(text, "lag_seconds{"));
    assert_null(strstr(text, "clients_held"));
    free(text);
    text = metrics_text(NULL, 0, METRICS_OPEN);
    assert_non_null(strstr(text, "\npenstock_up 0\n"));
    assert_null(strstr(text, "penstock_healthy"));
    free(text);
}

static void the_text_format_names_counters_as_they_are_sampled(void **unused)
{
    (void)unused;
    char *text = metrics_of(DOCUMENT, METRICS_TEXT);
    assert_non_null(strstr(text, "\n# TYPE penstock_applied_rows_total counter\n"));
    assert_null(strstr(text, "# UNIT"));
    assert_null(strstr(text, "# EOF"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_said),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(the_text_format_names_counters_as_they_are_sampled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
