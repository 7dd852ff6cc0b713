/*
 * Anything as the options of START_REPLICATION: whoever may replicate may say anything there, and what it crashes is not a
 * session but the server. Texts that end with a NUL: names and values in turns, then two names to be matched. A name of one
 * byte stands for the option of that number.
 */
#include "server_stand_in.h"

#include "options.h"

#define MAX_TEXTS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Input {
    int count;
    const char *texts[MAX_TEXTS];
} Input;

static const char *const names[] = {
    "tables",      "skip_tables", "message_prefixes", "skip_origins", "publications", "wire_version",
    "compression", "level",       "frame_size",       "row_limit",    "read_ahead",   "on_undecodable",
    "binary",      "messages",    "heartbeat",        "origin",       "skip_empty",   "streaming",
    "two_phase",
};

static const char *name_of(const char *text)
{
    size_t number = (uint8_t)text[0];
    return text[0] != '\0' && text[1] == '\0' && number <= sizeof(names) / sizeof(names[0])
               ? names[number - 1]
               : text;
}

static void use(void *argument)
{
    const Input *input = argument;
    int pairs = input->count > 2 ? (input->count - 2) / 2 : 0;
    Options options;
    options_parse(stand_in_options(pairs * 2, input->texts), &options);
    char **texts;
    int count = options_describe(&options, &texts);
    for (int i = 0; i < count; i++) {
        if (strchr(texts[i], '=') == NULL) {
            abort();
        }
    }
    const char *schema = input->texts[input->count - 2];
    const char *name = input->texts[input->count - 1];
    (void)options_want_table(&options, schema, name);
    (void)options_want_message(&options, name);
    (void)pattern_list_matches(&options.skip_origins.list, NULL, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = {.count = 0};
    char *copies[MAX_TEXTS];
    while (size > 0 && input.count < MAX_TEXTS) {
        size_t length = strnlen((const char *)data, size);
        copies[input.count] = strndup((const char *)data, length);
        input.texts[input.count] = input.count % 2 == 0 ? name_of(copies[input.count]) : copies[input.count];
        input.count++;
        length += length < size;
        data += length;
        size -= length;
    }
    if (input.count >= 2) {
        (void)stand_in_run(use, &input);
    }
    stand_in_free();
    for (int i = 0; i < input.count; i++) {
        free(copies[i]);
    }
    return 0;
}
