/*
 * A place where a test listens as a server would: a Unix socket in a folder of its own, and a connection string that leads to it.
 */
#pragma once

typedef struct LocalServer {
    int listener; /* -1: somebody else has closed it */
    char folder[40], path[64];
    char uri[80];
} LocalServer;

/* Who connects waits until the listener is asked to accept. Fails the test when it cannot. */
void local_server_open(LocalServer *server);
void local_server_close(LocalServer *server);
