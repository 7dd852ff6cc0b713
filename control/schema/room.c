#include "room.h"

#include "clock.h"
#include "session.h"
#include "setback.h"

#define FIRST_MS 1000
#define LONGEST_MS 30000
#define TURN_MS 100

bool room_lacks(Database *session, const Error *error)
{
    return setback_of(error) == SETBACK_NO_ROOM && PQstatus(database_connection(session)) == CONNECTION_OK;
}

static int let_go(Database *session, Error *error)
{
    return PQtransactionStatus(database_connection(session)) == PQTRANS_IDLE
               ? 0
               : database_execute(session, error, "ROLLBACK", 0);
}

int room_wait(Database *session, const RoomWait *how, int tries, Error *error)
{
    const SessionWait wait = {.stop = how->stop, .what = "the target's disk was full"};
    int ms = tries < 5 ? FIRST_MS << tries : LONGEST_MS;
    *error = (Error){0};
    if (let_go(session, error) != 0) {
        return -1;
    }
    for (; ms > 0; ms -= TURN_MS) {
        if (session_stopped(&wait, error) != 0) {
            return -1;
        }
        if (how->idle != NULL) {
            how->idle(how->context);
        }
        clock_pause_ms(TURN_MS);
    }
    return 0;
}
