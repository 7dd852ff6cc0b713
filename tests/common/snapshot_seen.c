/*
 * What a snapshot sees of a stream, for tests on real servers. From stdin, a word per field:
 *
 *     snapshot TEXT LSN      the one that the lines below are about
 *     transaction XID LSN    prints 1 when it sees the transaction whose commit record begins there, else 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

static int run(void)
{
    static char line[1 << 16], text[1 << 16], word[32], third[32];
    Snapshot snapshot = {0};
    Error error;
    while (fgets(line, sizeof line, stdin) != NULL) {
        Lsn lsn;
        if (sscanf(line, "%31s %65535s %31s", word, text, third) != 3 || !lsn_parse(third, &lsn)) {
            fprintf(stderr, "not understood: %s", line);
            return 2;
        }
        if (strcmp(word, "snapshot") == 0) {
            snapshot_free(&snapshot);
            if (snapshot_parse(text, lsn, &snapshot, &error) != 0) {
                fprintf(stderr, "%s\n", error.message);
                return 3;
            }
        } else {
            puts(snapshot_sees(&snapshot, (uint32_t)strtoul(text, NULL, 10), lsn) ? "1" : "0");
        }
    }
    snapshot_free(&snapshot);
    return 0;
}

int main(void)
{
    return run();
}
