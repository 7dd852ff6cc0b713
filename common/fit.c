/*
 * Three questions, in this order: is it the same type? then the modifiers decide; is the target's one that takes every value
 * of the source's as it is (a table)? is it one like text, citext or an enum, whose values are the text that arrives?
 *
 * OIDs of built-in types are the same in all servers (access/transam.h, FirstGenbkiObjectId). Others are compared by name,
 * without their schema: an extension may lie in another one.
 */
#include "fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

enum {
    BOOL = 16,
    CHAR = 18,
    NAME = 19,
    INT8 = 20,
    INT2 = 21,
    INT4 = 23,
    TEXT = 25,
    OID = 26,
    JSON = 114,
    CIDR = 650,
    FLOAT4 = 700,
    FLOAT8 = 701,
    INET = 869,
    BPCHAR = 1042,
    VARCHAR = 1043,
    DATE = 1082,
    TIME = 1083,
    TIMESTAMP = 1114,
    TIMESTAMPTZ = 1184,
    INTERVAL = 1186,
    TIMETZ = 1266,
    BIT = 1560,
    VARBIT = 1562,
    NUMERIC = 1700,
    UUID = 2950,
    JSONB = 3802,
    FIRST_OF_USERS = 10000
};

/* The target's type takes every value of the source's as it is, or refuses it. */
static const struct {
    uint32_t from;
    uint32_t to;
} harmless[] = {
    {INT2, INT4},    {INT2, INT8},      {INT2, NUMERIC}, {INT2, FLOAT4}, {INT2, FLOAT8},    {INT2, TEXT},
    {INT4, INT2},    {INT4, INT8},      {INT4, NUMERIC}, {INT4, FLOAT8}, {INT4, TEXT},      {INT8, INT2},
    {INT8, INT4},    {INT8, NUMERIC},   {INT8, TEXT},    {OID, INT8},    {FLOAT4, FLOAT8},  {NUMERIC, TEXT},
    {BOOL, TEXT},    {UUID, TEXT},      {CHAR, TEXT},    {NAME, TEXT},   {NAME, VARCHAR},   {BPCHAR, TEXT},
    {VARCHAR, TEXT}, {BPCHAR, VARCHAR}, {TEXT, VARCHAR}, {CIDR, INET},   {DATE, TIMESTAMP}, {JSONB, JSON},
};

/* Arrays of types with modifiers: their modifier is that of the elements. */
static const struct {
    uint32_t array;
    uint32_t element;
} arrays[] = {
    {1231, NUMERIC}, {1015, VARCHAR}, {1014, BPCHAR},   {1115, TIMESTAMP}, {1185, TIMESTAMPTZ},
    {1183, TIME},    {1270, TIMETZ},  {1187, INTERVAL}, {1561, BIT},       {1563, VARBIT},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static uint32_t element_of(uint32_t type)
{
    for (size_t i = 0; i < COUNT(arrays); i++) {
        if (arrays[i].array == type) {
            return arrays[i].element;
        }
    }
    return type;
}

/* Digits behind the point; numeric.c packs both into the modifier, above the 4 bytes of a header. */
static int32_t scale_of(int32_t typmod)
{
    return (typmod - 4) & 0x7FF;
}

/* Fractional digits of seconds that an interval keeps, unless its modifier leaves out fields. */
static int32_t interval_precision(int32_t typmod)
{
    return ((typmod >> 16) & 0x7FFF) == 0x7FFF ? typmod & 0xFFFF : -1;
}

/* A value under the modifier `from` is the same under `to`. -1: none. */
static bool modifier_keeps(uint32_t type, int32_t from, int32_t to)
{
    if (to == -1 || to == from) {
        return true;
    }
    switch (type) {
    case NUMERIC:
        return from != -1 && scale_of(to) >= scale_of(from);
    case BPCHAR:
    case VARCHAR:
    case VARBIT:
        return from != -1 && to >= from;
    case TIME:
    case TIMETZ:
    case TIMESTAMP:
    case TIMESTAMPTZ:
        return to >= (from == -1 ? 6 : from);
    case INTERVAL:
        return interval_precision(to) >= (from == -1 ? 6 : interval_precision(from)) &&
               (from == -1 || interval_precision(from) >= 0);
    default:
        return false;
    }
}

static bool harmless_cast(const FitSource *source, const FitTarget *target)
{
    for (size_t i = 0; i < COUNT(harmless); i++) {
        if (harmless[i].from == source->base_type && harmless[i].to == target->base_type) {
            bool exact = source->base_type == INT2 || source->base_type == INT4 || source->base_type == INT8;
            return target->typmod == -1 || exact ||
                   modifier_keeps(target->base_type, source->typmod, target->typmod);
        }
    }
    return false;
}

/* Does "schema"."name", quoted, end with that name? */
static bool has_name(const char *cast, const char *name)
{
    char *quoted = database_quote(name);
    size_t all = strlen(cast), own = quoted != NULL ? strlen(quoted) : 0;
    bool has = own > 0 && all > own && cast[all - own - 1] == '.' && strcmp(cast + all - own, quoted) == 0;
    free(quoted);
    return has;
}

static bool same_name(const FitSource *source, const FitTarget *target)
{
    return has_name(target->cast, source->type_name);
}

static bool keeps(const FitSource *source, const FitTarget *target)
{
    bool built_in = source->base_type < FIRST_OF_USERS, domain = source->type != source->base_type;
    if (domain && same_name(source, target)) {
        return true; /* a column of a domain has no modifier of its own; that the two domains are alike is drift's to tell */
    }
    if (!built_in && same_name(source, target)) {
        return target->typmod == -1 || source->typmod == target->typmod;
    }
    if (built_in && source->base_type == target->base_type) {
        return modifier_keeps(element_of(source->base_type), source->typmod, target->typmod);
    }
    bool is_text = source->is_text || source->base_type == TEXT || source->base_type == VARCHAR;
    return (is_text && target->takes_text) || harmless_cast(source, target);
}

void fit_add_lossy(LossyTables *lossy, const char *text)
{
    if (strcmp(text, "all") == 0) {
        lossy->all = true;
        return;
    }
    const char **names = reallocarray((void *)lossy->names, lossy->count + 1, sizeof *names);
    if (names == NULL) {
        abort();
    }
    names[lossy->count++] = text;
    lossy->names = names;
}

bool fit_may_lose(const LossyTables *lossy, const char *schema, const char *table)
{
    size_t size = strlen(schema);
    for (size_t i = 0; lossy != NULL && i < lossy->count; i++) {
        const char *name = lossy->names[i];
        if (strncmp(name, schema, size) == 0 && name[size] == '.' && strcmp(name + size + 1, table) == 0) {
            return true;
        }
    }
    return lossy != NULL && lossy->all;
}

/* "(12,4)", or "". */
static void print_modifier(uint32_t type, int32_t typmod, char out[24])
{
    uint32_t element = element_of(type);
    bool header = element == VARCHAR || element == BPCHAR;
    out[0] = '\0';
    if (typmod != -1 && element == NUMERIC) {
        snprintf(out, 24, "(%d,%d)", ((typmod - 4) >> 16) & 0xFFFF, scale_of(typmod));
    } else if (typmod != -1) {
        snprintf(out, 24, "(%d)", typmod - (header ? 4 : 0));
    }
}

char *fit_loss(const FitSource *source, const FitTarget *target)
{
    char *text = NULL, before[24], after[24];
    if (keeps(source, target)) {
        return NULL;
    }
    print_modifier(source->base_type, source->typmod, before);
    print_modifier(target->base_type, target->typmod, after);
    if (asprintf(&text, "%s.%s%s at the source, %s%s on the target", source->type_schema, source->type_name,
                 before, target->cast, after) < 0) {
        abort();
    }
    return text;
}
