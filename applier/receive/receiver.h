/*
 * The replication connection to the source: opens the stream of one logical slot, hands out its messages as bytes with
 * their WAL positions, and sends standby status updates.
 *
 * receiver_open blocks while it connects and checks (source system, database, slot, plugin); everything else never
 * does. The receiver knows no event loop: it gives its socket, and the caller polls it for reading, and for writing
 * while receiver_flush says that bytes wait.
 *
 * It never decides what may be confirmed: it sends what the caller says.
 */
#pragma once

#include <stdbool.h>

#include "bytes.h"
#include "error.h"
#include "lsn.h"

typedef struct Receiver Receiver;

typedef struct ReceiverOptions {
    const char *source; /* connection string */
    const char *slot;
    const char *system;         /* system identifier that the source must have */
    const char *database;       /* that the connection must lead to */
    const char *on_undecodable; /* error or recopy: the decoder's option */
    const char *skip_relations; /* OIDs, with commas between; another one; NULL: none */
    size_t collect_memory;      /* bytes: another one of its options */
    int read_ahead;             /* records: another one */
    int timeline;               /* that the source must be on, or go on from; 0: any */
    Lsn known;                  /* the target may have changes up to here */
    Lsn safe;         /* the target has all that ends at or before this: the slot must not be past it */
    Lsn start;        /* the stream starts here, or where the slot stands when that is further */
    int slot_wait_ms; /* how long to wait for a slot that someone else still reads */
    int earlier_session; /* the source's process of a lost connection of ours, which may be that someone; 0: none */
    int interrupt_fd; /* readable: stop waiting; -1 for none */
} ReceiverOptions;

typedef enum ReceivedKind {
    RECEIVED_NOTHING, /* no whole message is here yet */
    RECEIVED_DATA,
    RECEIVED_KEEPALIVE,
} ReceivedKind;

typedef struct Received {
    ReceivedKind kind;
    Bytes data;  /* RECEIVED_DATA: borrowed until receiver_release, receiver_next or receiver_close */
    Lsn wal_end; /* RECEIVED_KEEPALIVE: everything that ends at or before this has been sent */
    bool reply_requested; /* RECEIVED_KEEPALIVE: the source wants a status update now */
} Received;

/*
 * The caller frees *out with receiver_close. ERROR_STATE with what to do when the source is another server or database
 * than the migration began with or has another history than the target's rows, or the slot is missing, of another plugin, past
 * what the target has, or in use (naming the process; ERROR_TRANSIENT when it is our own earlier session, which is asked to end);
 * ERROR_INTERRUPTED when interrupt_fd became readable meanwhile.
 */
int receiver_open(const ReceiverOptions *options, Receiver **out, Error *error) MUST_CHECK;
void receiver_close(Receiver *receiver);

/*
 * A descriptor of the receiver's own for the connection's socket, good until receiver_close: libpq closes its own whenever
 * it finds the connection broken (PQflush, PQconsumeInput), and who polled that would poll nothing, or another's.
 */
int receiver_socket(const Receiver *receiver);

/* The source's process that serves this connection. */
int receiver_session(const Receiver *receiver);

/* The source's timeline. */
int receiver_timeline(const Receiver *receiver);

/* Where the slot stood when the stream was opened: everything that ends at or before this was confirmed earlier. */
Lsn receiver_confirmed(const Receiver *receiver);

/* Transactions whose commit record lies before this are not sent. */
Lsn receiver_start(const Receiver *receiver);

/* Reads from the socket; *bytes_wait is true when it had more. ERROR_CONNECTION when the source is gone. */
int receiver_read(Receiver *receiver, bool *bytes_wait, Error *error) MUST_CHECK;

/* The next message that has been read. */
int receiver_next(Receiver *receiver, Received *out, Error *error) MUST_CHECK;

/* Gives back the message of receiver_next: it may be large. */
void receiver_release(Receiver *receiver);

/* Says that everything up to written has been received and everything up to durable is safe on the target. */
int receiver_send_status(Receiver *receiver, Lsn written, Lsn durable, bool request_reply,
                         Error *error) MUST_CHECK;

/* Sends what waits; *pending is true when bytes are left because the socket takes no more. */
int receiver_flush(Receiver *receiver, bool *pending, Error *error) MUST_CHECK;
