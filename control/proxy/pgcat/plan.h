/*
 * What a cutover reads and changes in pgcat's configuration file: which pools serve a database, where they lead,
 * and the same text with them leading elsewhere. Pure functions, no I/O.
 *
 * A plan is a JSON object without passwords that holds all that changing and changing back need:
 *
 *     {"pools":  [{"pool": "app", "connect_timeout": "5000" or null}],
 *      "places": [{"pool": "app", "shard": "0", "servers": "[[…]]", "database": "\"app\""}],
 *      "host": "10.0.0.1", "port": "5432"}
 */
#pragma once

#include <jansson.h>

#include "error.h"
#include "ini.h"

/*
 * The plan for the pools of text whose shards are of database; only for pool when that is not NULL. ERROR_STATE
 * when there are none, when they do not all lead to one server, or when a shard has more than that one as its
 * primary, or mirrors. The caller frees *plan.
 */
int pgcat_plan(const char *text, const char *database, const char *pool, json_t **plan,
               Error *error) MUST_CHECK;

/* The text under key of a plan, or of a part of one; "" when there is none. */
const char *pgcat_text(const json_t *object, const char *key);

/* text with the plan's pools leading to where and with a connect timeout of timeout_ms, or their own when that
 * is 0. The caller frees *out. */
int pgcat_point(const char *text, const json_t *plan, const Endpoint *where, int timeout_ms, char **out,
                Error *error) MUST_CHECK;

/* text as it was when the plan was made, as far as the plan goes. The caller frees *out. */
int pgcat_point_back(const char *text, const json_t *plan, char **out, Error *error) MUST_CHECK;

typedef struct PgcatUser {
    char *name, *password;               /* of the clients */
    char *server_name, *server_password; /* that pgcat uses; the same when not set apart */
} PgcatUser;

/* The number-th user of pool; false past the last. The caller frees *out with pgcat_user_free. */
bool pgcat_user(const char *text, const char *pool, size_t number, PgcatUser *out);
void pgcat_user_free(PgcatUser *user);
