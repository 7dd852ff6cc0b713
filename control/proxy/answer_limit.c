#include "answer_limit.h"

#include "clock.h"

#define ANSWER_MS 10000
#define SILENT_MS 1000

int answer_limit_ms(const AnswerLimit *limit, int usual_ms)
{
    int64_t now = clock_ms();
    int left = limit->answer_ms != 0 ? limit->answer_ms : ANSWER_MS;
    if (usual_ms >= 0) {
        int again = 2 * usual_ms > SILENT_MS ? 2 * usual_ms : SILENT_MS;
        left = again < left ? again : left;
    }
    if (limit->deadline != 0 && limit->deadline - now < left) {
        left = limit->deadline > now ? (int)(limit->deadline - now) : 1;
    }
    return left;
}
