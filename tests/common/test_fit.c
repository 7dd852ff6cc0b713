/*
 * Which columns of the target keep every value of a source's column, and which may change it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fit.h"

#define NUMERIC(precision, scale) (((precision) << 16 | (scale)) + 4)

typedef struct Case {
    uint32_t from;
    int32_t from_typmod;
    uint32_t to;
    int32_t to_typmod;
    bool keeps;
} Case;

static const Case cases[] = {
    {1700, NUMERIC(12, 4), 1700, NUMERIC(12, 4), true},
    {1700, NUMERIC(12, 4), 1700, -1, true},
    {1700, NUMERIC(12, 4), 1700, NUMERIC(14, 4), true},
    {1700, NUMERIC(12, 4), 1700, NUMERIC(6, 4), true}, /* out of range is an error */
    {1700, NUMERIC(12, 4), 1700, NUMERIC(12, 2), false},
    {1700, -1, 1700, NUMERIC(12, 2), false},
    {1231, NUMERIC(12, 4), 1231, NUMERIC(12, 2), false}, /* arrays */
    {1231, NUMERIC(12, 4), 1231, -1, true},
    {1700, NUMERIC(12, 2), 23, -1, false},
    {701, -1, 700, -1, false},
    {700, -1, 701, -1, true},
    {701, -1, 1700, -1, false},
    {23, -1, 20, -1, true},
    {20, -1, 23, -1, true}, /* out of range is an error */
    {20, -1, 701, -1, false},
    {23, -1, 1700, NUMERIC(12, 2), true},
    {1043, 24, 1043, 34, true},
    {1043, 34, 1043, 24, false}, /* trailing blanks go without a word */
    {25, -1, 1043, 24, false},
    {1043, 24, 25, -1, true},
    {25, -1, 1043, -1, true},
    {1114, -1, 1114, 6, true},
    {1114, -1, 1114, 3, false},
    {1114, 0, 1114, 3, true},
    {1114, -1, 1082, -1, false},
    {1082, -1, 1114, -1, true},
    {1082, -1, 1184, -1, false}, /* by TimeZone */
    {1114, -1, 1184, -1, false},
    {1186, -1, 1186, 0x7FFF0003, false},
    {1186, 0x7FFF0003, 1186, 0x7FFF0006, true},
    {1186, 0x00040006, 1186, 0x7FFF0006, false},
    {114, -1, 3802, -1, false},
    {3802, -1, 114, -1, true},
    {1560, 3, 1560, 4, false},
    {1562, 3, 1562, 4, true},
};

static char *loss_of(const Case *one)
{
    FitSource source = {.type = one->from,
                        .base_type = one->from,
                        .type_schema = "pg_catalog",
                        .type_name = "from",
                        .typmod = one->from_typmod};
    FitTarget target = {.cast = "\"pg_catalog\".\"to\"",
                        .base_type = one->to,
                        .takes_text = one->to == 25,
                        .typmod = one->to_typmod};
    return fit_loss(&source, &target);
}

static void built_in_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *loss = loss_of(&cases[i]);
        if ((loss == NULL) != cases[i].keeps) {
            fail_msg("case %zu: %u(%d) to %u(%d): %s", i, cases[i].from, cases[i].from_typmod, cases[i].to,
                     cases[i].to_typmod, loss != NULL ? loss : "keeps");
        }
        free(loss);
    }
}

static void what_is_lost_is_said(void **state)
{
    (void)state;
    char *loss = loss_of(&(Case){1700, NUMERIC(12, 4), 1700, NUMERIC(12, 2), false});
    assert_string_equal(loss,
                        "pg_catalog.from(12,4) at the source, \"pg_catalog\".\"to\"(12,2) on the target");
    free(loss);
}

static void types_of_users_go_by_name(void **state)
{
    (void)state;
    FitSource source = {.type = 20000,
                        .base_type = 20000,
                        .type_schema = "public",
                        .type_name = "co\"lor",
                        .typmod = -1,
                        .is_text = true};
    FitTarget target = {.cast = "\"else\".\"co\"\"lor\"", .base_type = 30000, .typmod = -1};
    assert_null(fit_loss(&source, &target));
    target.cast = "\"else\".\"lor\"";
    char *loss = fit_loss(&source, &target);
    assert_non_null(loss);
    free(loss);
    target.takes_text = true;
    assert_null(fit_loss(&source, &target));
}

static void a_domain_is_its_name_or_its_base(void **state)
{
    (void)state;
    FitSource source = {
        .type = 20001, .base_type = 1700, .type_schema = "public", .type_name = "money_amount", .typmod = -1};
    FitTarget target = {.cast = "\"public\".\"money_amount\"", .base_type = 1700, .typmod = -1};
    assert_null(fit_loss(&source, &target));
    target.typmod = NUMERIC(12, 2); /* the domain's own, which no column at the source shows */
    assert_null(fit_loss(&source, &target));
    target = (FitTarget){.cast = "\"pg_catalog\".\"numeric\"", .base_type = 1700, .typmod = -1};
    assert_null(fit_loss(&source, &target));
    target.typmod = NUMERIC(12, 2);
    char *loss = fit_loss(&source, &target);
    assert_non_null(loss);
    free(loss);
}

static void tables_may_lose_when_told_so(void **state)
{
    (void)state;
    LossyTables lossy = {0};
    assert_false(fit_may_lose(NULL, "public", "price"));
    fit_add_lossy(&lossy, "public.price");
    fit_add_lossy(&lossy, "a.b.c");
    assert_true(fit_may_lose(&lossy, "public", "price"));
    assert_true(fit_may_lose(&lossy, "a.b", "c"));
    assert_false(fit_may_lose(&lossy, "public", "prices"));
    assert_false(fit_may_lose(&lossy, "publi", "price"));
    fit_add_lossy(&lossy, "all");
    assert_true(fit_may_lose(&lossy, "x", "y"));
    free((void *)lossy.names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_in_types),
        cmocka_unit_test(what_is_lost_is_said),
        cmocka_unit_test(types_of_users_go_by_name),
        cmocka_unit_test(a_domain_is_its_name_or_its_base),
        cmocka_unit_test(tables_may_lose_when_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
