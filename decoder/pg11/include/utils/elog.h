/* PostgreSQL 11: raising errors. */
#pragma once

#include <setjmp.h>
#include <stdbool.h>

#define DEBUG1 14
#define LOG 15
#define WARNING 19
#define ERROR 20

/* An SQLSTATE in the server's own form: five characters of six bits. */
#define SQLSTATE_SIXBIT(character) (((character) - '0') & 0x3F)
#define MAKE_SQLSTATE(a, b, c, d, e)                                                                         \
    (SQLSTATE_SIXBIT(a) + (SQLSTATE_SIXBIT(b) << 6) + (SQLSTATE_SIXBIT(c) << 12) +                           \
     (SQLSTATE_SIXBIT(d) << 18) + (SQLSTATE_SIXBIT(e) << 24))

#define ERRCODE_FEATURE_NOT_SUPPORTED MAKE_SQLSTATE('0', 'A', '0', '0', '0')
#define ERRCODE_INVALID_PARAMETER_VALUE MAKE_SQLSTATE('2', '2', '0', '2', '3')
#define ERRCODE_UNDEFINED_OBJECT MAKE_SQLSTATE('4', '2', '7', '0', '4')
#define ERRCODE_OUT_OF_MEMORY MAKE_SQLSTATE('5', '3', '2', '0', '0')
#define ERRCODE_PROGRAM_LIMIT_EXCEEDED MAKE_SQLSTATE('5', '4', '0', '0', '0')
#define ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE MAKE_SQLSTATE('5', '5', '0', '0', '0')
#define ERRCODE_INTERNAL_ERROR MAKE_SQLSTATE('X', 'X', '0', '0', '0')
#define ERRCODE_DATA_CORRUPTED MAKE_SQLSTATE('X', 'X', '0', '0', '1')

extern bool errstart(int level, const char *file, int line, const char *function, const char *domain);
extern void errfinish(int dummy, ...);
extern int errcode(int sqlstate);
extern int errmsg(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern int errdetail(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern int errdetail_internal(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern int errhint(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern int errcontext_msg(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern int set_errcontext_domain(const char *domain);

#define errcontext set_errcontext_domain(NULL), errcontext_msg

/* rest is a parenthesised list of calls of the functions above. */
#define ereport(level, rest)                                                                                 \
    do {                                                                                                     \
        if (errstart(level, __FILE__, __LINE__, __func__, NULL)) {                                           \
            errfinish rest;                                                                                  \
        }                                                                                                    \
        if (__builtin_constant_p(level) && (level) >= ERROR) {                                               \
            __builtin_unreachable();                                                                         \
        }                                                                                                    \
    } while (0)

typedef struct ErrorContextCallback {
    struct ErrorContextCallback *previous;
    void (*callback)(void *arg);
    void *arg;
} ErrorContextCallback;

extern ErrorContextCallback *error_context_stack;
