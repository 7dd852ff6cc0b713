/*
 * What can be said of the state without a server: the names in the code are those that schema.sql allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "state.h"

extern const char state_schema_sql[];

static void every_phase_is_one_that_the_schema_allows(void **unused)
{
    (void)unused;
    for (Phase phase = PHASE_CREATED; phase <= PHASE_FINISHED; phase++) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "'%s'", state_phase_name(phase));
        assert_non_null(strstr(state_schema_sql, quoted));
    }
}

static void the_schema_says_its_layout(void **unused)
{
    (void)unused;
    assert_non_null(strstr(state_schema_sql, "COMMENT ON SCHEMA penstock IS 'Penstock state, layout 8'"));
}

static void the_lane_update_takes_typed_parameters_and_the_epoch(void **unused)
{
    static const char *const parameters[] = {"$1::pg_catalog.text", "$2::pg_catalog.int4[]",
                                             "$3::pg_catalog.pg_lsn", "$4::pg_catalog.int8",
                                             "$5::pg_catalog.int8"};
    (void)unused;
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        assert_non_null(strstr(state_lane_update_sql(), parameters[i]));
    }
    assert_non_null(strstr(state_lane_update_sql(), "epoch OPERATOR(pg_catalog.=) $5"));
    assert_non_null(strstr(state_lane_update_sql(), "$6::pg_catalog.int8"));
    assert_non_null(strstr(state_lane_update_sql(), "$7::pg_catalog.int8[]"));
    assert_null(strstr(state_lane_update_sql(), "$8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_phase_is_one_that_the_schema_allows),
        cmocka_unit_test(the_schema_says_its_layout),
        cmocka_unit_test(the_lane_update_takes_typed_parameters_and_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
