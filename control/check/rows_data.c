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
     .advice = "Correct the rows, or make the constraint NOT VALID, at the source or by copy --not-valid: "
               "otherwise the target refuses it when all rows are copied."},
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
     .advice = "On the target it is checked when all rows are copied, and enforced: make sure that they "
               "fulfil it."},
    {.id = "large-values",
     .title = "Values near the limit of 1 GB",
     .severity = CHECK_WARNING,
     .function = probe_large_values,
     .needs = NEEDS_SOURCE,
     .advice = "A row travels as text or in binary form, and neither may be longer than 1 GB; the text form "
               "of a bytea is twice as long. Verify has no answer for a row whose text is longer."},
    {.id = "not-looked-at",
     .title = "What there was no time or no right to look at",
     .severity = CHECK_NOTE,
     .function = probe_not_looked_at,
     .needs = NEEDS_SOURCE,
     .advice =
         "The check does not read large tables: constraints on them are checked when the copy makes them."},
    {.id = "uncut",
     .title = "Large tables that are copied in one piece",
     .of_database = true,
     .severity = CHECK_WARNING,
     .function = probe_uncut,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice =
         "One connection copies such a table, under one snapshot, which keeps vacuum from removing rows and "
         "the source from removing WAL for that long; if it breaks, it starts again. It works all the same."},
    {.id = "wal-rate",
     .title = "WAL that the source has to keep while it is copied",
     .severity = CHECK_WARNING,
     .function = probe_wal_rate,
     .needs = NEEDS_SOURCE,
     .advice = "Make sure that the disk of its pg_wal has that much room, or copy at a quieter time."},
    {.id = "dictionary-files",
     .title = "Files of text search dictionaries on both servers",
     .severity = CHECK_WARNING,
     .function = probe_dictionaries,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "They are files of the servers, in tsearch_data of `pg_config --sharedir`: copy them to the "
               "target's machine, or searches will find different words."},
    {.id = "collation-order",
     .title = "The order of fifty words by each collation in use, on both sides",
     .severity = CHECK_WARNING,
     .function = probe_collations,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "Another libc or ICU: sorted lists change their order, and ranges of text (partitions, "
               "BETWEEN) what is in them. Indexes are rebuilt, and are correct."},
};

const CheckGroup check_data_rows = {"Rows and files", rows, sizeof rows / sizeof rows[0]};
