/*
 * A process is known by its pid and the time at which it began: field 22 of /proc/PID/stat, counted behind the name, which
 * may hold anything but is the last thing in parentheses.
 */
#include "guard.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

/* 0 when there is no such process, or it is dead and not yet buried. */
static unsigned long long started(pid_t pid)
{
    char path[64], text[1024];
    unsigned long long when = 0;
    char state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *name_end = strrchr(text, ')');
    if (name_end == NULL || sscanf(name_end + 1,
                                   " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                                   "%*d %llu",
                                   &state, &when) != 2) {
        return 0;
    }
    return state == 'Z' || state == 'X' ? 0 : when;
}

void guard_set(Guard *guard, pid_t command, int limit_ms, const struct sockaddr_storage *back)
{
    *guard = (Guard){
        .until = clock_ms() + limit_ms, .command = command, .started = started(command), .back = *back};
}

bool guard_is_over(const Guard *guard)
{
    if (guard->until == 0 || clock_ms() < guard->until) {
        return false;
    }
    unsigned long long now = started(guard->command);
    return now == 0 || now != guard->started;
}
