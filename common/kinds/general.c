/*
 * Of last resort: one row for each ErrorCode.
 */
#include "kinds.h"

#define FIRST 1000
#define TITLE "What is said where nothing more exact is known"

static const ErrorKind kinds[] = {
    {1000, "The command line or a setting is wrong",
     "An option, a setting or a file of settings cannot be used as it is.",
     "The message names it. `penstock help` lists the commands, `penstock help COMMAND` the options of one.",
     .code = ERROR_USAGE},
    {1001, "A server cannot be reached, or went away",
     "A connection was refused, ended or did not answer: the server restarts, the network is cut, or the "
     "connection string is wrong.",
     "The applier, `penstock serve` and `penstock status --watch` go on by themselves when the server is "
     "back. Elsewhere run the command again.",
     .code = ERROR_CONNECTION},
    {1002, "The server said to try again",
     "A conflict between sessions, a lack of resources, or a server that starts or stops.",
     "It is tried again by itself, as long as that may help. If it goes on, the message says what the server "
     "lacks.",
     .code = ERROR_TRANSIENT},
    {1003, "What was received is not what the format says",
     "The bytes of the stream, or what another program wrote, cannot be read: a fault on the way, or in "
     "Penstock.",
     "Nothing of it was applied. Start again what stopped: the stream is sent anew. If it stops at the same "
     "place again, keep what `penstock-applier --dump` says of it and report it.",
     .code = ERROR_PROTOCOL},
    {1004, "The source refuses something",
     "The server of the source answered a statement with an error, or with something that makes no sense.",
     "The message has the server's own words. `penstock check` names what the role lacks and what is in the "
     "way.",
     .code = ERROR_SOURCE},
    {1005, "The target refuses something", "The server of the target answered a statement with an error.",
     "The message has the server's own words and names the object. Mend it on the target, and run the "
     "command again: it goes on where it stopped.",
     .code = ERROR_TARGET},
    {1006, "The proxy refuses something",
     "The proxy's administration console, or a login through the proxy, answered with an error.",
     "The message has the proxy's own words. `penstock proxy show` asks it without changing anything.",
     .code = ERROR_PROXY},
    {1007, "A change does not fit the rows on the target",
     "A row that the change needs is missing on the target, or one is in its way: something else has written "
     "there.",
     "Find out who writes to the target, and stop it. `penstock verify` says what differs; then start "
     "`penstock follow` again, with `--on-conflict` if the source's row is to win.",
     .code = ERROR_CONFLICT},
    {1008, "The migration is not in a state that allows this",
     "Something has to come first, or is over already.",
     "`penstock status` says where the migration stands and what comes next.", .code = ERROR_STATE},
    {1009, "A limit has passed", "Something took longer, or was larger, than it may.",
     "The message says what was waited for, and for how long. Nothing is half done: run it again when the "
     "cause is gone, or with a higher limit.",
     .code = ERROR_LIMIT},
    {1010, "The operating system refuses something",
     "A file, a process, a thread or memory could not be had on this machine.",
     "The message has the system's own words. Look at disk space, memory, rights and limits (`ulimit -a`).",
     .code = ERROR_SYSTEM},
    {1011, "Interrupted", "A signal, Ctrl-C or a closed terminal has ended the command between two steps.",
     "What was done stays done. The same command goes on where it stopped; of a cutover, `penstock status` "
     "says whether clients are held.",
     .code = ERROR_INTERRUPTED},
};

ERROR_SECTION(error_section_general);
