/*
 * The stream: slot, WAL, timeline, wire format; the applier as a process.
 */
#include "kinds.h"

#define FIRST 1500
#define TITLE "Stream and applier"

static const ErrorKind kinds[] = {
    {1501, "The replication slot is gone",
     "It was dropped, or a standby was promoted that does not have it. What happened since its position is "
     "lost to the stream.",
     "Changes cannot be followed any more: `penstock finish --abandon`, and begin anew. If the old primary "
     "still runs, lead `--source` back to it.",
     WORDS("the source has no replication slot", "does not exist on the source",
           "is gone from the source: changes since")},
    {1502, "The slot has moved past what the target has",
     "Somebody has advanced it, or the target went back to an older state.",
     "What lies between is lost to the stream: begin anew. A target that was restored from a backup cannot "
     "be followed on.",
     WORDS("up to where the target has everything")},
    {1503, "The source went back in time",
     "It was restored, or a standby was promoted that had not received everything: the target has changes "
     "that the source does not have.",
     "Find out which side is right before anything else. The applier applies nothing meanwhile.",
     WORDS("up to where the target may have its changes",
           "WAL is another one than the target's rows come from", "the source is on timeline",
           "the stream went back")},
    {1504, "Another applier has taken over", "The lanes were taken by another process, or changed by hand.",
     "One applier at a time: see where the other one runs (`penstock status`).",
     WORDS("are not this applier's any more")},
    {1505, "The migration is over",
     "It is in a phase in which nothing is applied, or another one has been begun under its name since the "
     "applier was started.",
     "`penstock status` says where it stands. An applier that is started anew belongs to the migration that "
     "it finds.",
     WORDS("migration \"%s\" is in phase \"%s\"", "is not the one that this applier was started for")},
    {1506, "`--skip-lsn` names another transaction",
     "Only the transaction that the applier has stopped at can be left out.",
     "Take the LSN from the applier's error, or from `penstock status`.", WORDS("--skip-lsn %s")},
    {1507, "Plugin and applier are of different versions",
     "The plugin in the source's server speaks another version of the wire format.",
     "Install the plugin and the programs of one release. The server loads a new plugin with the next "
     "connection.",
     WORDS("speaks wire version", "the decoder writes wire version", "hello says wire version")},
    {1508, "The stream is damaged",
     "A frame's checksum, size or order is wrong: a fault on the way, in memory, or in Penstock.",
     "Nothing of it was applied; the applier asks for it again. If it is the same place each time, report "
     "what `penstock-applier --dump` says of it.",
     WORDS("has checksum", "the payload inflate to", "of payload cannot inflate", "zstd at byte", "zstd: %s",
           "the zstd stream ends", "the stream starts again in mid-connection", "no frame can be read after",
           "not a frame of penstock's wire format", "a plain payload has", "codec %u is not known",
           "the stream did not start with a hello", "which is neither data")},
    {1509, "A value is larger than can be sent",
     "A row, a value or a record is larger than a frame, or than PostgreSQL's limit of 1 GB with what comes "
     "around it.",
     "The message names the relation. Make the value smaller on the source, or leave the table to be copied: "
     "`--on-undecodable recopy`.",
     WORDS("too much for one frame", "is too long to be sent", "a row of more than", "more than the limit of",
           "than the %zu that can be sent", "columns, more than %d", "that hello can name")},
    {1510, "The encoding of the source's database has changed",
     "It is another one than when the migration began: another database.", "Begin anew.",
     WORDS("the source database has encoding")},
    {1511, "The applier was stopped", "A signal ended it in the middle of a batch, which was rolled back.",
     "Start `penstock follow` again: it goes on where it stopped.",
     WORDS("stopped while waiting", "stopped in the middle of a batch")},
    {1512, "The records of the stream do not fit together",
     "A transaction, a table's description or a row in the stream contradicts what came before it: a fault "
     "in "
     "Penstock, or a plugin of another version.",
     "Nothing of it was applied. See that plugin and programs are of one release; then report what "
     "`penstock-applier --dump` says of that place.",
     WORDS("has not been described", "rows have %u columns, the relation", "is numbered %",
           "follows change %", "cannot stand %s", "cannot stand there", "commit counts %",
           "the commit record at %s", "cell more than the row", "row has %u of %u cells",
           "came before its description", "was not described before its changes", "columns, it has %u",
           "byte %td: %s", "would have been left out", "a transaction cannot be %")},
    {1513, "The plugin cannot write what the server gave it",
     "The plugin in the source's server met a transaction, a relation or an option that the wire format has "
     "no place for.",
     "Nothing was left out: the stream stands. The source's log has the same message with the relation and "
     "the LSN; report it.",
     WORDS("codec %d is not known", "zstd level %d", "cannot be written %s", "follows one that ended at",
           "are not numbered upwards from 1", "ends a transaction that began as", "no row has kind %d")},
    {1514, "A change came without its key",
     "The source left out a key value that is stored out of line: servers older than 11.15 do.",
     "Update the source's server to its newest minor version, or shorten those keys.",
     WORDS("came without its key column")},
    {1515, "A column comes in a format that the target's type does not have",
     "The type is built in at the source and is none, or another one, on the target.",
     "Give the column on the target the type that it has at the source, and start `penstock follow` again.",
     WORDS("comes in binary format")},
    {1516, "The source's position makes no sense",
     "The server answered the question for its WAL position with something else: a pooler or a proxy may "
     "stand between.",
     "Let `--source` lead to the server itself.", WORDS("gave a position that is none")},
};

ERROR_SECTION(error_section_stream);
