/* Options of the decoder, as whoever may replicate can say them: lists of patterns above all, which have a grammar. */
#include "server_stand_in.h"

#include "options.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_what_they_say),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(describing_gives_what_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
