/*
 * From the payload of one message to the records of one frame, with the relations that they name.
 *
 * One decoder per connection to the source, because the wire's compression and its relation numbers are. Relations that
 * it hands out live as long as the registry; the same definition gives the same object. One thread.
 */
#pragma once

#include "frame.h"
#include "registry.h"

typedef struct Decoder Decoder;

/* A line of printable ASCII without quotes and backslashes, ended by NUL. */
#define PLUGIN_NOTES_SIZE 240

typedef struct DecoderOptions {
    Registry *registry;     /* of relations; borrowed, and kept over connections */
    const char *encoding;   /* that the source database had when the migration began */
    size_t max_raw_size;    /* a frame that inflates to more is refused */
    atomic_size_t *account; /* goes into each frame, or NULL */
    char
        *notes; /* PLUGIN_NOTES_SIZE bytes, or NULL: what the plugin says that it cannot do, "" for nothing */
} DecoderOptions;

/* The caller frees *out with decoder_free. */
int decoder_new(const DecoderOptions *options, Decoder **out, Error *error) MUST_CHECK;
void decoder_free(Decoder *decoder);

/* The caller has the one reference to *out. After an error the decoder is of no further use. */
int decoder_decode(Decoder *decoder, Bytes payload, DecodedFrame **out, Error *error) MUST_CHECK;
