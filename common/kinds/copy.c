/*
 * The copy: the target before it, schema, rows, roles.
 */
#include "kinds.h"

#define FIRST 1400
#define TITLE "Copy and schema"

static const ErrorKind kinds[] = {
    {1401, "The check before the copy has found problems",
     "`penstock copy` looks first, and does not begin what would not end.",
     "`penstock check` lists them with the statements that mend them; `--force` copies all the same.",
     WORDS("the check before the copy has found", "which rows need: --force does not help")},
    {1402, "The target is not empty", "It has tables, or large objects, that the copy has not made.",
     "Name an empty database, or take away what is there.",
     WORDS("the target database is not empty", "the target database has large objects")},
    {1403, "Nothing was copied to this target", "It has no schema penstock, or no migration of this name.",
     "See that `--target` and `--migration` are the right ones; `penstock status` lists the migrations that "
     "there are. A migration begins with `penstock copy`.",
     WORDS("it has no schema penstock", "there is no migration", "the target has no migration",
           "migration \"%s\" is gone")},
    {1404, "Schema penstock on a server is not ours",
     "It was made by another version of Penstock, by somebody else, or it is the database's own.",
     "Use the version that the migration began with; a schema of that name on the source has to be renamed "
     "or left out with `--exclude`.",
     WORDS("was made by another version of Penstock", "has a schema penstock of its own",
           "which this version does not know")},
    {1405, "The migration was begun with other choices",
     "Lanes, DDL and selection are chosen when it begins.",
     "Leave the option out: the choice that it began with holds. To choose again, `penstock finish "
     "--abandon` and begin anew.",
     WORDS("was begun with --ddl", "was begun with %d lanes")},
    {1406, "There is nothing left to copy", "The migration is past its copy.",
     "`penstock status` says what comes next.", WORDS("there is nothing left to copy")},
    {1407, "Another process is at it",
     "Another Penstock process has this migration's lock, or its sessions have not ended yet.",
     "The message says which process, and where. End it, or let it work; after a crash the server ends its "
     "sessions by itself.",
     WORDS("Penstock process has the %s lock", "sessions of an earlier run", "workers of an earlier applier",
           "this process was given up")},
    {1408, "Roles are missing on the target",
     "Objects belong to roles, or are granted to roles, that the target does not have.",
     "`penstock copy --roles` makes them.",
     WORDS("roles that own or may use objects are missing", "about roles")},
    {1409, "The target refuses objects of the schema",
     "What the source has defined cannot be made there: a type, a function or an extension is missing, or "
     "has changed between the versions.",
     "`penstock check` names each before the copy. Make them by hand on the target, or leave them out with "
     "`--exclude`; then run `penstock copy` again.",
     WORDS("of the schema: %s", "that rows need: %.800s", "it was added NOT VALID",
           "%s.%s is not there on the target")},
    {1410, "A table changed while it was copied",
     "Its definition, or its whole content, is another one than when the copy listed it.",
     "It is copied later by itself. If it goes on, hold the DDL on the source until the copy is through.",
     WORDS("it is defined in another way at the source", "it was truncated or rewritten after the snapshot",
           "it is gone from the source since the copy began", "its columns are not those that it had")},
    {1411, "The two sides counted other rows", "The target took another number of rows than the source sent.",
     "The table is not taken as copied; run `penstock copy` again. Look for a trigger or a rule on the "
     "target.",
     WORDS("the target took %lld", "without saying why")},
    {1412, "The copy does not move",
     "A server did not move for as long as it may, or nobody has taken a snapshot.",
     "Look at both servers for locks and load; then run the same command again: it goes on where it stopped.",
     WORDS("has not moved for", "has taken a snapshot to copy under", "there is nothing to copy yet",
           "were not brought within the limit", "has not written its WAL to disk",
           "has not replayed the begin", "replay went on, though it was paused", "how far it has replayed")},
    {1413, "Old transactions stand in the way of the slot",
     "A replication slot is complete only when every transaction that ran at its making has ended.",
     "The message names them. Let them end, or end them; then run it again.",
     WORDS("the transactions that were running have not ended", "gave no consistent point")},
    {1414, "A replication slot of our name is not ours",
     "It was made by something else, or is in use by another process.",
     "Drop it if nobody needs it, or choose another `--migration`.",
     WORDS("that this migration did not make", "belongs to the output plugin", "is still in use after",
           "has been in use by", "could not be dropped within", "has no position")},
    {1415, "pg_dump or pg_restore failed, or is missing",
     "The schema is read and written by pg_dump and pg_restore of the target's major or newer.",
     "Install postgresql-client of the target's major. What they said is in the message.",
     WORDS("no pg_dump and pg_restore fit", "what pg_restore wrote cannot be read", "cannot run %s: %s",
           "was ended by signal")},
    {1416, "Sequences are missing",
     "The target does not have all the sequences of the source, or they could not be set.",
     "`penstock check` names them; make them on the target, and run it again.",
     WORDS("sequences are missing on the target", "sequences gave %d values", "sequences could not be set")},
    {1417, "A trial of the schema is in the way",
     "A database that an earlier trial left, or one of that name, is on the target's server.",
     "Drop it if it is a left-over, then try again.", WORDS("in the way of a trial")},
    {1418, "The applier beside the copy has ended",
     "The copy in cycles needs it; its own error is above this one.",
     "Mend what it says, and run `penstock copy` again.",
     WORDS("that this command has started has ended by itself")},
    {1419, "Something has to be copied again",
     "Rows of the table are not those of the source: it was unlogged, rewritten, or marked to be copied "
     "anew.",
     "Run `penstock copy` again: it copies what is marked, and nothing else.",
     WORDS("something has to be copied anew", "has not been copied yet",
           "not all tables of the source are on the target")},
    {1420, "The state on the target makes no sense",
     "A value in schema penstock cannot be read: it was changed by hand, or restored from a backup of "
     "another moment.",
     "Do not mend it by hand. If the target was restored, `penstock finish --abandon` and begin anew.",
     WORDS("is not an LSN", "is no position of the WAL", "the position of the slot is not known",
           "is not in penstock.snapshot", "do not belong together",
           "lanes %d and %d stand on different sides", "is gone from the state", "is not a snapshot")},
};

ERROR_SECTION(error_section_copy);
