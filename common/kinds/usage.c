/*
 * Wrong use: the command line, the settings file, names.
 */
#include "kinds.h"

#define FIRST 1100
#define TITLE "Command line and settings"

static const ErrorKind kinds[] = {
    {1101, "There is no such command", "The first word that is no option is not the name of a command.",
     "`penstock` alone lists all.", WORDS("there is no command ")},
    {1102, "A line of the settings file cannot be used",
     "A line is `name = value` or `command.name = value`, of a setting or an option that there is; what has "
     "to be meant at the moment it is said (`--yes`, `--dry-run`, …) cannot stand there.",
     "The message has file and line.",
     WORDS("a line is `name = value`", "the line is longer than", "there is no setting ",
           "is for the command line only", "is on or off", "--config has to be written out")},
    {1103, "The settings file, or the token, may be read by others",
     "It has a secret in it, and its mode lets other users read it.", "`chmod 600` it.",
     WORDS("holds a password and others may read it", "others may read the token")},
    {1104, "A file cannot be opened", "It is not there, or may not be read.",
     "The message has the system's own words.", WORDS("opening %s: %s")},
    {1105, "The connection string cannot be read",
     "It is neither a URI nor a list of `name=value` as libpq knows them, or it has a part that cannot be "
     "kept secret on the way to pg_dump.",
     "Write it as `postgresql://user@host:5432/database`, or `host=… dbname=… user=…`; characters such as @ "
     "and / in a password of a URI are written %40 and %2F.",
     WORDS("the connection string of the ", "the connection string is not valid",
           "sslpassword in a connection string", "it is not said where the ")},
    {1106, "It leads to a connection pooler, not to the server",
     "Sessions of Penstock have settings, locks and transactions of their own, which a pooler would give to "
     "other clients.",
     "Let `--source` and `--target` lead past PgBouncer, pgcat and the like; the proxy itself is named by "
     "`--proxy`.",
     WORDS("leads to a connection pooler", "parameters cannot be sent there")},
    {1107, "Source and target are the same database", "Both connection strings lead to one and the same.",
     "Correct one of them.", WORDS("lead to one and the same database")},
    {1108, "The migration's name cannot be used",
     "It becomes part of the name of a replication slot: up to 63 bytes, of lower case letters, digits and _ "
     "(shorter where a way back is made).",
     "Choose another with `--migration`.",
     WORDS("the name of a migration has 1 to 63 bytes", "cannot name a replication slot",
           "too long for the slot of the way back")},
    {1109, "The file is there already", "`penstock init` does not write over settings.",
     "Name another with `--output`, or take the old one away.", WORDS("%s is there already")},
    {1110, "Somebody has to answer, and nobody is here",
     "The command asks before it begins, or for what was not given, and standard input is no terminal.",
     "Give what it asks for as options; where it asks whether it may begin, `--yes` says so.",
     WORDS("asks before it begins, and nobody is here", "is missing, and nobody is here to answer")},
    {1111, "The selection cannot be used",
     "A pattern of `--only` or `--exclude` is none, or fits nothing, or what is left cannot be moved without "
     "the rest.",
     "Patterns are written as `schema.table`, with * for anything. `penstock check`, with the same ones, "
     "says what they "
     "leave.",
     WORDS("is no pattern", "by these patterns everything stays behind", "no table fits --only and --exclude",
           "is to be moved, and cannot be made without", "was begun %s%s", "has a rule of selection")},
    {1112, "`penstock serve` cannot listen there",
     "The address is not one of this machine, the port is taken, or the address is not `HOST:PORT`.",
     "Give another with `--listen`. The message has the system's own words; `ss -ltnp` says who has the "
     "port.",
     WORDS("cannot listen on ", "is not HOST:PORT")},
    {1113, "`penstock serve` wants a token",
     "Where other machines can reach it, whoever asks has to have a token, of 16 characters or more.",
     "`openssl rand -hex 24 >token; chmod 600 token`, and `--token-file token`.",
     WORDS("is not this machine alone, and there is no token", "the token in %s has fewer than")},
    {1114, "The answer cannot be used",
     "What was typed, or a value for `penstock init`, is too long or of another kind.", "Answer again.",
     WORDS("is one line of at most", "is a number of seconds, not", "too many of %s",
           "the answer is longer than")},
    {1115, "The command wants another form", "Words or options are missing, or do not go together.",
     "`penstock help COMMAND` shows the forms that there are.",
     WORDS("edit takes --statement SQL or --file PATH", "takes the number that penstock ddl list shows",
           "penstock ddl takes list, apply", "penstock proxy set wants one --proxy",
           "--undo takes the last one back", "--primary is missing", "--proxy is missing",
           "is empty, larger than %d bytes, or no text", "-address wants HOST:PORT",
           "--as-target-role is about the statement of edit", "is neither stop, overwrite or skip",
           "--log-format is text, logfmt or json")},
    {1116, "This is not the database that the migration came from",
     "`--source` leads to another server or another database than when the migration began.",
     "Correct `--source`, or `--migration` if there are several.",
     WORDS("is not the database that migration", "the source is another server: its system identifier",
           "the source URI leads to database", "is copied from database %s of another system",
           "was begun from database", "is not the server that migration",
           "this source is another server than migration")},
    {1117, "The standby cannot be read from",
     "`--read-from` names a server that is no standby of this source, or one whose replay the role may not "
     "pause.",
     "Name a hot standby of the source; GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), "
     "pg_wal_replay_resume() TO the role.",
     WORDS("--read-from names no standby", "--read-from names a standby of another system",
           "may not pause the standby's replay")},
    {1118, "The way back would lead to another database",
     "`--reverse-conninfo` names a database, and it is not the one that the migration goes to.",
     "Leave `dbname` out of it, or name the target's.", WORDS("--reverse-conninfo leads to database")},
    {1119, "A rate is no number of bytes",
     "`--rate` was given something that is no number of bytes, with or without a unit.",
     "`--rate 20MB`, or `--rate 0` for none.", WORDS("--rate wants bytes per second")},
    {1120, "What is to be shown is no frame",
     "`penstock-applier --dump` reads frames as pg_recvlogical wrote them, or lines of hexadecimal digits.",
     "Make them with `pg_recvlogical -f`, or with `SELECT data FROM pg_logical_slot_peek_binary_changes(…)`.",
     WORDS("not a line of hexadecimal digits")},
    {1121, "A limit is too small", "`penstock throttle` was given a limit below which nothing would go on.",
     "`NAME=off` takes a limit back; `penstock pause` lets nothing more begin.",
     WORDS("cannot be %s: %s is the least")},
};

ERROR_SECTION(error_section_usage);
