#include "random.h"

#include <sys/random.h>

int random_fill(void *bytes, size_t size, Error *error)
{
    if (getrandom(bytes, size, 0) != (ssize_t)size) {
        return error_set(error, ERROR_SYSTEM, "the system gives no random number");
    }
    return 0;
}

int random_name(char out[static RANDOM_NAME_SIZE], Error *error)
{
    unsigned char bytes[RANDOM_NAME_SIZE / 2];
    if (random_fill(bytes, sizeof bytes, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[2 * sizeof bytes] = '\0';
    return 0;
}
