/*
 * Says who is in the way while a hold, or a drain, waits for open transactions: a thread, with a connection of its own.
 *
 *     HoldWatch *watch = hold_watch_start(cutover);     before the wait; NULL when it cannot be, which is no error
 *     … the wait …
 *     hold_watch_end(watch);                            NULL is fine
 */
#pragma once

#include "cutover.h"

typedef struct HoldWatch HoldWatch;

HoldWatch *hold_watch_start(Cutover *cutover);
void hold_watch_end(HoldWatch *watch);
