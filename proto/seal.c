/*
 * The payload is compressed straight to its place in the outgoing frame, behind room for the frame's own
 * fields. Those are written last, since they hold the payload's size and checksum, and so that they end where
 * the payload begins.
 */
#include "seal.h"

#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "varint.h"
#include "wire_limits.h"

/* version, codec, raw_size, open, checksum, and the head of payload */
#define HEADER_ROOM (4 * (1 + VARINT_MAX_SIZE) + 5 + 1 + VARINT_MAX_SIZE)

/*
 * Level 1 by itself looks for longer matches only, and remembers fewer places. Rows of small transactions differ from
 * earlier ones every few bytes. The table of places takes 256 KiB.
 */
#define FAST_MIN_MATCH 6
#define FAST_HASH_LOG 16

static int zstd_error(size_t code, Error *error)
{
    return error_set(error, ERROR_SYSTEM, "zstd: %s", ZSTD_getErrorName(code));
}

int seal_init(Seal *seal, WireCodec codec, int level, Error *error)
{
    *seal = (Seal){.codec = codec};
    if (codec == WIRE_CODEC_NONE) {
        return 0;
    }
    seal->zstd = ZSTD_createCCtx();
    if (seal->zstd == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a zstd stream");
    }
    size_t status = ZSTD_CCtx_setParameter(seal->zstd, ZSTD_c_compressionLevel, level);
    if (!ZSTD_isError(status) && level == 1) {
        status = ZSTD_CCtx_setParameter(seal->zstd, ZSTD_c_minMatch, FAST_MIN_MATCH);
    }
    if (!ZSTD_isError(status) && level == 1) {
        status = ZSTD_CCtx_setParameter(seal->zstd, ZSTD_c_hashLog, FAST_HASH_LOG);
    }
    return ZSTD_isError(status) ? zstd_error(status, error) : 0;
}

void seal_free(Seal *seal)
{
    ZSTD_freeCCtx(seal->zstd);
    buffer_free(&seal->out);
}

static int copy_payload(Seal *seal, Bytes batch, Error *error)
{
    if (buffer_reserve(&seal->out, batch.size, error) != 0) {
        return -1;
    }
    memcpy(seal->out.data + seal->out.used, batch.data, batch.size);
    seal->out.used += batch.size;
    return 0;
}

/* Compresses and flushes, so that the receiver can inflate the frame whole without waiting for the next. */
static int compress_payload(Seal *seal, Bytes batch, Error *error)
{
    ZSTD_inBuffer in = {.src = batch.data, .size = batch.size};
    size_t left;
    do {
        if (buffer_reserve(&seal->out, ZSTD_compressBound(batch.size - in.pos) + 64, error) != 0) {
            return -1;
        }
        ZSTD_outBuffer out = {.dst = seal->out.data, .size = seal->out.capacity, .pos = seal->out.used};
        left = ZSTD_compressStream2(seal->zstd, &out, &in, ZSTD_e_flush);
        if (ZSTD_isError(left)) {
            return zstd_error(left, error);
        }
        seal->out.used = out.pos;
    } while (left > 0);
    return 0;
}

static uint8_t *put_header(uint8_t *at, const Seal *seal, size_t raw_size, bool open, Bytes payload)
{
    at = number_field_put(at, 1, seal->frames > 0 ? 0 : WIRE_VERSION);
    at = number_field_put(at, 2, seal->frames > 0 ? 0 : seal->codec);
    at = number_field_put(at, 3, raw_size < SMALL_BATCH_SIZE ? 0 : raw_size);
    at = number_field_put(at, 4, open);
    at = fixed32_field_put(at, 5, (uint32_t)XXH3_64bits_withSeed(payload.data, payload.size, seal->frames));
    return bytes_field_head(at, 6, payload.size);
}

int seal_frame(Seal *seal, Bytes batch, bool open, size_t keep, Bytes *frame, Error *error)
{
    if (seal->out.capacity > keep) {
        buffer_free(&seal->out);
    }
    seal->out.used = 0;
    if (buffer_reserve(&seal->out, HEADER_ROOM, error) != 0) {
        return -1;
    }
    seal->out.used = HEADER_ROOM;
    if ((seal->zstd != NULL ? compress_payload(seal, batch, error) : copy_payload(seal, batch, error)) != 0) {
        return -1;
    }
    Bytes payload = bytes_of(seal->out.data + HEADER_ROOM, seal->out.used - HEADER_ROOM);
    uint8_t header[HEADER_ROOM];
    size_t header_size = (size_t)(put_header(header, seal, batch.size, open, payload) - header);
    if (header_size + payload.size > MAX_FRAME_SIZE) {
        return error_set(error, ERROR_LIMIT, "a frame of %zu bytes is more than the %zu that can be sent",
                         header_size + payload.size, MAX_FRAME_SIZE);
    }
    uint8_t *start = seal->out.data + HEADER_ROOM - header_size;
    memcpy(start, header, header_size);
    *frame = bytes_of(start, header_size + payload.size);
    seal->frames++;
    return 0;
}

size_t seal_footprint(const Seal *seal)
{
    return seal->out.capacity + (seal->zstd != NULL ? ZSTD_sizeof_CCtx(seal->zstd) : 0);
}
