/*
 * The terminal on standard output.
 */
#pragma once

/* Its size in characters; 80 and 24 where it does not say. */
int terminal_width(void);
int terminal_height(void);
