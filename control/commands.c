#include "commands.h"

#include <string.h>

const Command *const commands[] = {
    &command_init,     &command_check,  &command_copy,  &command_throttle, &command_pause,  &command_resume,
    &command_follow,   &command_status, &command_serve, &command_report,   &command_verify, &command_cutover,
    &command_rollback, &command_finish, &command_proxy, &command_roles,    &command_ddl,    NULL,
};

size_t commands_count(void)
{
    return sizeof commands / sizeof commands[0] - 1;
}

const Command *commands_find(const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}
