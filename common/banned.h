/*
 * Functions that nobody here calls: using one is an error of the compiler. Included before every file of common/, state/,
 * proto/, applier/ and control/ (CMakeLists.txt), and behind the server's headers in those of the decoder (decoder/compat.h).
 *
 *     strcpy strcat strncpy strncat stpcpy     no bound, or no end: snprintf, memcpy, text.h
 *     sprintf vsprintf gets                    no bound: snprintf, getline
 *     strtok asctime ctime gmtime localtime    state that all threads share: strsep, strftime with the _r functions
 *     atoi atol atof                           what is no number is 0, beyond an int it is anything: strtol and its like; number.h
 *     signal                                   signals are blocked, and read from a descriptor (applier/stop.h); disposition.h
 *     tmpnam mktemp                            a name that somebody else may take meanwhile: mkstemp
 *
 * The system's headers declare them, so they come first; the names that take their place are declared nowhere.
 */
#pragma once

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PENSTOCK_BANNED(function) penstock_banned_##function

#undef strcpy
#define strcpy(...) PENSTOCK_BANNED(strcpy)
#undef strcat
#define strcat(...) PENSTOCK_BANNED(strcat)
#undef strncpy
#define strncpy(...) PENSTOCK_BANNED(strncpy)
#undef strncat
#define strncat(...) PENSTOCK_BANNED(strncat)
#undef stpcpy
#define stpcpy(...) PENSTOCK_BANNED(stpcpy)
#undef sprintf
#define sprintf(...) PENSTOCK_BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) PENSTOCK_BANNED(vsprintf)
#undef gets
#define gets(...) PENSTOCK_BANNED(gets)
#undef strtok
#define strtok(...) PENSTOCK_BANNED(strtok)
#undef asctime
#define asctime(...) PENSTOCK_BANNED(asctime)
#undef ctime
#define ctime(...) PENSTOCK_BANNED(ctime)
#undef gmtime
#define gmtime(...) PENSTOCK_BANNED(gmtime)
#undef localtime
#define localtime(...) PENSTOCK_BANNED(localtime)
#undef atoi
#define atoi(...) PENSTOCK_BANNED(atoi)
#undef atol
#define atol(...) PENSTOCK_BANNED(atol)
#undef atof
#define atof(...) PENSTOCK_BANNED(atof)
#undef signal
#define signal(...) PENSTOCK_BANNED(signal)
#undef tmpnam
#define tmpnam(...) PENSTOCK_BANNED(tmpnam)
#undef mktemp
#define mktemp(...) PENSTOCK_BANNED(mktemp)
