/*
 * What a gate says of itself, to whoever asks at its port.
 */
#pragma once

typedef struct GateAnswer {
    char mode[16]; /* hold, open, ending */
    int pid;       /* of the part that keeps the port */
    int waiting;   /* connections that are not led anywhere yet */
    int led;       /* connections that have a server */
} GateAnswer;
