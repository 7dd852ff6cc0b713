/*
 * What is known of the relations in the stream: which target relation each leads to, which are being asked for, which do
 * not fit. Memory only; the resolver asks (resolver.h).
 *
 *     catalog_state ─NEW─► catalog_asked … catalog_take ─► KNOWN ─► catalog_find for every run of rows
 *
 * It outlives runs of the pipeline, so that a run that ends early has not asked in vain. It is given up with the applier's
 * lock on the target: while someone else may have it, what is known here may change (penstock copy). Used by the event
 * loop; what catalog_types gives, by the resolver's thread.
 */
#pragma once

#include <stdbool.h>

#include "look.h"

typedef struct Catalog Catalog;

typedef enum CatalogState {
    CATALOG_NEW,     /* not asked for yet */
    CATALOG_CHANGED, /* the same, and the table of that name was known under another definition */
    CATALOG_ASKED,
    CATALOG_KNOWN,
    CATALOG_UNKNOWN, /* the migration has never heard of it; a refusal says when it has, under another name */
    CATALOG_REFUSED, /* it does not fit: catalog_refusal */
} CatalogState;

Catalog *catalog_new(void);
void catalog_free(Catalog *catalog);

/* Forgets what was asked and not answered, what was unknown, and what did not fit. */
void catalog_begin_run(Catalog *catalog);

/* Filled and used by whoever looks at the target; see types.h. */
Types *catalog_types(Catalog *catalog);

/* Forgets and frees everything: it may all be another. For a moment at which no batch is there that points to any of it. */
void catalog_forget(Catalog *catalog);

/* The same of one relation. */
void catalog_forget_one(Catalog *catalog, const SourceRelation *source);

CatalogState catalog_state(const Catalog *catalog, const SourceRelation *source);

/* True when source is known. *out is NULL for a relation that takes no part: it waits to be copied again, it is not in
 * penstock.relation because it belongs to an extension or to Penstock or is the root of a partitioned table, or it was
 * left out.
 */
bool catalog_find(const Catalog *catalog, const SourceRelation *source, const ApplyRelation **out);

/*
 * Why a relation was refused; NULL for one that was not. Its changes in transactions that committed before until are of no
 * account, because the table that has its name now was copied later. replaced: a copy would put it right.
 */
typedef struct Refusal {
    Error error;
    Lsn until;
    bool replaced;
} Refusal;

const Refusal *catalog_refusal(const Catalog *catalog, const SourceRelation *source);

void catalog_asked(Catalog *catalog, const SourceRelation *source);

/* Takes over what answer has. What was known of the relation before stays alive, for batches that point to it. */
void catalog_take(Catalog *catalog, Answer *answer);

/* The relation takes no part from here on. */
void catalog_leave_out(Catalog *catalog, const SourceRelation *source);

/* Whether some relations wait for another lane class, and which. The caller frees the list. */
bool catalog_unsettled(const Catalog *catalog);
const SourceRelation **catalog_list_unsettled(const Catalog *catalog, size_t *count);
