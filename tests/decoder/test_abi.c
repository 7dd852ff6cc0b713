/*
 * The decoder for PostgreSQL 11 reads the server's memory by the structs in decoder/pg11/include. Here each
 * of them is held against the tables in decoder/pg11: every field's offset and size, every constant, and
 * the type of every function and variable, so that a slip of the pen fails at build time and not inside
 * somebody's server.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/rmgr.h"
#include "access/skey.h"
#include "access/xlog.h"
#include "access/xlogreader.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "pgtime.h"
#include "replication/decode.h"
#include "replication/logical.h"
#include "replication/origin.h"
#include "storage/sinval.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tqual.h"
#include "utils/varlena.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "abi_facts.h"

PG_MODULE_MAGIC;

#define FUNCTION_FACT(name, result, ...)                                                                     \
    _Static_assert(__builtin_types_compatible_p(__typeof__(name), result(__VA_ARGS__)), #name);
#define VARIABLE_FACT(name, type) _Static_assert(__builtin_types_compatible_p(__typeof__(name), type), #name);
TYPE_FACTS

typedef struct LayoutFact {
    const char *name;
    size_t declared;
    size_t expected;
} LayoutFact;

static void assert_facts(const LayoutFact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (facts[i].declared != facts[i].expected) {
            fail_msg("%s is %zu, PostgreSQL 11 has %zu", facts[i].name, facts[i].declared, facts[i].expected);
        }
    }
}

static void layout_is_that_of_the_server(void **state)
{
    (void)state;
#define SIZE_FACT(type, size) {"size of " #type, sizeof(type), size},
#define OFFSET_FACT(type, field, offset) {"offset of " #field " in " #type, offsetof(type, field), offset},
#define FIELD_FACT(type, field, offset, size)                                                                \
    OFFSET_FACT(type, field, offset){"size of " #field " in " #type, sizeof(((type *)NULL)->field), size},
    static const LayoutFact facts[] = {STRUCT_FACTS};
    assert_facts(facts, sizeof(facts) / sizeof(facts[0]));
}

static void constants_are_those_of_the_server(void **state)
{
    (void)state;
#define VALUE_FACT(name, value) {#name, (size_t)(name), (size_t)(value)},
    static const LayoutFact facts[] = {VALUE_FACTS};
    assert_facts(facts, sizeof(facts) / sizeof(facts[0]));
}

static void magic_block_names_the_server(void **state)
{
    (void)state;
    static const Pg_magic_struct expected = {28, 1100, 100, 32, 64, 1, 1};
    assert_memory_equal(Pg_magic_func(), &expected, sizeof(expected));
}

static void variable_length_headers_are_read(void **state)
{
    (void)state;
    static const unsigned char plain[] = {7 << 2, 0, 0, 0, 'a', 'b', 'c'};
    static const unsigned char packed[] = {(4 << 1) | 1, 'a', 'b', 'c'};
    static const unsigned char compressed[] = {(9 << 2) | 2, 0, 0, 0};
    static const unsigned char on_disk[18] = {1, VARTAG_ONDISK};
    static const unsigned char indirect[10] = {1, VARTAG_INDIRECT};

    assert_int_equal(VARSIZE_ANY_EXHDR(plain), 3);
    assert_memory_equal(VARDATA_ANY(plain), "abc", 3);
    assert_int_equal(VARSIZE_ANY_EXHDR(packed), 3);
    assert_memory_equal(VARDATA_ANY(packed), "abc", 3);
    assert_true(VARATT_IS_COMPRESSED(compressed) && !VARATT_IS_COMPRESSED(plain) &&
                !VARATT_IS_COMPRESSED(packed));
    assert_true(VARATT_IS_EXTERNAL(on_disk) && !VARATT_IS_EXTERNAL(packed) && !VARATT_IS_EXTERNAL(plain));
    assert_true(VARATT_IS_EXTERNAL_ONDISK(on_disk) && !VARATT_IS_EXTERNAL_ONDISK(indirect));
    assert_true(VARATT_IS_EXTERNAL_INDIRECT(indirect) && !VARATT_IS_EXTERNAL_INDIRECT(on_disk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_that_of_the_server),
        cmocka_unit_test(constants_are_those_of_the_server),
        cmocka_unit_test(magic_block_names_the_server),
        cmocka_unit_test(variable_length_headers_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
