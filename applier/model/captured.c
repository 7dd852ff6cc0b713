#include "captured.h"

#include <string.h>

static bool has_prefix(const Record *record, const char *prefix)
{
    const MessageRecord *message = record->message;
    return record->kind == RECORD_MESSAGE && message->transactional &&
           message->prefix.size == strlen(prefix) &&
           memcmp(message->prefix.data, prefix, strlen(prefix)) == 0;
}

bool captured_is_statement(const Record *record)
{
    return has_prefix(record, "penstock.ddl");
}

bool captured_is_start(const Record *record)
{
    return has_prefix(record, "penstock.ddl.start");
}

bool captured_is_waited_for(const Record *record)
{
    return has_prefix(record, "penstock");
}
