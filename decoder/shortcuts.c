#include "shortcuts.h"

#define MAJOR (PG_VERSION_NUM / 10000)

/*
 * Which majors t/118 (turns) and t/117 (collecting) run on. The newest minor release is the one whose headers this file was
 * built with; of 11, whose headers are our own, the last that there will be.
 */
#if PG_VERSION_NUM < 120000
#define OLDEST_MINOR 2
#define NEWEST_MINOR 22
#else
#define OLDEST_MINOR 0
#define NEWEST_MINOR (PG_VERSION_NUM % 10000)
#endif
#define TURNS_TRIED (MAJOR == 11 || MAJOR == 15)
#define COLLECTING_TRIED (MAJOR != 12)

_Static_assert(sizeof(void *) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "for 64-bit servers with the low byte first");

const char *shortcuts_refuse_version(const char *version, int major, int oldest, int newest)
{
    char *end;
    long number = strtol(version, &end, 10);
    if (number != major || *end != '.') {
        return "the server is no release of the major version that the decoder is for";
    }
    number = strtol(end + 1, &end, 10);
    if (*end != '\0' && strncmp(end, " (Debian ", 9) != 0 && strncmp(end, " (Ubuntu ", 9) != 0) {
        return "the server is not PostgreSQL's own, or no release";
    }
    if (number < oldest) {
        return "the server is older than those that it was tried on";
    }
    return number > newest ? "the server is newer than those that it was tried on" : NULL;
}

static bool setting_is(const char *name, const char *expected)
{
    const char *value = GetConfigOption(name, true, false);
    return value != NULL && strcmp(value, expected) == 0;
}

/* What the server has made so far, as far as it can be told from chance. */
static bool structs_are_known(const LogicalDecodingContext *ctx)
{
    if (ctx->reorder->private_data != ctx || ctx->reader->private_data != ctx) {
        return false;
    }
#if PG_VERSION_NUM < 120000
    int segment = ctx->reader->wal_segment_size;
    return nodeTag(ctx->context) == T_AllocSetContext &&
           nodeTag(ctx->reorder->context) == T_AllocSetContext &&
           nodeTag(ctx->reorder->change_context) == T_SlabContext &&
           nodeTag(ctx->reorder->tup_context) == T_GenerationContext && segment >= 1024 * 1024 &&
           (segment & (segment - 1)) == 0;
#else
    return true; /* by the headers of this very server */
#endif
}

static const char *refuse_server(const LogicalDecodingContext *ctx)
{
    const char *version = GetConfigOption("server_version", true, false);
    const char *reason =
        shortcuts_refuse_version(version != NULL ? version : "", MAJOR, OLDEST_MINOR, NEWEST_MINOR);
    if (reason != NULL) {
        return reason;
    }
    if (!setting_is("block_size", "8192") || !setting_is("wal_block_size", "8192")) {
        return "the server was built with another size of blocks";
    }
    return structs_are_known(ctx) ? NULL : "the server's memory is not laid out as expected";
}

Shortcuts shortcuts_check(const LogicalDecodingContext *ctx)
{
    Shortcuts shortcuts = {.turns_off = refuse_server(ctx)};
    shortcuts.collecting_off = shortcuts.turns_off;
#if PG_VERSION_NUM >= 130000
    shortcuts.collecting_off = NULL; /* a setting of the server, and nothing else */
#else
    if (shortcuts.collecting_off == NULL && !setting_is("debug_assertions", "off")) {
        shortcuts.collecting_off =
            "the server was built with assertions, which look at the count that it sets back";
    }
#endif
    if (!TURNS_TRIED) {
        shortcuts.turns_off = "it was not tried on this major version";
    }
    if (!COLLECTING_TRIED) {
        shortcuts.collecting_off = "it was not tried on this major version";
    }
    return shortcuts;
}

void shortcuts_check_change(Relation relation, const ReorderBufferChange *change)
{
    if (memcmp(&relation_file(relation), &change_file(change), sizeof(relation_file(relation))) != 0) {
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("penstock: this server is not the one that the decoder was built for"),
                        errdetail("The first change names another file than the table that it is for."),
                        errhint("Build the decoder with the pg_config of this very server.")));
    }
}
