/*
 * Columns of money that would not keep their amounts, as findings.
 */
#include "check.h"
#include "money.h"

static void add(void *context, const char *column, const char *why, const char *fix)
{
    finding_add(context, column, why, fix);
}

int probe_money(CheckContext *context, json_t *findings, Error *error)
{
    return money_compare(context->source, context->target, add, findings, error);
}
