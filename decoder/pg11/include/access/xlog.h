/* PostgreSQL 11: the WAL. */
#pragma once

extern bool RecoveryInProgress(void);
extern XLogRecPtr GetFlushRecPtr(void);
