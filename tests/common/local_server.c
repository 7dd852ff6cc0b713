#include "local_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

void local_server_open(LocalServer *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *server = (LocalServer){.folder = "/tmp/penstock-local-server-XXXXXX"};
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->path, sizeof server->path, "%s/.s.PGSQL.5432", server->folder);
    snprintf(server->uri, sizeof server->uri, "host=%s port=5432 user=app", server->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
    server->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 4), 0);
}

void local_server_close(LocalServer *server)
{
    if (server->listener >= 0) {
        close(server->listener);
    }
    unlink(server->path);
    rmdir(server->folder);
}
