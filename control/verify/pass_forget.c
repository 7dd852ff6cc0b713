/*
 * penstock.verify_open reads what is kept here; who asks for it is status, and the preflight of a switch. A pass of one table
 * that is run each minute for days leaves its line in penstock.verify_pass and no more.
 */
#include "pass_forget.h"

#define FULL                                                                                                 \
    "(SELECT coalesce(max(id), 0) FROM penstock.verify_pass WHERE migration = $1 AND state = 'done'"         \
    "    AND scope = '')"
#define TABLES_OF                                                                                            \
    "DELETE FROM penstock.verify_table t USING penstock.verify_pass p WHERE t.pass = p.id AND p.migration "  \
    "= $1 AND p.id "
/* Another pass's answer about the same table. */
#define ANSWER                                                                                               \
    "(SELECT FROM penstock.verify_pass o JOIN penstock.verify_table ot ON ot.pass = o.id AND ot.relation = " \
    "t.relation WHERE o.migration = $1 AND o.id "

static const char *const statements[] = {
    "UPDATE penstock.verify_pass SET state = 'left', ended_at = clock_timestamp()"
    " WHERE migration = $1 AND state = 'running'",
    "DELETE FROM penstock.verify_job j USING penstock.verify_pass p WHERE j.pass = p.id AND p.migration = $1",
    TABLES_OF "< " FULL,
    /* Found right since. */
    TABLES_OF "> " FULL " AND NOT (t.equal AND t.answered) AND EXISTS " ANSWER "> p.id"
              " AND o.state = 'done' AND o.sample = 0 AND ot.equal AND ot.answered)",
    /* Right, as was known before, or is said by a later one. */
    TABLES_OF "> " FULL " AND t.equal AND t.answered AND (NOT EXISTS " ANSWER ">= " FULL
              " AND o.id < p.id AND NOT (ot.equal AND ot.answered))"
              " OR EXISTS " ANSWER
              "> p.id AND o.state = 'done' AND o.sample = 0 AND ot.equal AND ot.answered))",
    /* Differences of more than ten passes ago, but for those that no pass of the same scope has looked at since. */
    "DELETE FROM penstock.verify_difference d USING penstock.verify_pass p"
    " WHERE d.pass = p.id AND p.migration = $1 AND d.repaired IS NULL AND p.id <= ("
    "   SELECT id FROM penstock.verify_pass WHERE migration = $1 ORDER BY id DESC OFFSET 9 LIMIT 1)"
    " AND (d.kind = 'row' OR p.id NOT IN (SELECT max(id) FROM penstock.verify_pass"
    "   WHERE migration = $1 AND state = 'done' AND id >= " FULL " GROUP BY scope))",
};

int pass_forget(Database *target, const char *migration, Error *error)
{
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (database_execute(target, error, statements[i], 1, migration) != 0) {
            return -1;
        }
    }
    return 0;
}
