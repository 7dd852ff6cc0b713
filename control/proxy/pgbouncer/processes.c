/*
 * With so_reuseport several PgBouncers listen at one port, and the kernel gives each connection to one of them: also the
 * console's, whose PAUSE and RELOAD reach that one alone, while the clients of the others go on to a fenced source. So each
 * must be named by what only it has, its Unix socket; and where they can be counted, all must be named.
 */
#include <stdio.h>
#include <string.h>

#include "number.h"

#include "pgbouncer/pgbouncer.h"

/* Listening sockets of that port in the kernel's table: "sl local:PORT remote st …", st 0A is LISTEN. Loopback and any
 * address are counted apart, since a process may listen at several: the most at one address is the number of processes. */
static int count_listeners(const char *table, int port)
{
    struct {
        char address[40];
        int count;
    } seen[64] = {{"", 0}};
    char line[512], address[40];
    unsigned local, state;
    int most = 0;
    size_t used = 0;
    FILE *file = fopen(table, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, " %*d: %39[0-9A-F]:%X %*[0-9A-F]:%*X %X", address, &local, &state) != 3 ||
            local != (unsigned)port || state != 0x0A) {
            continue;
        }
        size_t i = 0;
        while (i < used && strcmp(seen[i].address, address) != 0) {
            i++;
        }
        if (i == used && used < sizeof seen / sizeof *seen) {
            memcpy(seen[used++].address, address, sizeof address);
        }
        if (i < used && ++seen[i].count > most) {
            most = seen[i].count;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return most;
}

static int count_peers(Proxy *proxy)
{
    PGresult *peers;
    Error ignored;
    if (console_run(&proxy->console, "SHOW PEERS", &peers, &ignored) != 0) {
        return 0; /* PgBouncer 1.18 knows none */
    }
    int count = PQntuples(peers);
    PQclear(peers);
    return count;
}

int pgbouncer_check_processes(Proxy *proxy, const PGresult *config, ProxyReport *report, Error *error)
{
    const char *host = PQhost(database_connection(proxy->console.database));
    if (strcmp(pgbouncer_setting(config, "so_reuseport"), "1") != 0) {
        return 0;
    }
    if (host == NULL || (*host != '/' && *host != '@')) {
        error_set(
            error, ERROR_STATE,
            "PgBouncer has so_reuseport: several processes may listen at port %s, and this console is that "
            "of one of them",
            pgbouncer_setting(config, "listen_port"));
        return error_hint(error,
                          "PAUSE and RELOAD would not reach the others. Give each process a unix_socket_dir "
                          "of its own, and name each with a --proxy by that: "
                          "'pgbouncer:host=/DIR port=PORT user=ADMIN dbname=pgbouncer,config=FILE'.");
    }
    int port = number_int(pgbouncer_setting(config, "listen_port"));
    int here = count_listeners("/proc/net/tcp", port), here6 = count_listeners("/proc/net/tcp6", port),
        peers = count_peers(proxy);
    report->port = port;
    report->processes = here > here6 ? here : here6;
    report->processes = peers > report->processes ? peers : report->processes;
    return 0;
}
