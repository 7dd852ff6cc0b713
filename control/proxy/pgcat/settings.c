/*
 * Which settings of pgcat do not allow a hold: a table of a key, where it may stand, and what is wrong with it.
 */
#include "pgcat/settings.h"

#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "toml.h"

static const char *const general_path[] = {"general", NULL};

typedef enum Refusal { WHEN_SET, WHEN_TRUE, WHEN_SESSION, WHEN_NOT_ZERO, WHEN_REPLICA, WHEN_SHORT } Refusal;

typedef enum Where { IN_GENERAL = 1, IN_POOL = 2, IN_USER = 4 } Where;

typedef struct Rule {
    const char *key;
    int where;
    Refusal when;
    const char *reason;
} Rule;

static const Rule rules[] = {
    {"autoreload", IN_GENERAL, WHEN_NOT_ZERO, "pgcat would read the file by itself, in the middle of a step"},
    {"verify_server_certificate", IN_GENERAL, WHEN_TRUE, "the gate cannot show the server's certificate"},
    {"auth_query", IN_GENERAL | IN_POOL, WHEN_SET, "RELOAD would wait for a server behind the gate"},
    {"checkout_failure_limit", IN_POOL, WHEN_SET, "it would disconnect clients that wait"},
    {"pool_mode", IN_POOL | IN_USER, WHEN_SESSION, "a session never moves until its client leaves"},
    {"default_role", IN_POOL, WHEN_REPLICA, "only a primary can be moved"},
    {"connect_timeout", IN_USER, WHEN_SHORT, "it would end the wait of that user's clients"},
};

static bool refuses(const Rule *rule, const char *value, int hold_limit_ms)
{
    switch (rule->when) {
    case WHEN_SET:
        return true;
    case WHEN_TRUE:
        return strcmp(value, "true") == 0;
    case WHEN_SESSION:
        return strcmp(value, "session") == 0;
    case WHEN_NOT_ZERO:
        return strcmp(value, "0") != 0;
    case WHEN_REPLICA:
        return strcmp(value, "replica") == 0;
    case WHEN_SHORT:
        return number_real(value) <= hold_limit_ms;
    }
    return false;
}

static int check_table(const char *text, const char *const *table, Where where, const ProxyContext *context,
                       Error *error)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof rules / sizeof *rules; i++) {
        char *value = rules[i].where & where ? toml_text(text, table, rules[i].key) : NULL;
        bool refused = value != NULL && refuses(&rules[i], value, context->hold_limit_ms);
        free(value);
        if (refused) {
            error_set(error, ERROR_STATE, "pgcat's %s in [%s%s%s] does not allow a hold: %s", rules[i].key,
                      table[0], table[1] != NULL ? "." : "", table[1] != NULL ? table[1] : "",
                      rules[i].reason);
            error_hint(error, "Change it in pgcat's file and RELOAD before the cutover.");
            status = proxy_found(context, -1, error);
        }
    }
    return status;
}

/* With validate_config, a pool with min_pool_size makes RELOAD wait for servers, and fail half-way. */
static int check_minimum(const char *text, const char *const *user, Error *error)
{
    char *validate = toml_text(text, general_path, "validate_config");
    char *minimum = toml_text(text, user, "min_pool_size");
    bool refused =
        (validate == NULL || strcmp(validate, "false") != 0) && minimum != NULL && number_int(minimum) > 0;
    free(validate);
    free(minimum);
    if (!refused) {
        return 0;
    }
    error_set(error, ERROR_STATE, "pool \"%s\" has min_pool_size, and validate_config is on", user[1]);
    return error_hint(error,
                      "RELOAD would wait for servers: set validate_config = false in [general], or take "
                      "min_pool_size out, and RELOAD.");
}

static int check_users(const char *text, const char *pool, const ProxyContext *context, Error *error)
{
    const char *const users[] = {"pools", pool, "users", NULL};
    int status = 0;
    char *name;
    for (size_t i = 0; status == 0 && (name = toml_child(text, users, i)) != NULL; i++) {
        const char *const user[] = {"pools", pool, "users", name, NULL};
        status = check_table(text, user, IN_USER, context, error);
        if (status == 0) {
            status = proxy_found(context, check_minimum(text, user, error), error);
        }
        free(name);
    }
    return status;
}

int pgcat_check_settings(const char *text, const json_t *plan, const ProxyContext *context, Error *error)
{
    int status = check_table(text, general_path, IN_GENERAL, context, error);
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(plan, "pools"), i, one)
    {
        const char *pool = json_string_value(json_object_get(one, "pool"));
        if (status == 0) {
            status = check_table(text, (const char *const[]){"pools", pool, NULL}, IN_POOL, context, error);
        }
        if (status == 0) {
            status = check_users(text, pool, context, error);
        }
    }
    return status;
}
