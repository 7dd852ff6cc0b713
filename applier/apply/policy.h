/*
 * What is done with a change that does not fit the rows on the target, by table; and the one transaction that is left out
 * because the operator said so. Pure; read-only once the workers run.
 */
#pragma once

#include "batch.h"
#include "error.h"

typedef enum ConflictPolicy {
    POLICY_STOP,      /* the applier ends with an error */
    POLICY_OVERWRITE, /* the source's row wins */
    POLICY_SKIP,      /* the target's rows stay as they are */
} ConflictPolicy;

typedef struct PolicyRule {
    const char *table; /* "schema.table" as the option says it, not quoted: the text before policy_text */
    size_t table_length;
    ConflictPolicy policy;
} PolicyRule;

typedef struct Policies {
    ConflictPolicy otherwise; /* for tables without a rule */
    PolicyRule *rules;        /* the last one that names a table counts */
    size_t count;
    const char *encoding; /* of the names in the stream; the rules are in UTF-8 */
    Lsn skip_lsn;         /* commit LSN of the source transaction to leave out; LSN_INVALID: none */
} Policies;

/* Takes one value of --on-conflict: POLICY or SCHEMA.TABLE=POLICY; text must stay. ERROR_USAGE when it is neither. */
int policies_add(Policies *policies, const char *text, Error *error) MUST_CHECK;
void policies_free(Policies *policies);

ConflictPolicy policies_of(const Policies *policies, const ApplyRelation *relation);

/* True when the change, or the batch's truncate, belongs to the transaction to leave out. */
bool policies_skip_change(const Policies *policies, const Change *change);
bool policies_skip_truncate(const Policies *policies, const Batch *batch);
