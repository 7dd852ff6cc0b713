/*
 * Rules are few, and looked up only for relations whose statements failed, so a list is enough.
 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [POLICY_STOP] = "stop",
    [POLICY_OVERWRITE] = "overwrite",
    [POLICY_SKIP] = "skip",
};

const char *policy_name(ConflictPolicy policy)
{
    return names[policy];
}

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

static bool names_table(const PolicyRule *rule, const SourceRelation *source)
{
    size_t schema = strlen(source->schema), name = strlen(source->name);
    return rule->table_length == schema + 1 + name && memcmp(rule->table, source->schema, schema) == 0 &&
           rule->table[schema] == '.' && memcmp(rule->table + schema + 1, source->name, name) == 0;
}

ConflictPolicy policies_of(const Policies *policies, const ApplyRelation *relation)
{
    for (size_t i = policies->count; i > 0; i--) {
        if (names_table(&policies->rules[i - 1], relation->source)) {
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
