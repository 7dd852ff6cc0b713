/*
 * DDL that was captured at the source and is to be done on the target.
 */
#include "kinds.h"

#define FIRST 1700
#define TITLE "DDL"

static const ErrorKind kinds[] = {
    {1701, "A statement waits for a decision",
     "DDL at the source was not applied: it is of a kind that is asked about, cannot be understood, or the "
     "target refuses it.",
     "`penstock ddl list` shows it; `penstock ddl apply`, `edit` or `skip` decides. Then start `penstock "
     "follow` again.",
     WORDS("was not applied: %.400s")},
    {1702, "The statement waits for nothing",
     "It was applied, decided or skipped already, or there is none of that number.",
     "`penstock ddl list` shows what waits.", WORDS("does not wait for a decision")},
    {1703, "The statement cannot be told apart",
     "It came in a string with others, from a function, or in a form that cannot be read alone.",
     "Do by hand on the target what it did at the source, then `penstock ddl skip` its number.",
     WORDS("parser does not understand it", "its parse tree is too deep", "statements, not one",
           "in a string that rolls back", "statements that define something",
           "of the client's string is none", "was too long to come with each",
           "whose own statements the source does not show", "cannot be told", "it has a backslash",
           "it cannot be written anew", "its words cannot be told apart", "the default of column",
           "which columns the table has")},
    {1704, "The message about DDL cannot be read",
     "It was written by another version of the trigger, or by somebody else.",
     "Look at what the source's definitions are, make the target's the same, and `penstock ddl skip` it.",
     WORDS("the message about it ")},
    {1705, "DDL cannot be captured",
     "Event triggers take a superuser on the source; or a schema penstock that is not ours is there.",
     "It is watched instead: a change that does not fit stops the applier. [ddl.md](ddl.md) says how to live "
     "with that.",
     WORDS("DDL cannot be captured")},
};

ERROR_SECTION(error_section_ddl);
