/*
 * What pg_hba.conf of a server makes of a login that cannot be tried, as far as pg_hba_file_rules shows it and we may look.
 *
 * The file is judged, not what the server has read of it: where a line of it has an error, nothing is said. Nor where the
 * answer hangs on what is not known here: names of hosts, samehost and samenet, whether the login comes with TLS.
 */
#pragma once

#include "database.h"
#include "error.h"

/*
 * *why says by what a login of that user to the database would be turned away ("line 7 of pg_hba.conf there rejects it"), from each
 * address that its sessions at now come from, and from nowhere known where it has none; NULL: nothing is known that would. The
 * caller frees it.
 */
int hba_judge_user(Database *now, Database *server, const char *database, const char *user, char **why,
                   Error *error) MUST_CHECK;

/*
 * The same for all users who have sessions from other hosts in the database that now is connected to: their names with the reasons.
 */
int hba_judge_sessions(Database *now, Database *server, const char *database, char **why,
                       Error *error) MUST_CHECK;
