/*
 * Will the proxy's users get in at the target? A failed login there after the switch would disconnect
 * clients.
 */
#pragma once

#include "database.h"
#include "error.h"
#include "ini.h"

/* The password of user in the text of an auth_file; NULL when it has none in plain text. The caller frees it. */
char *credentials_password(const char *auth_file, const char *user);

/* The next user named in the text of an auth_file, from *at on, which begins as the text; NULL past the last. The caller frees
 * it. */
char *credentials_next_user(const char **at);

/* Is that database fenced, as far as the server says? Then nobody gets in, whatever the password. */
bool credentials_fenced(Database *server, const char *database);

/*
 * Checks that user can log in at to, by doing so with password (or without one when it is NULL); it works where a fence
 * keeps everybody out, too. Where the server wants a password that is not known, the role must exist on target with the
 * same verifier as on source.
 */
int credentials_check(Database *source, Database *target, const Endpoint *to, const char *user,
                      const char *password, Error *error) MUST_CHECK;
