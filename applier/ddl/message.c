#include "message.h"

#include <string.h>

static const char *text_of(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text != NULL ? text : "";
}

static void fill(DdlMessage *message)
{
    const char *event = text_of(message->root, "event");
    message->captured = strcmp(event, "end") == 0 || strcmp(event, "drop") == 0;
    message->tag = text_of(message->root, "tag");
    message->query = text_of(message->root, "query");
    message->stack = text_of(message->root, "stack");
    message->role = text_of(message->root, "role");
    message->acting = text_of(message->root, "acting");
    message->path = text_of(message->root, "path");
    message->code = text_of(message->root, "code");
    message->words = text_of(message->root, "words");
    message->number = (int)json_integer_value(json_object_get(message->root, "number"));
    message->xid = (uint64_t)json_integer_value(json_object_get(message->root, "xid"));
    message->at = json_number_value(json_object_get(message->root, "at"));
}

int ddl_message_read(Bytes content, DdlMessage *out, Error *error)
{
    json_error_t problem;
    const char *data = (const char *)content.data;
    *out = (DdlMessage){.body = content,
                        .tag = "",
                        .query = "",
                        .stack = "",
                        .role = "",
                        .acting = "",
                        .path = "",
                        .code = "",
                        .words = ""};
    if (content.size > DDL_SEAL && data[0] != '{') {
        out->seal = data;
        out->body.data = (const void *)(data + DDL_SEAL);
        out->body.size = content.size - DDL_SEAL;
    }
    out->root = json_loadb((const char *)out->body.data, out->body.size, 0, &problem);
    if (!json_is_object(out->root)) {
        return error_set(error, ERROR_STATE, "the message about it cannot be read (%s)",
                         out->root == NULL ? problem.text : "no object");
    }
    if (json_integer_value(json_object_get(out->root, "version")) != 1) {
        return error_set(error, ERROR_STATE, "the message about it is of another version");
    }
    fill(out);
    return 0;
}

void ddl_message_free(DdlMessage *message)
{
    json_decref(message->root);
    message->root = NULL;
}

char *ddl_message_part(const DdlMessage *message, const char *name)
{
    const json_t *part = json_object_get(message->root, name);
    return part != NULL ? json_dumps(part, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
}
