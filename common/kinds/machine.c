/*
 * The machine that Penstock runs on.
 */
#include "kinds.h"

#define FIRST 2000
#define TITLE "The migration host"

static const ErrorKind kinds[] = {
    {2001, "Out of memory", "The system gave no memory.",
     "What a program takes is bounded (`--memory`); see what else runs there, and the limits of the service "
     "(`MemoryMax`).",
     WORDS("no memory for", "out of memory", "setting %s: %s")},
    {2002, "A thread, process or descriptor could not be had",
     "A limit of the system or of the service has been reached.",
     "`ulimit -a`, `TasksMax` and `LimitNOFILE` of the service.",
     WORDS("cannot start the thread", "cannot start a thread", "'s thread", "no thread could be started",
           "no pipe", "no process to", "no helper process", "no descriptor", "cannot make a pipe",
           "memfd_create", "cannot receive signals", "cannot start %s", "starting %s", "poll: %s")},
    {2003, "A file cannot be written", "The disk is full, or the user may not write there.",
     "The message has the system's own words. Nothing was half written: files are written beside and "
     "renamed.",
     WORDS("writing %s: %s", "writing to %s: %s", "emptying %s", "cannot make the folder", "cannot take away",
           "cannot %s \"%s\"")},
    {2004, "A file cannot be read", "It is not there, or the user may not read it.",
     "The message has the system's own words.",
     WORDS("cannot read %s: %s", "reading %s: %s", "\"%s\" cannot be read: %s", "cannot open %s: %s",
           "cannot open \"%s\": %s")},
    {2005, "Another program failed",
     "One that Penstock runs (ssh, docker, a command that reloads a proxy) ended with an error, or not in "
     "time.",
     "What it said is in the message; try it by hand.",
     WORDS("failed with status %d", "has not ended within")},
    {2006, "The system gives no random number",
     "getrandom() failed: something forbids it, as a container may.",
     "Allow the system call `getrandom`, and run the command again.", WORDS("gives no random number")},
    {2007, "The applier's program cannot be run", "`penstock-applier` is not beside `penstock` nor on PATH.",
     "Install both programs of one release.", WORDS("program cannot be run")},
};

ERROR_SECTION(error_section_machine);
