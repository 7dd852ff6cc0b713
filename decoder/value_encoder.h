/*
 * Values on their way to the wire: one encoder per column, chosen once when the relation is described.
 *
 * The bytes are what the type's send function (FORMAT_BINARY) or output function (FORMAT_TEXT) gives, except
 * that no byte is ever converted to another encoding: text goes out as it is stored.
 */
#pragma once

#include "compat.h"
#include "writer.h"

/*
 * The settings under which values are written as text, the same whatever the session says and whenever it says it. The
 * server keeps them in plain variables: the encoder sets them before each value, and who decodes saves them at the start
 * and sets them again at the end, also after an error.
 */
typedef struct TextStyle {
    int date_style;
    int interval_style;
    int float_digits;
    int bytea_style;
    pg_tz *zone;
} TextStyle;

/* What the session has now. */
void text_style_save(TextStyle *out);

/* ISO dates at UTC, postgres intervals, shortest exact floats, bytea in hex. */
TextStyle text_style_exact(void);

void text_style_set(const TextStyle *style);

typedef enum ValueKind {
    VALUE_BYTE,  /* by value, one byte */
    VALUE_INT16, /* by value, to network order */
    VALUE_INT32,
    VALUE_INT64,
    VALUE_WORDS,     /* by reference: `width` 8-byte words, each to network order */
    VALUE_TIME_ZONE, /* timetz: 8 bytes and 4 */
    VALUE_INTERVAL,  /* 8 bytes, 4 and 4 */
    VALUE_RAW,       /* by reference: `width` bytes as they are */
    VALUE_NAME,      /* up to NAMEDATALEN bytes, ended by NUL */
    VALUE_PACKED,    /* the bytes of a variable-length value as they are */
    VALUE_NUMERIC,
    VALUE_JSONB,  /* version byte and text */
    VALUE_SEND,   /* through the type's send function */
    VALUE_OUTPUT, /* through the type's output function, as text */
} ValueKind;

typedef struct ValueEncoder {
    ValueKind kind;
    int width;
    bool varlena;      /* may be TOASTed */
    FmgrInfo function; /* for the kinds that call one */
    TextStyle style;   /* under which it writes text */
    bool utf8;         /* the text has to be UTF-8: the database's encoding */
} ValueEncoder;

/* The encoder of base_type (never a domain), whose function state lives in context. Reads pg_type. */
void value_encoder_init(ValueEncoder *encoder, Oid base_type, bool binary, MemoryContext context);

ValueFormat value_encoder_format(const ValueEncoder *encoder);

/* True when value is only a pointer to a TOASTed value on disk, which an update did not touch. */
static inline bool value_is_unchanged(const ValueEncoder *encoder, Datum value)
{
    return encoder->varlena && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value));
}

/*
 * Writes the next cell of side. Scratch memory comes from the current memory context. ERROR_CONFLICT when the value as text is no
 * text in the database's encoding (where that is UTF8): a "char" above 127 within an array or a composite value.
 */
int value_write(ValueEncoder *encoder, Datum value, FrameWriter *writer, RowSide side,
                Error *error) MUST_CHECK;
