/*
 * Cutover, rollback, the way back, finish.
 */
#include "kinds.h"

#define FIRST 1800
#define TITLE "Cutover, rollback and finish"

static const ErrorKind kinds[] = {
    {1801, "A switch was begun and not ended",
     "A cutover or a rollback has died or failed half-way; clients may be held.",
     "`penstock status` says at which step. `penstock cutover --resume` brings it to its end, `--undo` takes "
     "it back (`penstock rollback` likewise).",
     WORDS("was begun and not ended")},
    {1802, "There is nothing to switch, resume or undo",
     "The migration has been switched, or rolled back, or nothing of the kind is under way.",
     "`penstock status` says where it stands.",
     WORDS("has been switched already", "has been rolled back", "there is nothing to go back from",
           "there is nothing to undo any more", "is under way", "is going back", "nothing is repaired")},
    {1803, "It cannot be undone any more",
     "Clients have been released to the other side and may have written there.",
     "`penstock rollback` goes back with what they wrote.",
     WORDS("clients have been released to the", "cannot be taken back", "would not come back",
           "are not led back by themselves", "since the release", "there is no way back, whose slot")},
    {1804, "The migration is not ready for a switch",
     "It is not copied, or not everything, or the applications still use the source.",
     "`penstock status` says what is missing.",
     WORDS("the applications still use the source", "is in phase %s, not copied")},
    {1805, "The definitions differ",
     "The two sides do not define the same tables, columns, indexes, constraints or settings.",
     "The message names them; `penstock status --schema` shows all. Make them equal, or accept settings with "
     "`--accept-settings`.",
     WORDS("the two sides differ in", "other setting%s")},
    {1806, "The other side is too far behind",
     "It has more to catch up with than `--max-lag` allows, or the applier does not run.",
     "Wait until `penstock status` shows a small lag; see that `penstock follow` runs.",
     WORDS("more than --max-lag", "the applier does not run", "the applier %s%s%s",
           "the subscription on the source does not run", "bytes behind and has not worked")},
    {1807, "The comparison that is asked for is missing",
     "`--require-verified` wants a full comparison without differences that is not too old, and nothing that "
     "is known to "
     "differ since.",
     "`penstock verify`, with `--repair` where rows differ, then the switch again.",
     WORDS("--require-verified")},
    {1808, "A role lacks what a switch needs",
     "Fencing a database and making the way back take a superuser, or REPLICATION.",
     "`penstock check` names it, and prints the statements.",
     WORDS("is not superuser", "neither superuser nor REPLICATION")},
    {1809, "Transactions have not ended",
     "Sessions on the side that is left are still at work, behind the proxy or beside it.",
     "The message names them. End them, or try again later, or with longer limits; nothing has been changed.",
     WORDS("transactions have been open on the source", "are still at work on the", "did not end within",
           "that began read-only did not end", "sessions are on the %s", "there are prepared transactions",
           "write to the %s behind any fence")},
    {1810, "The hold limit has passed",
     "Clients were held for as long as they may be, and the switch was not through.",
     "It was undone, and clients go on where they were. `penstock cutover --dry-run` measures what takes how "
     "long.",
     WORDS("clients have been held for")},
    {1811, "The look through the proxy failed",
     "A login through the proxy did not reach the side that was switched to, or could not write.",
     "Nobody was let go there. The message has the proxy's words; `penstock proxy show` shows where it "
     "leads.",
     WORDS("answers through the proxy, but is read-only", "the connection of --probe does not lead",
           "the look through the proxy failed before")},
    {1812, "Somebody wrote behind the fence",
     "A transaction committed on the source after it had been closed: a superuser, or a role with settings "
     "of its own.",
     "The switch does not go on. Find the session in the source's log; `--undo`, and stop it before the next "
     "try.",
     WORDS("somebody wrote to the source behind its fence", "the source is not fenced any more")},
    {1813, "The applier did not come to the end in time",
     "Clients are held, and the last changes are not on the target yet.",
     "It was undone. Look at `penstock status --tables` for what is slow; try when the lag is small.",
     WORDS("has not come past the fence of the source in time", "gave no position",
           "the lanes have no position")},
    {1814, "The way back cannot be made",
     "Publication, slot or subscription between the two servers could not be made, or does not stream.",
     "The source's server has to reach the target's. `penstock check` tries that beforehand; `--no-reverse` "
     "switches without one.",
     WORDS("the way back:", "there is no way back: the target has no slot", "does not stream",
           "the slot of the way back is gone", "kept: it has %lld changes", "not everything comes back")},
    {1815, "The slot cannot be handed over",
     "`--hand-over-slot` names none that is on the source, or one that is on the target already.",
     "See `pg_replication_slots` on both sides.", WORDS("--hand-over-slot:")},
    {1816, "The journal cannot be followed",
     "A step's record is missing or makes no sense, or the copy of it on this host cannot be read.",
     "Run it on the host, and as the user, that began it; `penstock status` shows the journal.",
     WORDS("cannot follow on what the journal says", "the journal of the %s makes no sense",
           "the journal does not say", "second copy", "the target lacks earlier lines",
           "nobody knows where the", "there is no way forward")},
    {1817, "It was undone", "The switch under way has been taken back, and clients go on where they were.",
     "What had stopped it is in the journal: `penstock status`.",
     WORDS("that was under way has been undone", "does not stand any more: this %s has been undone")},
    {1818, "It was not confirmed", "The question before it begins was answered with no.", "Nothing was done.",
     WORDS("not confirmed: nothing was done", "nothing was written")},
    {1819, "The sessions of the server cannot be seen", "`pg_stat_activity` shows too little to the role.",
     "GRANT pg_monitor, or use a superuser.", WORDS("does not show its sessions")},
    {1820, "Another run holds the switch's journal",
     "A cutover or rollback of this migration runs on this host.",
     "`penstock status` shows it. Wait for its end; one that hangs may be ended, and `--resume` goes on.",
     WORDS("another run of this migration's switch")},
    {1821, "Nobody applies", "The slot is there, and no applier reads from it.",
     "Start `penstock follow`, wait until it has caught up, and try again.",
     WORDS("slot \"%s\" is not in use")},
    {1822, "Applications would miss what stays behind",
     "By `--only`, `--exclude` or `--schema-only` of the first copy, some relations are not moved.",
     "If that is meant: `--accept-left-behind`. `penstock.left_behind` on the target has the whole list.",
     WORDS("not everything is moved")},
    {1823, "Tables were made after the way back was",
     "The target has tables that the publication for the way back does not have: rows in them would not come "
     "back.",
     "Nothing has been switched: run the command again, which makes the way back anew.",
     WORDS("the way back was made before these tables were")},
    {1824, "Clients of a proxy that leads to the wrong side are kept",
     "A proxy's configuration leads elsewhere than the journal says: letting its clients go on would have "
     "them "
     "write there.",
     "`penstock proxy show` says where it leads; put that right, then `penstock cutover --resume` or "
     "`--undo`.",
     WORDS("clients of a proxy that leads to the wrong side")},
    {1825, "Another command has carried on with the switch",
     "This one stood still for long (a host that was suspended, a network that was cut), lost its lock, and "
     "another one has gone on or "
     "undone it since.",
     "Nothing more was done by this one; `penstock status` shows how far the switch is.",
     WORDS("and this one had stood still")},
    {1826, "The source lacks what had come back to it",
     "It was put back to an older copy since the switch, or rows were changed there by hand: the way back "
     "does not send again what it "
     "has sent.",
     "Stay on the target: `penstock finish` ends the way back. `--accept-loss` goes back to what the source "
     "has.",
     WORDS("the source lacks what had come back to it: %zu")},
    {1827, "An event trigger refuses what the switch defines",
     "It is ENABLE ALWAYS or ENABLE REPLICA, and so acts on what Penstock defines, too. What a switch "
     "defines was tried "
     "beforehand, and rolled back.",
     "The message has its own words. ALTER EVENT TRIGGER … DISABLE until the migration is finished, or "
     "ENABLE: such do "
     "not act on Penstock's definitions.",
     WORDS("event triggers of the %s, which act on what the switch defines there")},
    {1828, "The way back does not run, and will not by itself",
     "Its subscription on the source was disabled or dropped by somebody.",
     "One that is disabled is enabled by the statement in the message. Of one that is gone, see first what "
     "it had still to bring: "
     "`penstock verify` compares both sides.",
     WORDS("the subscription %s is gone from the source", "the subscription %s on the source is disabled")},
};

ERROR_SECTION(error_section_switch);
