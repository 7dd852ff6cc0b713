/*
 * How a gate is spoken to: one line each way over a socket in the abstract namespace, named by the port.
 * Private to this folder.
 */
#pragma once

#include <sys/socket.h>

#include "error.h"
#include "gate_answer.h"
#include "splice.h"

/* Binds fd to address and listens. A gate that was killed keeps its names for a moment: waits for them, at most
 * a second. 0, or -1 with errno set. */
int bind_when_free(int fd, const struct sockaddr *address, socklen_t size);

/* Makes the socket that the gate on port listens at. -1 with errno set. */
int control_bind(int port);

/* Begins to take commands on it. 0, or libuv's error. */
int control_listen(Gate *gate, int fd);

/* Sends one command to the gate on port. */
int control_ask(int port, const char *command, GateAnswer *answer, Error *error) MUST_CHECK;
