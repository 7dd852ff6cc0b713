/*
 * A table of base types with their OIDs, sizes and printers. A binary value whose type is not there, or whose
 * size is not the type's, is printed in hexadecimal: this is for looking at what was sent, not for judging
 * it.
 */
#include "print_value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS_FROM_1970_TO_2000 946684800
#define DAY_SECONDS 86400

typedef void (*Printer)(FILE *out, Bytes value);

static uint64_t big_endian(Bytes value)
{
    uint64_t result = 0;
    for (size_t i = 0; i < value.size; i++) {
        result = result << 8 | value.data[i];
    }
    return result;
}

void value_print_text(FILE *out, Bytes text)
{
    fputc('\'', out);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '\'' || c == '\\') {
            fprintf(out, "%c%c", c, c);
        } else if (c < ' ' || c == 0x7f) {
            fprintf(out, "\\x%02x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('\'', out);
}

static void print_hex(FILE *out, Bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        fprintf(out, "%02x", value.data[i]);
    }
}

static void print_unknown(FILE *out, Bytes value)
{
    fputs("x'", out);
    print_hex(out, value);
    fputc('\'', out);
}

static void print_int2(FILE *out, Bytes value)
{
    fprintf(out, "%" PRId16, (int16_t)big_endian(value));
}

static void print_int4(FILE *out, Bytes value)
{
    fprintf(out, "%" PRId32, (int32_t)big_endian(value));
}

static void print_int8(FILE *out, Bytes value)
{
    fprintf(out, "%" PRId64, (int64_t)big_endian(value));
}

static void print_oid(FILE *out, Bytes value)
{
    fprintf(out, "%" PRIu32, (uint32_t)big_endian(value));
}

static void print_bool(FILE *out, Bytes value)
{
    fputs(value.data[0] != 0 ? "true" : "false", out);
}

static void print_float4(FILE *out, Bytes value)
{
    uint32_t bits = (uint32_t)big_endian(value);
    float number;
    char text[32];
    memcpy(&number, &bits, sizeof number);
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if (strtof(text, NULL) == number) {
            break;
        }
    }
    fputs(text, out);
}

static void print_float8(FILE *out, Bytes value)
{
    uint64_t bits = big_endian(value);
    double number;
    char text[32];
    memcpy(&number, &bits, sizeof number);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    fputs(text, out);
}

static void print_bytea(FILE *out, Bytes value)
{
    fputs("'\\x", out);
    print_hex(out, value);
    fputc('\'', out);
}

static void print_jsonb(FILE *out, Bytes value)
{
    if (value.size == 0 || value.data[0] != 1) {
        print_unknown(out, value);
        return;
    }
    value_print_text(out, bytes_of(value.data + 1, value.size - 1));
}

static void print_uuid(FILE *out, Bytes value)
{
    fputc('\'', out);
    for (size_t i = 0; i < value.size; i++) {
        fprintf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", value.data[i]);
    }
    fputc('\'', out);
}

static void print_day(FILE *out, int64_t days)
{
    struct tm utc;
    time_t seconds = (time_t)(days * DAY_SECONDS + SECONDS_FROM_1970_TO_2000);
    gmtime_r(&seconds, &utc);
    fprintf(out, "%04d-%02d-%02d", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday);
}

static void print_clock(FILE *out, int64_t micros)
{
    int64_t seconds = micros / 1000000;
    fprintf(out, "%02d:%02d:%02d.%06d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60),
            (int)(micros % 1000000));
}

void value_print_time(FILE *out, int64_t time)
{
    const int64_t day = (int64_t)DAY_SECONDS * 1000000;
    int64_t clock = (time % day + day) % day;
    print_day(out, (time - time % day) / day - (time % day < 0));
    fputc(' ', out);
    print_clock(out, clock);
}

static void print_date(FILE *out, Bytes value)
{
    int32_t days = (int32_t)big_endian(value);
    if (days == INT32_MIN || days == INT32_MAX) {
        fputs(days < 0 ? "-infinity" : "infinity", out);
        return;
    }
    fputc('\'', out);
    print_day(out, days);
    fputc('\'', out);
}

static void print_timestamp(FILE *out, Bytes value)
{
    int64_t time = (int64_t)big_endian(value);
    if (time == INT64_MIN || time == INT64_MAX) {
        fputs(time < 0 ? "-infinity" : "infinity", out);
        return;
    }
    fputc('\'', out);
    value_print_time(out, time);
    fputc('\'', out);
}

static void print_time(FILE *out, Bytes value)
{
    int64_t micros = (int64_t)big_endian(value);
    if (micros < 0 || micros > (int64_t)DAY_SECONDS * 1000000) {
        print_unknown(out, value);
        return;
    }
    fputc('\'', out);
    print_clock(out, micros);
    fputc('\'', out);
}

static const struct {
    uint32_t type;
    size_t size; /* 0 for any */
    Printer print;
} printers[] = {
    {16, 1, print_bool},        {17, 0, print_bytea},        {18, 1, value_print_text},
    {19, 0, value_print_text},  {20, 8, print_int8},         {21, 2, print_int2},
    {23, 4, print_int4},        {25, 0, value_print_text},   {26, 4, print_oid},
    {114, 0, value_print_text}, {142, 0, value_print_text},  {700, 4, print_float4},
    {701, 8, print_float8},     {1042, 0, value_print_text}, {1043, 0, value_print_text},
    {1082, 4, print_date},      {1083, 8, print_time},       {1114, 8, print_timestamp},
    {1184, 8, print_timestamp}, {2950, 16, print_uuid},      {3802, 0, print_jsonb},
};

void value_print(FILE *out, const RelationColumnRecord *column, Bytes value)
{
    if (column->format == FORMAT_TEXT) {
        value_print_text(out, value);
        return;
    }
    for (size_t i = 0; i < sizeof printers / sizeof *printers; i++) {
        if (printers[i].type == column->base_type &&
            (printers[i].size == 0 || printers[i].size == value.size)) {
            printers[i].print(out, value);
            return;
        }
    }
    print_unknown(out, value);
}
