/*
 * Checks that look at the rows, at files of the servers, or at what happens while one looks: each for a limited time, so that a
 * large database does not make the check long. What there was no time for is said.
 */
#include "check.h"
#include "sql.h"

static const CheckRow rows[] = {
    {.id = "broken-constraints",
     .title = "Rows that break a constraint which the target would check",
     .severity = CHECK_PROBLEM,
     .function = probe_constraints,
     .needs = NEEDS_SOURCE,
     .advice =
         "Mend the rows, or make the constraint NOT VALID, at the source or by copy --not-valid: else the "
         "target refuses it when all rows are copied."},
    {.id = "disabled-constraints",
     .title = "Foreign keys that are switched off at the source",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     /* Its triggers are on both tables. Each is named: with ALL, others that are off for a reason would come on. */
     .sql = "SELECT concat(" RELATION_NAME ", ' ', k.conname), concat('its triggers are disabled on ', "
            "string_agg(DISTINCT x.oid::regclass::text, ' and '), ', so that rows may break it'), "
            "string_agg(format('ALTER TABLE %s ENABLE TRIGGER %I', x.oid::regclass, t.tgname), '; ' ORDER BY "
            "t.tgname) "
            "FROM " USER_RELATIONS " JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f'"
            " JOIN pg_trigger t ON t.tgconstraint = k.oid AND t.tgisinternal AND t.tgenabled = 'D'"
            " JOIN pg_class x ON x.oid = t.tgrelid"
            " GROUP BY n.nspname, c.relname, k.conname ORDER BY 1",
     .advice = "On the target it is checked when all rows are copied, and enforced: see that they keep it."},
    {.id = "large-values",
     .title = "Values near the limit of 1 GB",
     .severity = CHECK_WARNING,
     .function = probe_large_values,
     .needs = NEEDS_SOURCE,
     .advice =
         "A row travels as text or in binary form, and neither may be longer than 1 GB; the text of a bytea "
         "is twice as long. Verify cannot answer for a row whose text is longer."},
    {.id = "not-looked-at",
     .title = "What there was no time or no right to look at",
     .severity = CHECK_NOTE,
     .function = probe_not_looked_at,
     .needs = NEEDS_SOURCE,
     .advice =
         "Large tables are not read by the check: constraints on them are proven when the copy makes them."},
    {.id = "uncut",
     .title = "Large tables that are copied in one piece",
     .of_database = true,
     .severity = CHECK_WARNING,
     .function = probe_uncut,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "One connection carries such a table, under one snapshot, which keeps vacuum from removing "
               "rows and the "
               "source's WAL from being removed for so long; and when it breaks, it begins anew. It works "
               "all the same."},
    {.id = "wal-rate",
     .title = "WAL that the source has to keep while it is copied",
     .severity = CHECK_WARNING,
     .function = probe_wal_rate,
     .needs = NEEDS_SOURCE,
     .advice = "See that the disk of its pg_wal has so much room, or copy at a quieter time."},
    {.id = "dictionary-files",
     .title = "Files of text search dictionaries on both servers",
     .severity = CHECK_WARNING,
     .function = probe_dictionaries,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "They are files of the servers, in tsearch_data of `pg_config --sharedir`: copy them to the "
               "target's "
               "machine, or search finds other words than before."},
    {.id = "collation-order",
     .title = "The order of fifty words by each collation in use, on both sides",
     .severity = CHECK_WARNING,
     .function = probe_collations,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice =
         "Another libc or ICU: lists change their order, and ranges of text (partitions, BETWEEN) their "
         "members. Indexes are built anew and are right."},
};

const CheckGroup check_data_rows = {"Rows and files", rows, sizeof rows / sizeof rows[0]};
