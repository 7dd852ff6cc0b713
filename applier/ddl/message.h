/*
 * A captured statement, as the source's event triggers wrote it into the stream (control/ddl/capture.sql): the content of the
 * records that applier/model/captured.h knows.
 *
 *     64 hex digits (the seal) and a JSON object, or, when it could not be captured, a JSON object alone
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "wire.h"

#define DDL_SEAL 64

typedef struct DdlMessage {
    json_t *root;
    const char *seal; /* DDL_SEAL bytes of the content; NULL: the message has none */
    Bytes body;       /* of the content */
    bool captured;    /* else only tag, code, and maybe query, words and role are there */
    /* UTF-8, belonging to root; "" where there is none. */
    const char *tag;
    const char *query;  /* the string that the client sent */
    const char *stack;  /* "": the statement is one of the string's own */
    const char *role;   /* of the session */
    const char *acting; /* … and of a SECURITY DEFINER function that made it */
    const char *path;
    const char *code; /* not captured: why */
    const char *words;
    int number;   /* of the string's statements that fire triggers, from 1 */
    uint64_t xid; /* of the whole transaction */
    double at;    /* seconds since 1970, by the source's clock */
} DdlMessage;

/* Takes it apart. ERROR_STATE for what cannot be read. The caller frees it with ddl_message_free, also after an error. */
int ddl_message_read(Bytes content, DdlMessage *out, Error *error) MUST_CHECK;
void ddl_message_free(DdlMessage *message);

/* A part of it as JSON text, or NULL when it is not there: "tables". The caller frees it with free. */
char *ddl_message_part(const DdlMessage *message, const char *name);
