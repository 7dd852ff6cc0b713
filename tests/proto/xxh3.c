/*
 * The checksum of a frame's payload, for tests that alter frames: the lower half of XXH3 over standard input, as hex. The
 * argument is the seed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

int main(int argc, char **argv)
{
    XXH3_state_t *state = XXH3_createState();
    char bytes[65536];
    XXH3_64bits_reset_withSeed(state, argc > 1 ? strtoull(argv[1], NULL, 10) : 0);
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, stdin)) > 0;) {
        XXH3_64bits_update(state, bytes, size);
    }
    printf("%08" PRIx32 "\n", (uint32_t)XXH3_64bits_digest(state));
    XXH3_freeState(state);
    return 0;
}
