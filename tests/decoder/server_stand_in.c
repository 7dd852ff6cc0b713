/*
 * Each allocation is one of malloc's own, so that a sanitizer sees where it ends; they hang in a chain until the run is over.
 * SplitIdentifierString keeps the server's contract: it cuts the text that it is given in place, folds names without quotes
 * to lower case, and says false where the text is no list of names.
 */
#include "server_stand_in.h"

#include <ctype.h>
#include <stdarg.h>

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

typedef struct Allocation {
    struct Allocation *next;
    max_align_t bytes[];
} Allocation;

static struct {
    Allocation *allocations;
    jmp_buf *handler;
    char error[2000];
    const char *settings[8][2];
} server;

MemoryContext CurrentMemoryContext;

void *palloc(Size size)
{
    Allocation *allocation = malloc(sizeof(Allocation) + size);
    if (allocation == NULL) {
        abort();
    }
    allocation->next = server.allocations;
    server.allocations = allocation;
    return allocation->bytes;
}

void *palloc0(Size size)
{
    return memset(palloc(size), 0, size);
}

char *pstrdup(const char *string)
{
    size_t size = strlen(string) + 1;
    return memcpy(palloc(size), string, size);
}

char *psprintf(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0) {
        abort();
    }
    char *copy = pstrdup(text);
    free(text);
    return copy;
}

void stand_in_free(void)
{
    while (server.allocations != NULL) {
        Allocation *next = server.allocations->next;
        free(server.allocations);
        server.allocations = next;
    }
}

bool stand_in_run(void (*function)(void *argument), void *argument)
{
    jmp_buf here;
    server.error[0] = '\0';
    server.handler = &here;
    if (setjmp(here) != 0) {
        return false;
    }
    function(argument);
    return true;
}

const char *stand_in_error(void)
{
    return server.error;
}

bool errstart(int level, const char *file, int line, const char *function, const char *domain)
{
    (void)level, (void)file, (void)line, (void)function, (void)domain;
    return true;
}

void errfinish(int dummy, ...)
{
    (void)dummy;
    longjmp(*server.handler, 1);
}

int errcode(int sqlstate)
{
    return sqlstate;
}

static void add_error(const char *before, const char *format, va_list arguments)
{
    size_t used = strlen(server.error);
    used += (size_t)snprintf(server.error + used, sizeof(server.error) - used, "%s", before);
    if (used < sizeof(server.error)) {
        vsnprintf(server.error + used, sizeof(server.error) - used, format, arguments);
    }
}

/* The server evaluates the parts of an error from left to right or from right to left, as the compiler likes. */
#define ERROR_PART(name)                                                                                     \
    int name(const char *format, ...)                                                                        \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        va_start(arguments, format);                                                                         \
        add_error(server.error[0] != '\0' ? "\n" : "", format, arguments);                                   \
        va_end(arguments);                                                                                   \
        return 0;                                                                                            \
    }

ERROR_PART(errmsg)
ERROR_PART(errdetail)
ERROR_PART(errhint)

bool parse_bool(const char *value, bool *result)
{
    *result = strcmp(value, "on") == 0 || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    return *result || strcmp(value, "off") == 0 || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
}

void stand_in_setting(const char *name, const char *value)
{
    for (int i = 0; i < 8; i++) {
        if (server.settings[i][0] == NULL || strcmp(server.settings[i][0], name) == 0) {
            server.settings[i][0] = name;
            server.settings[i][1] = value;
            return;
        }
    }
    abort();
}

const char *GetConfigOption(const char *name, bool missing_ok, bool restrict_privileged)
{
    (void)missing_ok, (void)restrict_privileged;
    for (int i = 0; i < 8 && server.settings[i][0] != NULL; i++) {
        if (strcmp(server.settings[i][0], name) == 0) {
            return server.settings[i][1];
        }
    }
    return NULL;
}

static List *append(List *list, void *item)
{
    ListCell *cell = palloc0(sizeof(ListCell));
    cell->data.ptr_value = item;
    if (list == NIL) {
        list = palloc0(sizeof(List));
        list->type = T_List;
        list->head = cell;
    } else {
        list->tail->next = cell;
    }
    list->tail = cell;
    list->length++;
    return list;
}

static char *skip_spaces(char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return text;
}

/* Cuts off a name in quotes; gives where it ended, or NULL. */
static char *cut_quoted(char *text, char **name)
{
    char *to = *name = text;
    for (char *from = text; *from != '\0'; from++) {
        if (*from == '"' && *++from != '"') {
            *to = '\0';
            return from;
        }
        *to++ = *from;
    }
    return NULL;
}

static char *find_end(char *text, char separator)
{
    while (*text != '\0' && *text != separator && !isspace((unsigned char)*text)) {
        text++;
    }
    return text;
}

bool SplitIdentifierString(char *text, char separator, List **names)
{
    *names = NIL;
    char *at = skip_spaces(text);
    while (*at != '\0') {
        char *name = at;
        char *end = *at == '"' ? cut_quoted(at + 1, &name) : find_end(at, separator);
        if (end == NULL || end == name) {
            return false;
        }
        bool quoted = *at == '"';
        at = skip_spaces(end);
        bool more = *at == separator;
        if (*at != '\0' && !more) {
            return false;
        }
        at = more ? skip_spaces(at + 1) : at;
        if (!quoted) {
            *end = '\0';
            for (char *letter = name; *letter != '\0'; letter++) {
                *letter = (char)tolower((unsigned char)*letter);
            }
        }
        *names = append(*names, pstrdup(name));
        if (more && *at == '\0') {
            return false;
        }
    }
    return true;
}

List *stand_in_options(int count, const char *const *texts)
{
    List *list = NIL;
    for (int i = 0; i < count; i += 2) {
        DefElem *element = palloc0(sizeof(DefElem));
        element->type = T_DefElem;
        element->defname = pstrdup(texts[i]);
        if (texts[i + 1] != NULL) {
            Value *value = palloc0(sizeof(Value));
            value->type = T_String;
            value->val.str = pstrdup(texts[i + 1]);
            element->arg = (Node *)value;
        }
        list = append(list, element);
    }
    return list;
}
