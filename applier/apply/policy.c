/*
 * Rules are few, and looked up only for relations whose statements failed, so a list is enough.
 */
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoding.h"

static const char *const names[] = {
    [POLICY_STOP] = "stop",
    [POLICY_OVERWRITE] = "overwrite",
    [POLICY_SKIP] = "skip",
};

static bool parse_policy(const char *text, ConflictPolicy *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (ConflictPolicy)i;
            return true;
        }
    }
    return false;
}

int policies_add(Policies *policies, const char *text, Error *error)
{
    const char *equals = strrchr(text, '=');
    ConflictPolicy policy;
    if (!parse_policy(equals != NULL ? equals + 1 : text, &policy) ||
        (equals != NULL && memchr(text, '.', (size_t)(equals - text)) == NULL)) {
        return error_set(error, ERROR_USAGE,
                         "\"%s\" is neither stop, overwrite or skip, nor SCHEMA.TABLE= and one of them",
                         text);
    }
    if (equals == NULL) {
        policies->otherwise = policy;
        return 0;
    }
    policies->rules = reallocarray(policies->rules, policies->count + 1, sizeof *policies->rules);
    if (policies->rules == NULL) {
        abort();
    }
    policies->rules[policies->count++] =
        (PolicyRule){.table = text, .table_length = (size_t)(equals - text), .policy = policy};
    return 0;
}

void policies_free(Policies *policies)
{
    free(policies->rules);
    policies->rules = NULL;
    policies->count = 0;
}

#define NAME_SIZE (4 * 64) /* of a name with all of its characters as \xNN, or in UTF-8 */

/* table: schema, a dot and name, in UTF-8. */
static bool names_table(const PolicyRule *rule, const char *table)
{
    return rule->table_length == strlen(table) && memcmp(rule->table, table, rule->table_length) == 0;
}

static void put_table(const Policies *policies, const SourceRelation *source, char out[2 * NAME_SIZE])
{
    char schema[NAME_SIZE], name[NAME_SIZE];
    snprintf(schema, sizeof schema, "%s", source->schema);
    snprintf(name, sizeof name, "%s", source->name);
    encoding_to_utf8(schema, sizeof schema, policies->encoding);
    encoding_to_utf8(name, sizeof name, policies->encoding);
    snprintf(out, 2 * NAME_SIZE, "%s.%s", schema, name);
}

ConflictPolicy policies_of(const Policies *policies, const ApplyRelation *relation)
{
    char table[2 * NAME_SIZE];
    put_table(policies, relation->source, table);
    for (size_t i = policies->count; i > 0; i--) {
        if (names_table(&policies->rules[i - 1], table)) {
            return policies->rules[i - 1].policy;
        }
    }
    return policies->otherwise;
}

bool policies_skip_change(const Policies *policies, const Change *change)
{
    return policies->skip_lsn != LSN_INVALID && change->position.commit_lsn == policies->skip_lsn;
}

bool policies_skip_truncate(const Policies *policies, const Batch *batch)
{
    return policies->skip_lsn != LSN_INVALID && batch->kind == BATCH_TRUNCATE &&
           batch->last.commit_lsn == policies->skip_lsn;
}
