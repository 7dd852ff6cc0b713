/*
 * Names are compared as they are written: what a name means where the proxy runs is not for us to say.
 */
#include "place.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "database.h"

#define ANSWER_MS 1000

bool place_is_local(const char *host)
{
    return *host == '\0' || *host == '/' || *host == '@' || strcmp(host, "localhost") == 0 ||
           strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* What came of a connect that was begun; ETIMEDOUT when nothing did. */
static int outcome(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int code = ETIMEDOUT;
    socklen_t size = sizeof code;
    if (poll(&wait, 1, ANSWER_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    return code;
}

/* On this host the kernel says so at once; of a process that hangs, with a full queue, it says nothing. */
static bool is_refused(int family, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int code = fd < 0 || connect(fd, address, size) == 0 ? 0 : errno;
    code = code == EINPROGRESS ? outcome(fd) : code;
    if (fd >= 0) {
        close(fd);
    }
    return code == ECONNREFUSED || code == ENOENT;
}

static bool is_socket_deserted(const char *folder, const char *port)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%s", folder, port);
    return size < (int)sizeof address.sun_path &&
           is_refused(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

/* Of all addresses of the name. */
static bool is_port_deserted(const char *host, const char *port)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *all = NULL;
    bool deserted = getaddrinfo(host, port, &wanted, &all) == 0;
    for (const struct addrinfo *one = all; deserted && one != NULL; one = one->ai_next) {
        deserted = is_refused(one->ai_family, one->ai_addr, one->ai_addrlen);
    }
    if (all != NULL) {
        freeaddrinfo(all);
    }
    return deserted;
}

bool place_is_deserted(const char *conninfo)
{
    char *host = conninfo_get(conninfo, "host"), *port = conninfo_get(conninfo, "port");
    bool one = host != NULL && port != NULL && *host != '\0' && *host != '@' && strchr(host, ',') == NULL;
    bool deserted = one && place_is_local(host) &&
                    (*host == '/' ? is_socket_deserted(host, port) : is_port_deserted(host, port));
    free(port);
    free(host);
    return deserted;
}

bool place_same_host(const char *one, const char *other)
{
    return strcmp(one, other) == 0 || (place_is_local(one) && place_is_local(other));
}
