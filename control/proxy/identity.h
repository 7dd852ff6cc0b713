/*
 * Which server is it that one reaches?
 */
#pragma once

#include "error.h"

/*
 * Logs in with the connection string uri, and asks for the server's system identifier. ERROR_LIMIT when no answer came within
 * limit_ms; else the words of whoever refused. Errors name no password.
 */
int identity_ask(const char *uri, int limit_ms, char system[32], Error *error) MUST_CHECK;
