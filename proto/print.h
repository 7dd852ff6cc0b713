/*
 * Records as lines of text, one per change, for people and for tests:
 *
 *     begin 0/16B3748 xid 574 2026-11-22 03:14:07.123456+00
 *     relation 16384 "public"."t" identity default columns a:int4/binary/key b:varchar#24/text
 *     insert "public"."t" #1 a=1 b='it''s'
 *     update "public"."t" #2 old a=1 new a=2 b=unchanged
 *     delete "public"."t" #3 a=2
 *     truncate #4 "public"."t", "public"."u" cascade restart identity
 *     message #5 prefix 'audit' content 'hello'
 *     commit 0/16B3748 end 0/16B3778 changes 5 2026-11-22 03:14:07.123456+00
 *
 * The same records always give the same lines. Control characters, quotes and backslashes in values are
 * escaped, so a record is never more than its lines. Absent cells are left out; #24 behind a type is its
 * typmod. Binary values of well-known types are shown readably, all others as x'0aff'.
 */
#pragma once

#include <stdio.h>

#include "reader.h"

/* Remembers the relations that went past, to name them and their columns. */
typedef struct RecordPrinter RecordPrinter;

/* out stays the caller's; write errors are for the caller to find with ferror. Free with record_printer_free.
 */
RecordPrinter *record_printer_new(FILE *out);
void record_printer_free(RecordPrinter *printer);

/* record must come from a FrameReader that has checked it. */
void record_print(RecordPrinter *printer, const Record *record);
