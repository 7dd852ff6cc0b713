/*
 * The line of the step under way on a terminal: its name, how long it has taken, its limit, redrawn by a thread while the
 * step itself waits for a server. Private to this folder.
 */
#pragma once

typedef struct Ticker Ticker;

/* NULL when there can be no thread: then nothing is redrawn. */
Ticker *ticker_start(void);

/* Shows this line, with a running clock, until ticker_clear. The texts are borrowed until then. */
void ticker_show(Ticker *ticker, const char *name, const char *limit, const char *text);

/* Takes the line away: the cursor stands at the begin of an empty one. */
void ticker_clear(Ticker *ticker);

/* Takes the line away for as long as something else is written; the next tick draws it again. */
void ticker_interrupt(Ticker *ticker);

void ticker_stop(Ticker *ticker);
