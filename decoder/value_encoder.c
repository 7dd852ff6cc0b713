/*
 * Three speeds. Fixed-width values are turned to network order on the stack; text-like ones are handed to the
 * writer where they lie in the tuple; whatever is left goes through the type's own function, looked up once
 * per column.
 *
 * The table names the types whose send format is the same from 11 to 18, by OID: the OIDs of built-in types
 * never change. Text-like types are in it although textsend and its kin are not called: those convert to the
 * client's encoding, and what is stored is what the wire wants.
 *
 * Scalar values mostly go out in binary and need none of this; elements of arrays, members of composite
 * values and bounds of ranges are written by their types' output functions, which obey these variables.
 *
 * A walsender that waits for its reader in the middle of a transaction reads a changed configuration (WalSndWriteData in
 * walsender.c, all majors), which writes to the same variables. So they are set for each value: nothing reads the
 * configuration between that and the end of an output function.
 */
#include "compat.h"
#include "value_encoder.h"

#include "utf8.h"

#include <endian.h>

/* The most digits that 11 takes; from 12 on any value above 0 means the shortest exact form. */
#define EXACT_FLOAT_DIGITS 3

void text_style_save(TextStyle *out)
{
    *out = (TextStyle){.date_style = DateStyle,
                       .interval_style = IntervalStyle,
                       .float_digits = extra_float_digits,
                       .bytea_style = bytea_output,
                       .zone = session_timezone};
}

TextStyle text_style_exact(void)
{
    return (TextStyle){.date_style = USE_ISO_DATES,
                       .interval_style = INTSTYLE_POSTGRES,
                       .float_digits = EXACT_FLOAT_DIGITS,
                       .bytea_style = BYTEA_OUTPUT_HEX,
                       .zone = pg_tzset("GMT")};
}

void text_style_set(const TextStyle *style)
{
    DateStyle = style->date_style;
    IntervalStyle = style->interval_style;
    extra_float_digits = style->float_digits;
    bytea_output = style->bytea_style;
    session_timezone = style->zone;
}

typedef struct BinaryType {
    Oid type;
    ValueKind kind;
    int width;
} BinaryType;

static const BinaryType binary_types[] = {
    {16, VALUE_BYTE, 1},         /* bool */
    {17, VALUE_PACKED, 0},       /* bytea */
    {18, VALUE_BYTE, 1},         /* "char" */
    {19, VALUE_NAME, 0},         /* name */
    {20, VALUE_INT64, 8},        /* int8 */
    {21, VALUE_INT16, 2},        /* int2 */
    {23, VALUE_INT32, 4},        /* int4 */
    {25, VALUE_PACKED, 0},       /* text */
    {26, VALUE_INT32, 4},        /* oid */
    {114, VALUE_PACKED, 0},      /* json */
    {600, VALUE_WORDS, 2},       /* point */
    {601, VALUE_WORDS, 4},       /* lseg */
    {602, VALUE_SEND, 0},        /* path */
    {603, VALUE_WORDS, 4},       /* box */
    {604, VALUE_SEND, 0},        /* polygon */
    {628, VALUE_WORDS, 3},       /* line */
    {650, VALUE_SEND, 0},        /* cidr */
    {700, VALUE_INT32, 4},       /* float4 */
    {701, VALUE_INT64, 8},       /* float8 */
    {718, VALUE_WORDS, 3},       /* circle */
    {774, VALUE_RAW, 8},         /* macaddr8 */
    {790, VALUE_INT64, 8},       /* money */
    {829, VALUE_RAW, 6},         /* macaddr */
    {869, VALUE_SEND, 0},        /* inet */
    {1042, VALUE_PACKED, 0},     /* bpchar */
    {1043, VALUE_PACKED, 0},     /* varchar */
    {1082, VALUE_INT32, 4},      /* date */
    {1083, VALUE_INT64, 8},      /* time */
    {1114, VALUE_INT64, 8},      /* timestamp */
    {1184, VALUE_INT64, 8},      /* timestamptz */
    {1186, VALUE_INTERVAL, 16},  /* interval */
    {1266, VALUE_TIME_ZONE, 12}, /* timetz */
    {1560, VALUE_SEND, 0},       /* bit */
    {1562, VALUE_SEND, 0},       /* varbit */
    {1700, VALUE_NUMERIC, 0},    /* numeric */
    {2950, VALUE_RAW, 16},       /* uuid */
    {3802, VALUE_JSONB, 0},      /* jsonb */
};

static const BinaryType text_type = {InvalidOid, VALUE_OUTPUT, 0};

static const BinaryType *binary_type(Oid type)
{
    for (size_t i = 0; i < sizeof(binary_types) / sizeof(binary_types[0]); i++) {
        if (binary_types[i].type == type) {
            return &binary_types[i];
        }
    }
    return &text_type;
}

void value_encoder_init(ValueEncoder *encoder, Oid base_type, bool binary, MemoryContext context)
{
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(base_type));
    if (!HeapTupleIsValid(tuple)) {
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("penstock: type %u is not in pg_type", base_type)));
    }
    const FormData_pg_type *type = (const FormData_pg_type *)GETSTRUCT(tuple);
    const BinaryType *entry = binary ? binary_type(base_type) : &text_type;
    Oid send = type->typsend;
    Oid output = type->typoutput;
    *encoder = (ValueEncoder){.kind = entry->kind,
                              .width = entry->width,
                              .varlena = type->typlen == -1,
                              .style = text_style_exact(),
                              .utf8 = strcmp(GetDatabaseEncodingName(), "UTF8") == 0};
    ReleaseSysCache(tuple);

    bool sends = encoder->kind == VALUE_SEND || encoder->kind == VALUE_NUMERIC;
    if (sends || encoder->kind == VALUE_JSONB || encoder->kind == VALUE_OUTPUT) {
        fmgr_info_cxt(sends ? send : output, &encoder->function, context);
    }
}

ValueFormat value_encoder_format(const ValueEncoder *encoder)
{
    return encoder->kind == VALUE_OUTPUT ? FORMAT_TEXT : FORMAT_BINARY;
}

static int write_words(const char *data, int count, FrameWriter *writer, RowSide side, Error *error)
{
    uint64 words[4];
    memcpy(words, data, (size_t)count * sizeof(uint64));
    for (int i = 0; i < count; i++) {
        words[i] = htobe64(words[i]);
    }
    return writer_value(writer, side, words, (size_t)count * sizeof(uint64), error);
}

/* One 8-byte word and then count 4-byte ones. */
static int write_mixed(const char *data, int count, FrameWriter *writer, RowSide side, Error *error)
{
    char out[sizeof(uint64) + 2 * sizeof(uint32)];
    uint64 head;
    memcpy(&head, data, sizeof(head));
    head = htobe64(head);
    memcpy(out, &head, sizeof(head));
    size_t size = sizeof(head);
    for (int i = 0; i < count; i++, size += sizeof(uint32)) {
        uint32 word;
        memcpy(&word, data + size, sizeof(word));
        word = htobe32(word);
        memcpy(out + size, &word, sizeof(word));
    }
    return writer_value(writer, side, out, size, error);
}

/* value with its bytes at hand: neither compressed nor a pointer. Copies only what has to be unpacked. */
static struct varlena *value_unpacked(Datum value)
{
    struct varlena *plain = (struct varlena *)DatumGetPointer(value);
    if (VARATT_IS_EXTERNAL_INDIRECT(plain)) {
        varatt_indirect indirect;
        memcpy(&indirect, VARDATA_EXTERNAL(plain), sizeof(indirect));
        plain = indirect.pointer;
    }
    if (VARATT_IS_COMPRESSED(plain) || VARATT_IS_EXTERNAL(plain)) {
        plain = pg_detoast_datum_packed(plain);
    }
    return plain;
}

static int write_packed(Datum value, FrameWriter *writer, RowSide side, Error *error)
{
    const struct varlena *plain = value_unpacked(value);
    return writer_value(writer, side, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain), error);
}

static int write_jsonb(FmgrInfo *output, Datum value, FrameWriter *writer, RowSide side, Error *error)
{
    const char *text = OutputFunctionCall(output, value);
    size_t size = strlen(text);
    char *bytes = palloc(size + 1);
    bytes[0] = 1;
    memcpy(bytes + 1, text, size);
    return writer_value(writer, side, bytes, size + 1, error);
}

static int write_sent(FmgrInfo *send, Datum value, FrameWriter *writer, RowSide side, Error *error)
{
    const bytea *bytes = SendFunctionCall(send, value);
    return writer_value(writer, side, VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ, error);
}

static int write_output(ValueEncoder *encoder, Datum value, FrameWriter *writer, RowSide side, Error *error)
{
    text_style_set(&encoder->style);
    const char *text = OutputFunctionCall(&encoder->function, value);
    if (encoder->utf8 && !encoding_is_utf8(text)) {
        return error_set(error, ERROR_CONFLICT,
                         "a \"char\" above 127 within a value, which is no text in UTF-8");
    }
    return writer_value(writer, side, text, strlen(text), error);
}

int value_write(ValueEncoder *encoder, Datum value, FrameWriter *writer, RowSide side, Error *error)
{
    const char *pointer = DatumGetPointer(value);
    switch (encoder->kind) {
    case VALUE_BYTE: {
        uint8 byte = (uint8)value;
        return writer_value(writer, side, &byte, sizeof(byte), error);
    }
    case VALUE_INT16: {
        uint16 number = htobe16((uint16)value);
        return writer_value(writer, side, &number, sizeof(number), error);
    }
    case VALUE_INT32: {
        uint32 number = htobe32((uint32)value);
        return writer_value(writer, side, &number, sizeof(number), error);
    }
    case VALUE_INT64: {
        uint64 number = htobe64((uint64)value);
        return writer_value(writer, side, &number, sizeof(number), error);
    }
    case VALUE_WORDS:
        return write_words(pointer, encoder->width, writer, side, error);
    case VALUE_TIME_ZONE:
        return write_mixed(pointer, 1, writer, side, error);
    case VALUE_INTERVAL:
        return write_mixed(pointer, 2, writer, side, error);
    case VALUE_RAW:
        return writer_value(writer, side, pointer, (size_t)encoder->width, error);
    case VALUE_NAME:
        return writer_value(writer, side, pointer, strnlen(pointer, NAMEDATALEN), error);
    case VALUE_PACKED:
        return write_packed(value, writer, side, error);
    case VALUE_JSONB:
        return write_jsonb(&encoder->function, value, writer, side, error);
    case VALUE_NUMERIC:
    case VALUE_SEND:
        return write_sent(&encoder->function, value, writer, side, error);
    case VALUE_OUTPUT:
        break;
    }
    return write_output(encoder, value, writer, side, error);
}
