/*
 * Numbers in what a server, a proxy or its file says, where anything else but a number means the same as 0. What a person
 * gives is checked instead (options).
 */
#pragma once

/* The whole number that text begins with, the nearest int when it is beyond those; 0 when there is none, or text is NULL. */
int number_int(const char *text);

/* The same for a number with a fraction. */
double number_real(const char *text);
