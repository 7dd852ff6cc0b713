/*
 * The proxy: its configuration, what it shows, whether clients can be held there.
 */
#include "kinds.h"

#define FIRST 1300
#define TITLE "Proxies"

static const ErrorKind kinds[] = {
    {1301, "`--proxy` cannot be used",
     "It names no kind of proxy, or lacks the console's connection string or the configuration file.",
     "`--proxy 'pgbouncer:host=… dbname=pgbouncer user=…'`, or pgcat with its file: [proxy.md](proxy.md) has "
     "the forms.",
     WORDS("there is no proxy adapter", "--proxy names no adapter",
           "needs the connection string of its admin console", "--proxy none takes nothing",
           "without a proxy there is nothing to set")},
    {1302, "The proxy's configuration file cannot be found or changed",
     "It is elsewhere, includes files in a way that cannot be followed, or cannot be edited without changing "
     "what others mean.",
     "Name the file in `--proxy` (on another host, how to reach it), or bring the part that matters into one "
     "file.",
     WORDS("configuration file is, is not known", "configuration file \"%s\": %s", "it includes \"%s\" twice",
           "files are included", "lies in several of the included files",
           "a path that depends on where PgBouncer was started", "is not a file here",
           "does not name a file on another host", "is not what was written to it", "it cannot be edited",
           "cannot be edited", "is not a text file")},
    {1303, "The proxy's configuration file has an error",
     "A line cannot be read. A proxy that reloads such a file may give defaults to all that follows.",
     "The message has the line. Mend the file first, and let the proxy reload it.",
     WORDS("of the configuration, \"", "cannot be read as TOML", "not a list of [host, port, role]",
           "servers is not one [host, port, role]", "there is no table [", "there is no `servers` in",
           "has no servers in the file", "has no user")},
    {1304, "The proxy has no entry for this database",
     "Neither its file nor what it shows has an entry, or a pool, that leads to it; or several do.",
     "Name the entry in `--proxy`, or correct the file.",
     WORDS("[databases] has ", "only the * line of [databases]", "has a shard of database",
           "pools of the file are meant by", "pgcat shows no pool of",
           "which the file does not have as sections", "is gone from \"%s\"")},
    {1305, "The proxy leads elsewhere than its file says",
     "It has not reloaded its file, or another process serves the port, or somebody changed the file "
     "meanwhile.",
     "Let it reload (`RELOAD` at its console) and look with `penstock proxy show`.",
     WORDS("in PgBouncer, and to %s:%s in its file", "in pgcat, and to %s:%s in its file",
           "has not taken what was written to", "after RELOAD", "RELOAD changed more than it should",
           "does not use the servers that its file names", "has been changed by someone else",
           "of the entry has been changed", "does not lead to %s:%s, but to another server",
           "it leads to %s:%s, and another of this database")},
    {1306, "The proxy reaches another server",
     "At the same host and port it finds another one than we do: another network, another name resolution.",
     "Give the addresses as the proxy sees them: `--source-address`, `--target-address`.",
     WORDS("is another server (system %s)", "the proxy does not lead to the")},
    {1307, "Clients cannot be held in this pool",
     "It pools by session, is paused or disabled, or has settings that end waiting clients before the hold "
     "limit has passed.",
     "The message names the setting and the value that it needs. `penstock check` with `--proxy` says all of "
     "them beforehand.",
     WORDS("by session; now connected", "is paused in ", "is disabled in PgBouncer",
           "is not longer than the hold limit", "server_login_retry (%g s)", "does not allow a hold",
           "has min_pool_size, and validate_config is on", "the role of its server is", "it has mirrors",
           "default_role of pool", "and the gate can take")},
    {1308, "Several processes serve the proxy's port",
     "A console reaches one of them only; the others would not be held.",
     "Name the console of each: one `--proxy` for each process.",
     WORDS("has so_reuseport", "processes listen at port")},
    {1309, "The proxy may not log in where clients are to go",
     "The role is missing there, may not log in, or has another password or verifier than the proxy has.",
     "Make the roles with `penstock copy --roles`, or write the password where the proxy reads it.",
     WORDS("may log in", "has another verifier where clients are to go", "can log in at ")},
    {1310, "Clients are held at the proxy already", "A cutover holds them, or one that died left its mark.",
     "`penstock status` says which; `penstock cutover --resume` or `--undo` ends it.",
     WORDS("clients are held already", "a cutover holds the clients", "holds other pools of the same file",
           "the gate is open already", "clients of this pgcat are held by another switch")},
    {1311, "Nothing is held any more", "The gate, or what was kept of the proxy's file, is gone.",
     "Look with `penstock proxy show` where clients are led, and with `penstock status` where the switch "
     "stands.",
     WORDS("is gone: nobody is held in the gate", "does not say where to go on",
           "there is nothing to take back")},
    {1312, "Transactions go on at the proxy", "They have not ended within the limit for draining.",
     "Try again when it is quieter, or with a longer `--drain-limit`. Nothing has been changed.",
     WORDS("are still open through pgcat", "not done within")},
    {1313, "What was asked of `proxy set` would be wrong",
     "A replica would get writes, a mirror would write everything twice, or the proxy knows no such thing.",
     "The message says which server, and why.",
     WORDS("PgBouncer knows one server for each entry", "is no replica: it is not in recovery",
           "is a replica, but not of this primary", "everything would be written twice",
           "is the migration's target is not known", "is the migration's target",
           "takes no writes: it is a replica", "reads cannot be split off without a replica",
           "is on without ", "the pool keeps prepared statements")},
    {1314, "The gate cannot be had",
     "The small listener that holds clients of pgcat could not take its port, or does not answer.",
     "The message names its log. See that the port is free; `--undo` takes a hold back whether it answers or "
     "not.",
     WORDS("the gate cannot have port", "cannot start the gate", "the gate on port")},
    {1315, "A user would be turned away by the other server",
     "Whoever is logged in now would not get into the server that is switched to: pg_hba.conf there, a "
     "password, or a role that is missing.",
     "The message says who, and why. Mend it there; `logins=accept` behind the `--proxy` goes on without.",
     WORDS("would be turned away")},
    {1316, "Somebody else is changing the proxy's file",
     "Another run of Penstock has it, or an editor or configuration manager writes it at the same time.",
     "The message names the file, and the process where that is known. Wait for its end, or end one that "
     "stands "
     "still; then try again.",
     WORDS("another run of penstock%s%s is changing a file of the proxy's",
           "somebody else is changing \"%s\"", "cannot lock \"%s\"")},
};

ERROR_SECTION(error_section_proxy);
