/*
 * What a check has found, as JSON: findings, and outcomes that hold them.
 */
#include "check.h"
#include "encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[CHECK_STATUSES] = {
    [CHECK_OK] = "ok",
    [CHECK_NOTE] = "note",
    [CHECK_WARNING] = "warning",
    [CHECK_PROBLEM] = "problem",
    [CHECK_ERROR] = "error",
    [CHECK_SKIPPED] = "skipped",
    [CHECK_ACCEPTED] = "accepted",
};

const char *check_status_name(CheckStatus status)
{
    return status_names[status];
}

/* text as one line; bytes that are no UTF-8 (SQL_ASCII) are spelt out. */
static json_t *string_or_null(const char *text)
{
    size_t size = text != NULL ? strlen("\\xNN") * strlen(text) + 1 : 0;
    char *line = text != NULL ? malloc(size) : NULL;
    if (line == NULL) {
        return json_null();
    }
    memcpy(line, text, strlen(text) + 1);
    encoding_to_utf8(line, size, NULL);
    for (char *at = line; *at != '\0'; at++) {
        *at = strchr("\n\r\t", *at) != NULL ? ' ' : *at;
    }
    json_t *value = json_string(line);
    free(line);
    return value;
}

/* A statement that can be given to psql as it is. */
static json_t *statement_or_null(const char *fix)
{
    size_t length = fix != NULL ? strlen(fix) : 0;
    char *ended = NULL;
    if (length == 0 || fix[length - 1] == ';' || asprintf(&ended, "%s;", fix) < 0) {
        return string_or_null(fix);
    }
    json_t *value = string_or_null(ended);
    free(ended);
    return value;
}

void finding_add(json_t *findings, const char *object, const char *detail, const char *fix)
{
    json_t *finding = json_object();
    json_object_set_new(finding, "object", string_or_null(object));
    json_object_set_new(finding, "detail", string_or_null(detail));
    json_object_set_new(finding, "fix", statement_or_null(fix));
    json_array_append_new(findings, finding);
}

int check_skip(Error *error, const char *why)
{
    return error_set(error, ERROR_NONE, "%s", why);
}

json_t *check_outcome(const char *id, const char *group, const char *title, CheckStatus status,
                      json_t *findings, const char *advice, const char *error)
{
    json_t *outcome = json_object();
    json_object_set_new(outcome, "id", json_string(id));
    json_object_set_new(outcome, "group", json_string(group));
    json_object_set_new(outcome, "title", json_string(title));
    json_object_set_new(outcome, "status", json_string(check_status_name(status)));
    json_object_set_new(outcome, "count", json_integer((json_int_t)json_array_size(findings)));
    json_object_set_new(outcome, "findings", findings);
    json_object_set_new(outcome, "advice", string_or_null(advice));
    json_object_set_new(outcome, "error", string_or_null(error));
    return outcome;
}

size_t check_count(const json_t *outcomes, CheckStatus status)
{
    size_t index, count = 0;
    json_t *outcome;
    json_array_foreach(outcomes, index, outcome)
    {
        const char *name = json_string_value(json_object_get(outcome, "status"));
        count += strcmp(name, check_status_name(status)) == 0;
    }
    return count;
}

ExitStatus check_exit_status(const json_t *outcomes)
{
    return check_count(outcomes, CHECK_PROBLEM) + check_count(outcomes, CHECK_ERROR) > 0 ? EXIT_ANSWER_NO
                                                                                         : EXIT_DONE;
}
