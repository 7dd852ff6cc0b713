/*
 * Rows and tables that do not fit. The applier stops at them: nothing is passed over.
 */
#include "kinds.h"

#define FIRST 1600
#define TITLE "Rows and tables that do not fit"

static const ErrorKind kinds[] = {
    {1601, "The row is not on the target",
     "An update or a delete needs a row that is missing there, or finds several: somebody else deleted or "
     "changed it.",
     "Find who writes to the target. `penstock verify` compares; `penstock follow --on-conflict` decides "
     "what is done with such rows, and lists each in penstock.conflict.",
     WORDS("the target has no such row", "the target has %llu such rows", "rows instead of one")},
    {1602, "A row is in the way on the target",
     "An insert or update meets a row with the same key: somebody else wrote it.",
     "As above: find who writes there, compare, decide with `--on-conflict`.", SQLSTATES("23505 23P01")},
    {1603, "The target's constraint refuses a row",
     "A check, a NOT NULL or a trigger there refuses what the source has.",
     "The message names it. The definitions differ: `penstock status --schema` shows where.",
     SQLSTATES("23")},
    {1604, "The change does not say which row it is",
     "The table has no primary key and no replica identity that can tell rows apart, and was updated or "
     "deleted from.",
     "Give it one on the source: ALTER TABLE … REPLICA IDENTITY FULL, or USING INDEX. `penstock check` names "
     "such tables beforehand.",
     WORDS("does not say which row it concerns", "has no value for key column",
           "of a row that nothing identifies")},
    {1605, "The target has no such table or column", "DDL on one side has not reached the other.",
     "`penstock status --schema` shows the difference, `penstock ddl list` what was captured. Make the "
     "definitions equal, and start `penstock follow` again.",
     WORDS("the target has no table", "is not a table on the target", "has no column \"%s",
           "lacks the type of one of its columns", "has no type with OID", "is NOT NULL without a default",
           "is not part of the migration any more"),
     SQLSTATES("42P01 42703")},
    {1606, "It is not the table that was copied",
     "It was dropped and made anew, or renamed, or a column was.",
     "If the new one is to be moved: `penstock copy` copies it. [ddl.md](ddl.md) says how renames travel.",
     WORDS("is the one that was copied as", "is another one than the table that was copied under that name",
           "is not as it was when the table was copied", "which the source does not have any more")},
    {1607, "A table was made after the copy", "Rows come of a table that the migration does not know.",
     "`penstock copy` copies it beside the stream; `penstock follow --on-undecodable recopy` goes on without "
     "it until then.",
     WORDS("is not part of the migration: it was made at the source after the copy")},
    {1608, "Values may change on their way",
     "The target's column has another type, in which some of the source's values are not the same.",
     "Make the types equal, or accept it with `--lossy-types SCHEMA.TABLE`.",
     WORDS("may change on their way")},
    {1609, "The source cannot send a value", "It is not in the WAL, or its type is not there any more.",
     "The table has to be copied again: `penstock follow --on-undecodable recopy`, then `penstock copy`.",
     WORDS("the WAL does not have the value of column", "went away meanwhile", "type %u is gone",
           "which is no text in UTF-8")},
    {1610, "A value is not valid on the target",
     "Its text or binary form is refused there: an encoding, a range, an invalid date.",
     "The message names table and column. Correct the row on the source, or the type on the target.",
     SQLSTATES("22")},
    {1611, "A repaired row is wrong again", "Somebody or something on the target writes to it.",
     "Stop it; then `penstock verify --repair` again.", WORDS("was repaired, and is wrong again")},
};

ERROR_SECTION(error_section_rows);
