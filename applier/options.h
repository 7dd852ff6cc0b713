/*
 * The command line of penstock-applier. One table in options.c gives parsing, --help and defaults.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "lsn.h"
#include "fit.h"
#include "policy.h"

typedef struct ApplierOptions {
    const char *source; /* connection strings; NULL: libpq's defaults */
    const char *target;
    const char *migration;
    int workers;
    Lsn until;             /* stop when everything up to here is durable; LSN_INVALID: never */
    size_t memory;         /* bytes of frames and batches held at most */
    size_t source_memory;  /* bytes of unfinished transactions in the walsender; 0: the server's own rule */
    int source_read_ahead; /* records of the WAL in one turn of the walsender; 0: each by itself */
    size_t batch_rows;
    size_t batch_bytes;
    size_t copy_rows;       /* inserts of one table in a batch from which they go by COPY */
    size_t target_memory;   /* bytes that the workers' processes on the target take together, about */
    size_t session_tables;  /* a worker's connection that has written to so many tables is made anew */
    int linger_ms;          /* a change waits at most so long for company */
    int status_interval_ms; /* between status updates to the source */
    int timeout_s;          /* a server that is silent for so long is taken as lost; 0: never */
    int start_limit_s;      /* before the first stream: give up when a server cannot be reached for so long */
    int retry_limit_s;      /* give up when nothing got better for so long; 0: never */
    Policies policies;      /* what is done with changes that do not fit; the caller's to free */
    LossyTables lossy; /* tables whose values may change on their way; the caller's to free, the list alone */
    bool recopy;      /* a change that cannot be sent makes its table wait for a new copy, and not an error */
    const char *dump; /* a file, or "-": print the frames in it instead of applying anything */
    Log log;
    LogPlace place; /* of log */
} ApplierOptions;

/* Ends the process, with a message and status 2, when the command line is wrong. Strings point into argv or environ. */
void options_parse(int argc, char **argv, ApplierOptions *out);
