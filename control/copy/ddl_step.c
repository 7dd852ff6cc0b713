/*
 * The event triggers are made, and committed, before the slot is. Its making waits for every transaction that runs then
 * (replication/logical/snapbuild.c), so that whoever made DDL before the triggers were there has ended at the slot's
 * consistent point; and the snapshot of the dump is past all of them. So each statement is in the dump, or in the stream, or
 * in both and known by its transaction to be in the dump.
 */
#include "ddl_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ddl.h"
#include "past_slot.h"
#include "session.h"

bool copy_captures(const Copy *copy)
{
    return strcmp(copy->migration.ddl, ddl_mode_name(DDL_CAPTURE)) == 0;
}

int ddl_choose_mode(Copy *copy, Error *error)
{
    DdlMode mode = copy->options->ddl;
    const char *why = NULL;
    if (mode == DDL_UNSET && capture_choose(copy->source, &mode, &why, error) != 0) {
        return -1;
    }
    if (why != NULL) {
        progress_warn(copy->progress, "DDL at the source is watched, not captured: %s", why);
    }
    snprintf(copy->migration.ddl, sizeof copy->migration.ddl, "%s", ddl_mode_name(mode));
    return 0;
}

int ddl_check_mode(Copy *copy, Error *error)
{
    const char *said = ddl_mode_name(copy->options->ddl);
    bool there = true;
    if (copy->options->ddl != DDL_UNSET && strcmp(said, copy->migration.ddl) != 0) {
        error_set(error, ERROR_STATE, "migration \"%s\" was begun with --ddl %s, not %s",
                  copy->migration.name, copy->migration.ddl, said);
        return error_hint(error,
                          "Leave --ddl out: what was not captured from the beginning is not in the stream.");
    }
    if (!copy_captures(copy)) {
        return 0;
    }
    if (capture_is_there(copy->source, &there, error) != 0) {
        return -1;
    }
    if (!there) {
        progress_warn(copy->progress,
                      "the event triggers that capture DDL at the source were removed or disabled: DDL since "
                      "then is not "
                      "in the stream; they are made anew, and penstock status --schema says what differs");
        return capture_install(copy->source, error);
    }
    return 0;
}

/* What the source refuses (an event trigger of its own may) is an error only for who has asked for it. */
int ddl_install(Copy *copy, Error *error)
{
    if (!copy_captures(copy) || capture_install(copy->source, error) == 0) {
        return 0;
    }
    if (copy->options->ddl != DDL_UNSET || error->code != ERROR_SOURCE) {
        return -1;
    }
    progress_warn(copy->progress, "DDL at the source is watched, not captured: %s", error->message);
    *error = (Error){0};
    snprintf(copy->migration.ddl, sizeof copy->migration.ddl, "%s", ddl_mode_name(DDL_WATCH));
    return 0;
}

int ddl_note_key(Copy *copy, Error *error)
{
    char *token = NULL;
    if (!copy_captures(copy)) {
        return 0;
    }
    int status = capture_token(copy->source, &token, error);
    if (status == 0) {
        status = state_ddl_set_key(copy->target, copy->migration.name, token, error);
    }
    free(token);
    return status;
}

int ddl_take_snapshot(Copy *copy, char exported[EXPORTED_SIZE], Error *error)
{
    char *seen = NULL;
    const PastSlot wanted = {.copy = copy, .target = copy->target, .what = "the snapshot of the schema"};
    if (session_open(copy->settings->source, DATABASE_SOURCE, "copy schema", NULL, &copy->holder, error) !=
            0 ||
        left_behind_hide(copy->holder, &copy->left, error) != 0 ||
        past_slot_take(&wanted, copy->holder, exported, &seen, error) != 0) {
        return -1;
    }
    int status = state_ddl_set_seen(copy->target, copy->migration.name, seen, error);
    free(seen);
    return status;
}

void ddl_let_go(Copy *copy)
{
    database_close(copy->holder);
    copy->holder = NULL;
}
