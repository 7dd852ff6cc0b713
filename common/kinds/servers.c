/*
 * Servers that do not answer, or refuse: by SQLSTATE (errcodes.txt, the same in 11 to 18), and by our own words.
 */
#include "kinds.h"

#define FIRST 1200
#define TITLE "Servers and connections"

static const ErrorKind kinds[] = {
    {1201, "No connection",
     "The server does not run, its host or port is another, or a firewall or `listen_addresses` keeps this "
     "machine out.",
     "Try `psql` with the same connection string, from this machine.", WORDS("cannot connect to the "),
     SQLSTATES("08")},
    {1202, "User or password is wrong",
     "The server knows no such user, or has another password, or pg_hba.conf has no line that lets this "
     "machine in.",
     "~/.pgpass is a good place for the password; the server's log says which line of pg_hba.conf refused.",
     SQLSTATES("28")},
    {1203, "There is no such database", "The server is there; the database in the connection string is not.",
     "Name another, or make it: `CREATE DATABASE …`.", SQLSTATES("3D000")},
    {1204, "A right is missing", "The role may not do this.",
     "`penstock check` names every right that is missing, `penstock check --grants` prints the statements.",
     SQLSTATES("42501")},
    {1205, "The server has no connection left",
     "max_connections, max_wal_senders or the role's or the database's limit is used up.",
     "End some sessions or raise the limit. [sizing.md](sizing.md) says how many Penstock needs.",
     SQLSTATES("53300")},
    {1206, "A disk is full", "The server's data, WAL or temporary files have no room.",
     "Make room. The applier and the copy go on by themselves; nothing is lost.", SQLSTATES("53100")},
    {1207, "The server lacks memory or locks",
     "Out of memory, or more tables in one transaction than `max_locks_per_transaction` allows for.",
     "The applier goes on with smaller batches. For pg_dump, raise max_locks_per_transaction: "
     "[sizing.md](sizing.md) has the formula.",
     SQLSTATES("53")},
    {1208, "The server stops, starts or is in recovery",
     "It was shut down or restarted, or it is a standby now.",
     "It is waited for. If it stays a standby, let the connection string lead to the primary: several hosts "
     "and `target_session_attrs=read-write` find it.",
     SQLSTATES("57P01 57P02 57P03 25006")},
    {1209, "Sessions were in each other's way",
     "A serialization failure, a deadlock, or a lock that was not had in time.",
     "It is tried again by itself. If it goes on, `pg_blocking_pids` on that server says who holds the lock.",
     SQLSTATES("40 55P03")},
    {1210, "A statement was cancelled", "statement_timeout, or somebody cancelled it.",
     "Penstock sets no such limit for its own sessions: look for who cancels (the server's log), and run it "
     "again.",
     SQLSTATES("57014")},
    {1211, "A server does not answer",
     "The connection is open and nothing comes: a cut network, a stopped machine, or a session that waits "
     "for a lock.",
     "The applier tries again after `--timeout`. Elsewhere run it again when the server answers; every "
     "command can be repeated.",
     WORDS("has not answered for", "no answer in time", "no answer within", "the %s does not answer",
           "the connection was lost", "the connection to the target was lost",
           "there is no connection to the target", "%s took longer than")},
    {1212, "The source ended the stream",
     "The walsender closed the connection: the source stops, was restarted, or ended the session.",
     "The applier connects again by itself.",
     WORDS("the source ended the stream", "polling the source's socket")},
};

ERROR_SECTION(error_section_servers);
