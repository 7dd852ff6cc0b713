/*
 * What the decoder makes of what it is told at its start: options, as whoever may replicate can say them (lists of patterns
 * above all, which have a grammar), and the server that it finds itself in.
 */
#include "server_stand_in.h"

#include "options.h"
#include "shortcuts.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

typedef struct Parse {
    const char *name;
    const char *value;
    Options options;
} Parse;

static void parse_one(void *argument)
{
    Parse *parse = argument;
    const char *texts[] = {parse->name, parse->value};
    options_parse(stand_in_options(2, texts), &parse->options);
}

typedef struct PatternCase {
    const char *patterns;
    const char *matching; /* "schema/name", several with spaces between; NULL: not a list of patterns */
    const char *others;
} PatternCase;

static const PatternCase cases[] = {
    {"public.t", "public/t", "public/u other/t Public/t"},
    {" public.t , a.b ", "public/t a/b", "public/b a/t"},
    {"public.*", "public/t public/", "other/t"},
    {"*.a*c*e", "x/ace x/abcde x/acece", "x/aec x/ac"},
    {"public.a\\*", "public/a*", "public/a public/ab"},
    {"public.a\\,b,c\\.d.e", "public/a,b c.d/e", "public/a c/d"},
    {"public.a\\\\", "public/a\\", "public/a"},
    {"x\\ ", NULL, NULL},
    {"s.x\\ ", "s/x_", "s/x"}, /* _ stands for a space here */
    {"\\ s.x", "_s/x", "s/x"},
    {"x\\", NULL, NULL},
    {"s.x\\", NULL, NULL},
    {"s.x,", NULL, NULL},
    {"", NULL, NULL},
    {" ", NULL, NULL},
    {".", NULL, NULL},
    {"s.", NULL, NULL},
    {".t", NULL, NULL},
    {"s.t.u", NULL, NULL},
    {"\\.", NULL, NULL},
    {",", NULL, NULL},
};

static void assert_matches(const Parse *parse, const char *list, bool expected)
{
    char *copy = strdup(list);
    for (char *rest = copy, *word; (word = strsep(&rest, " ")) != NULL;) {
        char *name = strchr(word, '/');
        *name++ = '\0';
        for (char *at = word; at < name + strlen(name); at++) {
            *at = *at == '_' ? ' ' : *at;
        }
        if (options_want_table(&parse->options, word, name) != expected) {
            fail_msg("\"%s\" says %s to %s/%s", parse->value, expected ? "no" : "yes", word, name);
        }
    }
    free(copy);
}

static void patterns_match_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Parse parse = {.name = "tables", .value = cases[i].patterns};
        bool parsed = stand_in_run(parse_one, &parse);
        if (parsed != (cases[i].matching != NULL)) {
            fail_msg("\"%s\": %s", cases[i].patterns, parsed ? "taken" : stand_in_error());
        }
        if (parsed) {
            assert_matches(&parse, cases[i].matching, true);
            assert_matches(&parse, cases[i].others, false);
        }
        stand_in_free();
    }
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"level", "99999999999999999999"},
        {"level", ""},
        {"level", "-1"},
        {"level", NULL},
        {"tables", NULL},
        {"frame_size", "99999999999999999999MB"},
        {"frame_size", "2147483647MB"},
        {"frame_size", "-64kB"},
        {"read_ahead", "0x10"},
        {"binary", "perhaps"},
        {"compression", "lz4"},
        {"publications", "\""},
        {"skip_relations", ""},
        {"skip_relations", "0"},
        {"skip_relations", "1,"},
        {"skip_relations", "1, 2"},
        {"skip_relations", "4294967296"},
        {"skip_relations", "-1"},
        {"skip_relations", "16384;"},
        {"publications", "a,"},
        {"streaming", "on"},
        {"", "1"},
        {"no_such", "1"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        Parse parse = {.name = refused[i][0], .value = refused[i][1]};
        if (stand_in_run(parse_one, &parse)) {
            fail_msg("%s=%s was taken", refused[i][0], refused[i][1]);
        }
        assert_non_null(strstr(stand_in_error(), "penstock: "));
        stand_in_free();
    }
}

static void describing_gives_what_was_said(void **state)
{
    (void)state;
    Parse parse = {.name = "skip_tables", .value = " a.b , c.* "};
    assert_true(stand_in_run(parse_one, &parse));
    char **texts;
    int count = options_describe(&parse.options, &texts);
    bool found = false;
    for (int i = 0; i < count; i++) {
        found = found || strcmp(texts[i], "skip_tables= a.b , c.* ") == 0;
    }
    assert_true(found);
    stand_in_free();
}

static void relations_are_found_by_oid(void **state)
{
    (void)state;
    Parse parse = {.name = "skip_relations", .value = "4294967295,16390,7,16384"};
    assert_true(stand_in_run(parse_one, &parse));
    assert_true(options_skip_relation(&parse.options, 16384));
    assert_true(options_skip_relation(&parse.options, 16390));
    assert_true(options_skip_relation(&parse.options, 7));
    assert_true(options_skip_relation(&parse.options, 4294967295U));
    assert_false(options_skip_relation(&parse.options, 16385));
    char **texts;
    int count = options_describe(&parse.options, &texts);
    bool found = false;
    for (int i = 0; i < count; i++) {
        found = found || strcmp(texts[i], "skip_relations=4 relations") == 0;
    }
    assert_true(found);
    stand_in_free();
}

static void only_releases_that_were_tried_are_known(void **state)
{
    (void)state;
    static const char *const known[] = {"11.22", "11.2", "11.22 (Debian 11.22-1.pgdg120+1)",
                                        "11.9 (Ubuntu 11.9-1)"};
    static const char *const unknown[] = {
        "11.23",      "11.1",        "12.22", "110.2", "11", "", "11beta1", "11.22.32", "11.9 (Postgres Pro)",
        "11.22devel", "11.22-YB-2.1"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_null(shortcuts_refuse_version(known[i], 11, 2, 22));
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        if (shortcuts_refuse_version(unknown[i], 11, 2, 22) == NULL) {
            fail_msg("\"%s\" is taken for known", unknown[i]);
        }
    }
}

/* A server as decoding meets it at its start. */
typedef struct Server {
    MemoryContextData contexts[3];
    ReorderBuffer reorder;
    XLogReaderState reader;
    LogicalDecodingContext ctx;
} Server;

static void server_start(Server *server)
{
    *server = (Server){
        .contexts = {{.type = T_AllocSetContext}, {.type = T_SlabContext}, {.type = T_GenerationContext}}};
    server->ctx.context = server->reorder.context = &server->contexts[0];
    server->reorder.change_context = &server->contexts[1];
    server->reorder.tup_context = &server->contexts[2];
    server->reorder.private_data = server->reader.private_data = &server->ctx;
    server->reader.wal_segment_size = 16 * 1024 * 1024;
    server->ctx.reorder = &server->reorder;
    server->ctx.reader = &server->reader;
    stand_in_setting("server_version", "11.22");
    stand_in_setting("block_size", "8192");
    stand_in_setting("wal_block_size", "8192");
    stand_in_setting("debug_assertions", "off");
}

static void server_that_is_not_known_is_decoded_plainly(void **state)
{
    (void)state;
    Server server;
    server_start(&server);
    Shortcuts shortcuts = shortcuts_check(&server.ctx);
    assert_null(shortcuts.turns_off);
    assert_null(shortcuts.collecting_off);
    static const char *const settings[][2] = {
        {"server_version", "11.23"}, {"block_size", "32768"}, {"wal_block_size", "16384"}};
    for (int i = 0; i < 3; i++) {
        server_start(&server);
        stand_in_setting(settings[i][0], settings[i][1]);
        shortcuts = shortcuts_check(&server.ctx);
        assert_non_null(shortcuts.turns_off);
        assert_non_null(shortcuts.collecting_off);
    }
    server_start(&server);
    stand_in_setting("debug_assertions", "on");
    shortcuts = shortcuts_check(&server.ctx);
    assert_null(shortcuts.turns_off);
    assert_non_null(strstr(shortcuts.collecting_off, "assertions"));
    void *const fields[] = {&server.reorder.private_data, &server.reader.private_data,
                            &server.contexts[1].type,     &server.contexts[2].type,
                            &server.contexts[0].type,     &server.reader.wal_segment_size};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        server_start(&server);
        *(int *)fields[i] += 1;
        shortcuts = shortcuts_check(&server.ctx);
        assert_non_null(strstr(shortcuts.turns_off, "not laid out"));
        assert_non_null(strstr(shortcuts.collecting_off, "not laid out"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_what_they_say),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(describing_gives_what_was_said),
        cmocka_unit_test(relations_are_found_by_oid),
        cmocka_unit_test(only_releases_that_were_tried_are_known),
        cmocka_unit_test(server_that_is_not_known_is_decoded_plainly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
