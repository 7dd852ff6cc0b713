/*
 * One table says everything about an option; the functions below only walk it. A value is an integer in every
 * kind: a choice is its number, a switch 0 or 1, a size its bytes.
 */
#include "compat.h"
#include "numbers.h"
#include "options.h"
#include "wire.h"

typedef enum OptionKind {
    OPTION_SWITCH,
    OPTION_NUMBER,
    OPTION_SIZE, /* bytes, or with kB or MB behind the number */
    OPTION_CHOICE,
    OPTION_TABLES,      /* patterns of SCHEMA.TABLE */
    OPTION_NAMES,       /* patterns of plain names */
    OPTION_IDENTIFIERS, /* names as SQL writes them */
    OPTION_OIDS,        /* of relations; perhaps very many */
    OPTION_REFUSED,     /* a switch that later majors' own plugin knows and this one has to decline */
} OptionKind;

typedef struct OptionSpec {
    const char *name;
    OptionKind kind;
    size_t offset;
    int initial;
    int minimum;
    int maximum;
    const char *const *choices; /* by number, ended by NULL */
} OptionSpec;

#define AT(member) offsetof(Options, member)

static const char *const compressions[] = {"none", "zstd", NULL};
static const char *const origins[] = {"any", "none", NULL};
static const char *const undecodables[] = {"error", "recopy", NULL};

#define MEGABYTE (1024 * 1024)
/* Together with what else a frame may hold, and whatever its bytes are, it fits into the 1 GB of a message. */
#define MAX_ROW (1008 * MEGABYTE)

static const OptionSpec specs[] = {
    {"wire_version", OPTION_NUMBER, AT(wire_version), WIRE_VERSION, WIRE_VERSION, WIRE_VERSION, NULL},
    {"compression", OPTION_CHOICE, AT(compression), WIRE_CODEC_ZSTD, 0, 1, compressions},
    {"level", OPTION_NUMBER, AT(level), 1, 1, 19, NULL},
    {"frame_size", OPTION_SIZE, AT(frame_size), 256 * 1024, 64 * 1024, MEGABYTE, NULL},
    {"collect_memory", OPTION_SIZE, AT(collect_memory), 0, 0, INT_MAX, NULL},
    {"read_ahead", OPTION_NUMBER, AT(read_ahead), 0, 0, 65536, NULL},
    {"row_limit", OPTION_SIZE, AT(row_limit), MAX_ROW, MEGABYTE, MAX_ROW, NULL},
    {"binary", OPTION_SWITCH, AT(binary), 1, 0, 1, NULL},
    {"messages", OPTION_SWITCH, AT(messages), 1, 0, 1, NULL},
    {"heartbeat", OPTION_NUMBER, AT(heartbeat), 1000, 0, INT_MAX, NULL},
    {"origin", OPTION_CHOICE, AT(origin), ORIGIN_ANY, 0, 1, origins},
    {"on_undecodable", OPTION_CHOICE, AT(on_undecodable), UNDECODABLE_ERROR, 0, 1, undecodables},
    {"skip_empty", OPTION_SWITCH, AT(skip_empty), 1, 0, 1, NULL},
    {"tables", OPTION_TABLES, AT(tables), 0, 0, 0, NULL},
    {"skip_tables", OPTION_TABLES, AT(skip_tables), 0, 0, 0, NULL},
    {"skip_relations", OPTION_OIDS, AT(skip_relations), 0, 0, 0, NULL},
    {"publications", OPTION_IDENTIFIERS, AT(publications), 0, 0, 0, NULL},
    {"message_prefixes", OPTION_NAMES, AT(message_prefixes), 0, 0, 0, NULL},
    {"skip_origins", OPTION_NAMES, AT(skip_origins), 0, 0, 0, NULL},
    {"streaming", OPTION_REFUSED, AT(streaming), 0, 0, 0, NULL},
    {"two_phase", OPTION_REFUSED, AT(two_phase), 0, 0, 0, NULL},
};

#define SPEC_COUNT ((int)(sizeof(specs) / sizeof(specs[0])))

static int *option_slot(Options *options, const OptionSpec *spec)
{
    return (int *)((char *)options + spec->offset);
}

static bool spec_is_list(const OptionSpec *spec)
{
    return spec->kind == OPTION_TABLES || spec->kind == OPTION_NAMES || spec->kind == OPTION_IDENTIFIERS ||
           spec->kind == OPTION_OIDS;
}

/* The text of a list, which is the first member of all kinds. */
static const char **text_slot(const Options *options, const OptionSpec *spec)
{
    return (const char **)((char *)options + spec->offset);
}

static int option_value(const Options *options, const OptionSpec *spec)
{
    return *(const int *)((const char *)options + spec->offset);
}

/* "a, b, c" */
static char *joined_choices(const char *const *choices)
{
    char *text = pstrdup(choices[0]);
    for (int i = 1; choices[i] != NULL; i++) {
        text = psprintf("%s, %s", text, choices[i]);
    }
    return text;
}

static char *allowed_values(const OptionSpec *spec)
{
    switch (spec->kind) {
    case OPTION_SWITCH:
        return pstrdup("on, off");
    case OPTION_REFUSED:
        return pstrdup("off");
    case OPTION_CHOICE:
        return joined_choices(spec->choices);
    case OPTION_TABLES:
        return pstrdup(
            "SCHEMA.TABLE, ..., where * stands for any characters and \\ makes the next one plain");
    case OPTION_NAMES:
        return pstrdup("NAME, ..., where * stands for any characters and \\ makes the next one plain");
    case OPTION_IDENTIFIERS:
        return pstrdup("NAME, ..., in double quotes where SQL wants them");
    case OPTION_OIDS:
        return pstrdup("OID,OID,..., each from 1 to 4294967295");
    case OPTION_SIZE:
        return psprintf("%d kB to %d kB", spec->minimum / 1024, spec->maximum / 1024);
    case OPTION_NUMBER:
        break;
    }
    if (spec->minimum == spec->maximum) {
        return psprintf("%d", spec->minimum);
    }
    return psprintf("%d to %d", spec->minimum, spec->maximum);
}

static bool number_parse(const char *text, bool with_unit, int *out)
{
    char *end;
    long long number = strtoll(text, &end, 10);
    if (end == text) {
        return false;
    }
    if (with_unit && (number > INT_MAX || number < 0)) {
        return false;
    }
    if (with_unit && strcmp(end, "kB") == 0) {
        number *= 1024;
        end += 2;
    } else if (with_unit && strcmp(end, "MB") == 0) {
        number *= MEGABYTE;
        end += 2;
    }
    *out = (int)number;
    return *end == '\0' && number >= INT_MIN && number <= INT_MAX;
}

static bool choice_parse(const char *text, const char *const *choices, int *out)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool value_parse(const OptionSpec *spec, const char *text, int *out)
{
    bool on;
    switch (spec->kind) {
    case OPTION_SWITCH:
    case OPTION_REFUSED:
        if (!parse_bool(text, &on)) {
            return false;
        }
        *out = on;
        return true;
    case OPTION_CHOICE:
        return choice_parse(text, spec->choices, out);
    case OPTION_NUMBER:
    case OPTION_SIZE:
        return number_parse(text, spec->kind == OPTION_SIZE, out);
    case OPTION_TABLES:
    case OPTION_NAMES:
    case OPTION_IDENTIFIERS:
    case OPTION_OIDS:
        break;
    }
    return false;
}

bool options_skip_relation(const Options *options, Oid relation)
{
    const OidOption *option = &options->skip_relations;
    return option->count > 0 &&
           bsearch(&relation, option->list, option->count, sizeof(Oid), compare_numbers) != NULL;
}

static bool oids_parse(OidOption *option, const char *text)
{
    Size commas = 0;
    for (const char *at = text; *at != '\0'; at++) {
        commas += *at == ',';
    }
    option->list = palloc((commas + 1) * sizeof(Oid));
    for (const char *at = text;; at++) {
        char *end;
        unsigned long oid = strtoul(at, &end, 10);
        if (*at < '0' || *at > '9' || oid == InvalidOid || oid > 0xFFFFFFFFUL ||
            (*end != ',' && *end != '\0')) {
            return false;
        }
        option->list[option->count++] = (Oid)oid;
        at = end;
        if (*at == '\0') {
            break;
        }
    }
    qsort(option->list, option->count, sizeof(Oid), compare_numbers);
    return true;
}

static bool list_parse(Options *options, const OptionSpec *spec, const char *text)
{
    if (spec->kind == OPTION_IDENTIFIERS) {
        NameOption *option = (NameOption *)text_slot(options, spec);
        return SplitIdentifierString(pstrdup(text), ',', &option->names) && option->names != NIL;
    }
    if (spec->kind == OPTION_OIDS) {
        return oids_parse((OidOption *)text_slot(options, spec), text);
    }
    PatternOption *option = (PatternOption *)text_slot(options, spec);
    return pattern_list_parse(text, spec->kind == OPTION_TABLES, &option->list);
}

static void refuse_value(const OptionSpec *spec, const char *text)
{
    bool unsupported = spec->kind == OPTION_REFUSED || spec->offset == AT(wire_version);
    ereport(
        ERROR,
        (errcode(unsupported ? ERRCODE_FEATURE_NOT_SUPPORTED : ERRCODE_INVALID_PARAMETER_VALUE),
         errmsg("penstock: option \"%s\" cannot be \"%s\"", spec->name, text),
         errdetail("Allowed values: %s. This is decoder %s.", allowed_values(spec), PENSTOCK_VERSION),
         spec->offset == AT(wire_version)
             ? errhint(
                   "Install the applier and the decoder of one release; the older one has to be upgraded.")
             : 0));
}

static const OptionSpec *spec_find(const char *name)
{
    for (int i = 0; i < SPEC_COUNT; i++) {
        if (strcmp(specs[i].name, name) == 0) {
            return &specs[i];
        }
    }
    return NULL;
}

static void refuse_name(const char *name)
{
    char *names = pstrdup(specs[0].name);
    for (int i = 1; i < SPEC_COUNT; i++) {
        names = psprintf("%s, %s", names, specs[i].name);
    }
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("penstock: unknown option \"%s\"", name),
                    errdetail("Decoder %s knows these options: %s.", PENSTOCK_VERSION, names)));
}

static void option_apply(Options *options, const OptionSpec *spec, const DefElem *element)
{
    if (element->arg == NULL) {
        refuse_value(spec, "");
    }
    int value = 0;
    const char *text = strVal(element->arg);
    if (spec_is_list(spec)) {
        if (!list_parse(options, spec, text)) {
            refuse_value(spec, text);
        }
        *text_slot(options, spec) = pstrdup(text);
        return;
    }
    if (!value_parse(spec, text, &value) || value < spec->minimum || value > spec->maximum) {
        refuse_value(spec, text);
    }
    *option_slot(options, spec) = value;
}

void options_parse(List *elements, Options *out)
{
    bool seen[SPEC_COUNT] = {false};
    *out = (Options){0};
    for (int i = 0; i < SPEC_COUNT; i++) {
        if (!spec_is_list(&specs[i])) {
            *option_slot(out, &specs[i]) = specs[i].initial;
        }
    }
    ListCell *cell;
    foreach (cell, elements) {
        const DefElem *element = (const DefElem *)lfirst(cell);
        const OptionSpec *spec = spec_find(element->defname);
        if (spec == NULL) {
            refuse_name(element->defname);
        }
        if (seen[spec - specs]) {
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("penstock: option \"%s\" is given twice", spec->name)));
        }
        seen[spec - specs] = true;
        option_apply(out, spec, element);
    }
}

static char *value_text(const Options *options, const OptionSpec *spec)
{
    if (spec->kind == OPTION_OIDS) {
        /* There may be a hundred thousand. */
        return psprintf("%u relations", ((const OidOption *)text_slot(options, spec))->count);
    }
    if (spec_is_list(spec)) {
        const char *text = *text_slot(options, spec);
        return pstrdup(text != NULL ? text : "");
    }
    int value = option_value(options, spec);
    switch (spec->kind) {
    case OPTION_SWITCH:
    case OPTION_REFUSED:
        return pstrdup(value ? "on" : "off");
    case OPTION_CHOICE:
        return pstrdup(spec->choices[value]);
    default:
        return psprintf("%d", value);
    }
}

int options_describe(const Options *options, char ***out)
{
    char **texts = palloc(SPEC_COUNT * sizeof(char *));
    for (int i = 0; i < SPEC_COUNT; i++) {
        texts[i] = psprintf("%s=%s", specs[i].name, value_text(options, &specs[i]));
    }
    *out = texts;
    return SPEC_COUNT;
}
