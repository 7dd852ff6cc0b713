/*
 * Order makes it safe: a port is taken, then noted durably, then the gate is started on it; so no gate is ever lost
 * out of sight. What the note says is believed until it is taken away.
 */
#include "pgcat/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "gate.h"
#include "pgcat/plan.h"
#include "write_file.h"

#define IDLE_STEP_MS 50

/* Whoever's it is. */
static int load_any(Proxy *proxy, json_t **state, Error *error)
{
    *state = NULL;
    if (access(proxy->state, F_OK) != 0) {
        return errno == ENOENT
                   ? 0
                   : error_set(error, ERROR_SYSTEM, "cannot open \"%s\": %s", proxy->state, strerror(errno));
    }
    json_error_t where;
    *state = json_load_file(proxy->state, 0, &where);
    if (*state != NULL) {
        return 0;
    }
    error_set(error, ERROR_SYSTEM, "\"%s\" cannot be read: %s", proxy->state, where.text);
    return error_hint(
        error, "It says where the held clients are. The old configuration is in \"%.200s.penstock-before\".",
        proxy->config);
}

static const char *owner(const json_t *state)
{
    return json_string_value(json_object_get(state, "of"));
}

static bool is_another(const Proxy *proxy, const json_t *state)
{
    return state != NULL && owner(state) != NULL && strcmp(owner(state), proxy->whose) != 0;
}

int pgcat_load_state(Proxy *proxy, json_t **state, Error *error)
{
    if (load_any(proxy, state, error) != 0) {
        return -1;
    }
    if (is_another(proxy, *state)) {
        json_decref(*state);
        *state = NULL;
    }
    return 0;
}

int pgcat_take_file(Proxy *proxy, bool (*stop)(void), Error *error)
{
    const char *const paths[] = {proxy->config};
    return file_turn_take(paths, 1, answer_limit_ms(&proxy->console.limit, -1), stop, &proxy->turn, error);
}

void pgcat_give_file(Proxy *proxy)
{
    file_turn_give(proxy->turn);
    proxy->turn = NULL;
}

/* With the file to itself; -1 when another migration holds clients, whom the error names. */
static int check_idle(Proxy *proxy, bool *held, Error *error)
{
    json_t *state;
    *held = false;
    if (load_any(proxy, &state, error) != 0) {
        return -1;
    }
    *held = is_another(proxy, state);
    if (*held) {
        error_set(error, ERROR_STATE,
                  "clients of this pgcat are held by another switch, of migration %s (\"%s\")", owner(state),
                  proxy->state);
        error_hint(error, "pgcat has one gate: run this again when that switch is through, or end it with "
                          "--resume or --undo.");
    }
    json_decref(state);
    return *held ? -1 : 0;
}

int pgcat_take_idle(Proxy *proxy, int limit_ms, bool (*stop)(void), Error *error)
{
    bool held = true;
    for (int64_t deadline = clock_ms() + limit_ms; held; clock_pause_ms(IDLE_STEP_MS)) {
        if (pgcat_take_file(proxy, stop, error) != 0) {
            return -1;
        }
        if (check_idle(proxy, &held, error) == 0) {
            return 0;
        }
        pgcat_give_file(proxy);
        if (clock_ms() > deadline || (stop != NULL && stop())) {
            break;
        }
    }
    return -1;
}

int pgcat_save_state(Proxy *proxy, const json_t *plain, Error *error)
{
    json_t *state = json_copy((json_t *)plain);
    json_object_set_new(state, "of", json_string(proxy->whose));
    char *text = json_dumps(state, JSON_INDENT(2));
    int status = write_file(proxy->state, text, strlen(text), 0600, error);
    json_decref(state);
    free(text);
    return status;
}

int pgcat_read_plan(Proxy *proxy, char **text, json_t **plan, Error *error)
{
    if (file_read(proxy->config, text, error) != 0) {
        return -1;
    }
    if (pgcat_plan(*text, proxy->database, proxy->pool, plan, error) == 0) {
        return 0;
    }
    free(*text);
    return error_context(error, "%s", proxy->config);
}

int pgcat_gate_port(const json_t *state)
{
    return (int)json_integer_value(json_object_get(state, "gate"));
}

/* Takes a port, keeps it in the state, and starts the gate there: in this order, so that no gate is lost. */
static int start_gate(Proxy *proxy, json_t *state, Error *error)
{
    int port = pgcat_gate_port(state), fd;
    if (gate_take_port(&port, &fd, error) != 0) {
        return -1;
    }
    json_object_set_new(state, "gate", json_integer(port));
    if (pgcat_save_state(proxy, state, error) != 0) {
        close(fd);
        return -1;
    }
    return gate_start(port, fd, proxy->gate_log, error);
}

int pgcat_need_gate(Proxy *proxy, json_t *state, Error *error)
{
    return gate_answers(pgcat_gate_port(state), &(GateAnswer){0}) ? 0 : start_gate(proxy, state, error);
}

int pgcat_need_holding_gate(Proxy *proxy, json_t *state, Error *error)
{
    GateAnswer answer;
    if (pgcat_gate_port(state) > 0 && gate_answers(pgcat_gate_port(state), &answer)) {
        if (strcmp(answer.mode, "hold") == 0) {
            return 0;
        }
        if (gate_end(pgcat_gate_port(state), error) != 0) {
            return -1;
        }
        json_object_del(state, "gate");
    }
    return start_gate(proxy, state, error);
}
