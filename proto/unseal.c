/*
 * Nothing is inflated before the checksum of the payload is right and its size is within the limit, and
 * nothing is looked at before the version is ours: another version may mean something else by every other
 * field. The version stands in the connection's first frame.
 */
#include "unseal.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "fields.h"
#include "varint.h"
#include "wire.h"
#include "wire_limits.h"

typedef struct FrameMessage {
    uint32_t version;
    uint32_t codec;
    uint32_t raw_size;
    bool open;
    uint32_t checksum;
    Bytes payload;
} FrameMessage;

static const FieldSpec frame_fields[] = {
    {"version", FIELD_U32, UINT32_MAX, offsetof(FrameMessage, version)},
    {"codec", FIELD_U32, UINT32_MAX, offsetof(FrameMessage, codec)},
    {"raw_size", FIELD_U32, UINT32_MAX, offsetof(FrameMessage, raw_size)},
    {"open", FIELD_BOOL, 0, offsetof(FrameMessage, open)},
    {"checksum", FIELD_FIXED32, 0, offsetof(FrameMessage, checksum)},
    {"payload", FIELD_BYTES, 0, offsetof(FrameMessage, payload)},
};
static const MessageSpec frame_spec = MESSAGE_SPEC("Frame", FrameMessage, frame_fields);

int unseal_init(Unseal *unseal, size_t max_raw_size, Error *error)
{
    *unseal = (Unseal){.zstd = ZSTD_createDCtx(), .max_raw_size = max_raw_size};
    if (unseal->zstd == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a zstd stream");
    }
    size_t status = ZSTD_DCtx_setParameter(unseal->zstd, ZSTD_d_windowLogMax, MAX_WINDOW_LOG);
    return ZSTD_isError(status) ? error_set(error, ERROR_SYSTEM, "zstd: %s", ZSTD_getErrorName(status)) : 0;
}

void unseal_free(Unseal *unseal)
{
    ZSTD_freeDCtx(unseal->zstd);
}

/* Looks for the version alone; whatever else there is need not make sense to us. */
static int check_version(Cursor cursor, Error *error)
{
    WireField field = {0};
    while (!cursor_at_end(&cursor) && field.number != 1) {
        if (cursor_field(&cursor, &field, error) != 0) {
            return error_context(error, "not a frame of penstock's wire format");
        }
    }
    if (field.number != 1 || field.type != WIRE_VARINT || field.value == 0) {
        return error_set(error, ERROR_PROTOCOL, "not a frame of penstock's wire format: it has no version");
    }
    if (field.value == WIRE_VERSION) {
        return 0;
    }
    error_set(error, ERROR_PROTOCOL,
              "the decoder writes wire version %" PRIu64 ", and this program reads version %d: upgrade %s",
              field.value, WIRE_VERSION,
              field.value > WIRE_VERSION ? "penstock on the migration host"
                                         : "the decoder penstock.so in the source server");
    return error_hint(error, "install both of one release; that is safe in the middle of a migration");
}

static int check_frame(const Unseal *unseal, const FrameMessage *frame, Error *error)
{
    if (frame->codec > WIRE_CODEC_ZSTD) {
        return error_set(error, ERROR_PROTOCOL, "codec %u is not known", frame->codec);
    }
    if (unseal->frames > 0 && (frame->version != 0 || frame->codec != 0)) {
        return error_set(error, ERROR_PROTOCOL, "the stream starts again in mid-connection");
    }
    uint32_t checksum =
        (uint32_t)XXH3_64bits_withSeed(frame->payload.data, frame->payload.size, unseal->frames);
    if (checksum != frame->checksum) {
        return error_set(error, ERROR_PROTOCOL,
                         "the payload of %zu bytes has checksum %08" PRIx32 ", but the frame says %08" PRIx32,
                         frame->payload.size, checksum, frame->checksum);
    }
    if (frame->raw_size > 0 && frame->raw_size < SMALL_BATCH_SIZE) {
        return error_set(error, ERROR_PROTOCOL, "a size of %u bytes would have been left out",
                         frame->raw_size);
    }
    if (frame->raw_size > unseal->max_raw_size) {
        return error_set(error, ERROR_LIMIT, "a frame inflates to %u bytes, more than the limit of %zu",
                         frame->raw_size, unseal->max_raw_size);
    }
    return 0;
}

/* What the frame says that it inflates to is believed only as far as its bytes can go: room for it is made at once. */
static int check_raw_size(const Unseal *unseal, const FrameMessage *frame, Error *error)
{
    size_t size = frame->payload.size;
    if (unseal->codec == WIRE_CODEC_ZSTD) {
        return frame->raw_size / ZSTD_FACTOR <= size
                   ? 0
                   : error_set(error, ERROR_PROTOCOL, "%zu bytes of payload cannot inflate to %u", size,
                               frame->raw_size);
    }
    return size == frame->raw_size || (frame->raw_size == 0 && size < SMALL_BATCH_SIZE)
               ? 0
               : error_set(error, ERROR_PROTOCOL, "a plain payload has %zu bytes, not %u", size,
                           frame->raw_size);
}

/*
 * Room for one byte more than there may be shows a payload that inflates to more. *size is what came out: below
 * SMALL_BATCH_SIZE where the frame says no size.
 */
static int inflate_payload(Unseal *unseal, const FrameMessage *frame, uint8_t *raw, size_t *size,
                           Error *error)
{
    size_t most = frame->raw_size > 0 ? frame->raw_size : SMALL_BATCH_SIZE - 1;
    ZSTD_inBuffer in = {.src = frame->payload.data, .size = frame->payload.size};
    ZSTD_outBuffer out = {.dst = raw, .size = most + 1};
    size_t before;
    do {
        before = in.pos + out.pos;
        size_t left = ZSTD_decompressStream(unseal->zstd, &out, &in);
        if (ZSTD_isError(left)) {
            return error_set(error, ERROR_PROTOCOL, "zstd at byte %zu of the payload: %s", in.pos,
                             ZSTD_getErrorName(left));
        }
        if (left == 0) {
            return error_set(error, ERROR_PROTOCOL, "the zstd stream ends at byte %zu of the payload",
                             in.pos);
        }
    } while (in.pos + out.pos != before);
    if (in.pos != in.size || out.pos > most || (frame->raw_size > 0 && out.pos != most)) {
        return error_set(error, ERROR_PROTOCOL,
                         "%zu of %zu bytes of the payload inflate to %zu%s bytes, not %s%zu", in.pos, in.size,
                         out.pos, out.pos > most ? " or more" : "", frame->raw_size > 0 ? "" : "up to ",
                         most);
    }
    *size = out.pos;
    return 0;
}

static void copy_payload(const FrameMessage *frame, uint8_t *raw, size_t *size)
{
    *size = frame->payload.size;
    if (*size > 0) {
        memcpy(raw, frame->payload.data, *size);
    }
}

int unseal_frame(Unseal *unseal, Bytes bytes, Arena *arena, Bytes *batch, bool *open, Error *error)
{
    Cursor cursor = cursor_of(bytes);
    FrameMessage frame;
    if ((unseal->frames == 0 && check_version(cursor, error) != 0) ||
        message_decode(&frame_spec, cursor, arena, &frame, error) != 0 ||
        check_frame(unseal, &frame, error) != 0) {
        return -1;
    }
    if (unseal->frames++ == 0) {
        unseal->codec = frame.codec;
    }
    if (check_raw_size(unseal, &frame, error) != 0) {
        return -1;
    }
    size_t size = 0;
    uint8_t *raw =
        frame.raw_size > 0 ? message_alloc(arena, (size_t)frame.raw_size + 1, error) : unseal->small;
    if (raw == NULL) {
        return -1;
    }
    if (unseal->codec == WIRE_CODEC_NONE) {
        copy_payload(&frame, raw, &size);
    } else if (inflate_payload(unseal, &frame, raw, &size, error) != 0) {
        return -1;
    }
    if (raw == unseal->small) {
        raw = message_alloc(arena, size, error);
        if (raw == NULL) {
            return -1;
        }
        memcpy(raw, unseal->small, size);
    }
    *batch = bytes_of(raw, size);
    *open = frame.open;
    return 0;
}
