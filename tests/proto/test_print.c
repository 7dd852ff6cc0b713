/*
 * Records as lines: the lines that print.h shows, and values of every type that is shown readably.
 */
#include "fixture.h"

#include <stdio.h>

#include "print.h"
#include "print_value.h"

static void print_all(RecordPrinter *printer, const Wire *wire)
{
    for (size_t i = 0; i < wire->count; i++) {
        record_print(printer, &wire->records[i]);
    }
}

static void write_changes(Wire *wire)
{
    wire_begin(wire, 0x16B3748);
    wire_relation(wire, 5, 2);
    wire_insert(wire, 5, 2, "it's", NULL);
    ok(wire, writer_row(wire->writer, 5, 2, CHANGE_UPDATE, OLD_KEY, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_OLD, "a", 1, &wire->error));
    ok(wire, writer_state(wire->writer, SIDE_OLD, CELL_ABSENT, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_NEW, "b\n", 2, &wire->error));
    ok(wire, writer_state(wire->writer, SIDE_NEW, CELL_UNCHANGED, &wire->error));
    ok(wire, writer_row_end(wire->writer, &wire->error));
    ok(wire, writer_row(wire->writer, 5, 2, CHANGE_DELETE, OLD_FULL, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_OLD, "a\\", 2, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_OLD, "", 0, &wire->error));
    ok(wire, writer_row_end(wire->writer, &wire->error));
    const uint32_t relations[] = {5, 5};
    TruncateRecord truncate = {
        .relation_count = 2, .relations = relations, .cascade = true, .restart_identity = true};
    ok(wire, writer_truncate(wire->writer, &truncate, &wire->error));
    MessageRecord message = {.transactional = true, .prefix = text("audit"), .content = text("hello")};
    ok(wire, writer_message(wire->writer, &message, &wire->error));
    RecopyRecord recopy = {.relation = 5, .lsn = 0x16B3700, .reason = text("too long")};
    ok(wire, writer_recopy(wire->writer, &recopy, &wire->error));
    wire_commit(wire, 0x16B3748);
}

static void records_are_lines(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    char *printed;
    size_t size;
    FILE *out = open_memstream(&printed, &size);
    RecordPrinter *printer = record_printer_new(out);
    wire_hello(wire);
    HeartbeatRecord heartbeat = {.lsn = 255, .time = 0};
    ok(wire, writer_heartbeat(wire->writer, &heartbeat, &wire->error));
    MessageRecord loose = {.lsn = 256, .prefix = text("p"), .content = text("")};
    ok(wire, writer_message(wire->writer, &loose, &wire->error));
    wire_pass(wire);
    print_all(printer, wire);
    write_changes(wire);
    wire_pass(wire);
    print_all(printer, wire);
    fclose(out);
    assert_string_equal(
        printed, "hello plugin '0.1.0' wire 2 server 110022 encoding 'UTF8' options 'codec=zstd' 'level=1'\n"
                 "heartbeat 0/FF 2000-01-01 00:00:00.000000+00\n"
                 "message at 0/100 prefix 'p' content ''\n"
                 "begin 0/16B3748 xid 574 1999-12-31 23:59:59.999995+00\n"
                 "relation 5 \"public\".\"t\" identity default columns c1:text/text/key c2:text/text\n"
                 "insert \"public\".\"t\" #1 c1='it''s' c2=null\n"
                 "update \"public\".\"t\" #2 old c1='a' new c1='b\\x0a' c2=unchanged\n"
                 "delete \"public\".\"t\" #3 c1='a\\\\' c2=''\n"
                 "truncate #4 \"public\".\"t\", \"public\".\"t\" cascade restart identity\n"
                 "message #5 prefix 'audit' content 'hello'\n"
                 "recopy #6 \"public\".\"t\" at 0/16B3700 reason 'too long'\n"
                 "commit 0/16B3748 end 0/16B3770 changes 6 1999-12-31 23:59:59.999995+00\n");
    free(printed);
    record_printer_free(printer);
    record_printer_free(NULL);
    wire_free(wire);
}

static void binary_values_are_readable(void **state)
{
    (void)state;
    const struct {
        uint32_t type;
        Bytes value;
        const char *printed;
    } cases[] = {
        {16, text("\1"), "true"},
        {16, text("\0"), "false"},
        {17, text("\0\xff"), "'\\x00ff'"},
        {20, text("\xff\xff\xff\xff\xff\xff\xff\xfe"), "-2"},
        {21, text("\x01\x00"), "256"},
        {23, text("\x80\0\0\0"), "-2147483648"},
        {25, text("a'b"), "'a''b'"},
        {26, text("\xff\xff\xff\xff"), "4294967295"},
        {700, text("\x3d\xcc\xcc\xcd"), "0.1"},
        {701, text("\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1"},
        {701, text("\x3f\xd3\x33\x33\x33\x33\x33\x34"), "0.30000000000000004"},
        {701, text("\x7f\xf8\0\0\0\0\0\0"), "nan"},
        {1082, text("\xff\xff\xff\xff"), "'1999-12-31'"},
        {1082, text("\x7f\xff\xff\xff"), "infinity"},
        {1083, text("\0\0\0\x14\x1d\xd7\x5f\xff"), "'23:59:59.999999'"},
        {1114, text("\0\0\0\0\0\0\0\1"), "'2000-01-01 00:00:00.000001'"},
        {1184, text("\x80\0\0\0\0\0\0\0"), "-infinity"},
        {2950, text("\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf"), "'00010203-0405-0607-0809-0a0b0c0d0e0f'"},
        {3802, text("\1{}"), "'{}'"},
        {23, text("\0"), "x'00'"},
        {600, text("\1\2"), "x'0102'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *printed;
        size_t size;
        FILE *out = open_memstream(&printed, &size);
        RelationColumnRecord column = {.base_type = cases[i].type, .format = FORMAT_BINARY};
        value_print(out, &column, cases[i].value);
        fclose(out);
        assert_string_equal(printed, cases[i].printed);
        free(printed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_lines),
        cmocka_unit_test(binary_values_are_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
