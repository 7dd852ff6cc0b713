/*
 * What the files of this folder share. Private to it.
 */
#pragma once

#include "large.h"
#include "text.h"

/*
 * A condition on xmin, with the number of a parameter ("$1": since, as a text or NULL): it is from there on. Within one
 * transaction the age of all is taken from the same point (GetStableLatestTransactionId).
 */
#define CHANGED(parameter)                                                                                   \
    "pg_catalog.age(xmin) <= (SELECT CASE WHEN " parameter "::int8 IS NULL THEN 2147483647"                  \
    " WHEN pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) - " parameter                   \
    "::int8 > 1500000000 THEN 2147483647"                                                                    \
    " ELSE pg_catalog.age((" parameter "::int8 & 4294967295)::text::xid) END)"

/* The objects of one batch, as an array literal of their OIDs: owner, grants, comment and labels on the other side made these. */
int details_bring(Database *from, Database *to, const char *oids, const LargeRequest *request,
                  Error *error) MUST_CHECK;

/* Comments of all objects, where the two sides' are not the same. */
int details_bring_comments(Database *from, Database *to, Error *error) MUST_CHECK;
