/*
 * One gate for each pgcat: what is kept of a hold is its migration's, and who comes while another's is there waits, and is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgcat/held.h"

static char folder[] = "/tmp/penstock-held.XXXXXX";
static char config[64], kept[80];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(config, sizeof config, "%s/pgcat.toml", folder);
    snprintf(kept, sizeof kept, "%s.penstock-gate", config);
    fclose(fopen(config, "w"));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(kept);
    unlink(config);
    return rmdir(folder);
}

static void who_holds_is_asked(void **state)
{
    (void)state;
    Proxy one = {.config = config, .state = kept, .whose = "default of app"},
          other = {.config = config, .state = kept, .whose = "default of other"};
    json_t *plan = json_pack("{s:i}", "gate", 1), *found;
    Error error;
    assert_int_equal(pgcat_take_idle(&other, 0, NULL, &error), 0);
    pgcat_give_file(&other);
    assert_int_equal(pgcat_save_state(&one, plan, &error), 0);
    assert_int_equal(pgcat_load_state(&one, &found, &error), 0);
    assert_int_equal(pgcat_gate_port(found), 1);
    json_decref(found);
    assert_int_equal(pgcat_load_state(&other, &found, &error), 0);
    assert_null(found);

    assert_int_equal(pgcat_take_idle(&one, 0, NULL, &error), 0);
    pgcat_give_file(&one);
    assert_int_equal(pgcat_take_idle(&other, 60, NULL, &error), -1);
    assert_non_null(strstr(error.message, "default of app"));
    assert_null(other.turn);
    unlink(kept);
    assert_int_equal(pgcat_take_idle(&other, 60, NULL, &error), 0);
    pgcat_give_file(&other);
    json_decref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_holds_is_asked)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
