/*
 * Messages of our own in the stream: those by which the source's event triggers tell of DDL (control/ddl/capture.sql), and those
 * by which a command finds out how far the applier is.
 */
#pragma once

#include <stdbool.h>

#include "reader.h"

/* A statement that was captured; what its content says is in applier/ddl/message.h. */
bool captured_is_statement(const Record *record);

/* CREATE TABLE AS, or SELECT INTO, has begun: it writes rows before it is told of. */
bool captured_is_start(const Record *record);

/* A command waits until the target has all that is before it. */
bool captured_is_waited_for(const Record *record);
