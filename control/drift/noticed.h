/*
 * Which settings count: lists for IN.
 */
#pragma once

/* Settings of a server that applications notice, as sessions of this database get them. */

#define NOTICED                                                                                              \
    "('TimeZone', 'DateStyle', 'IntervalStyle', 'lc_monetary', 'lc_numeric', 'lc_time', 'bytea_output',"     \
    " 'default_text_search_config', 'default_transaction_isolation', 'default_transaction_deferrable',"      \
    " 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'search_path',"            \
    " 'standard_conforming_strings', 'extra_float_digits', 'xmloption', 'array_nulls', 'row_security')"

/*
 * Settings that are not compared. The first is the fence's, on either side, and of who wants nobody to write to the target before
 * the switch. The others are gone in 12 to 16: the copy leaves them behind.
 */
#define NOT_COMPARED                                                                                         \
    "('default_transaction_read_only', 'penstock.fence', 'default_with_oids', "                              \
    "'operator_precedence_warning',"                                                                         \
    " 'vacuum_cleanup_index_scale_factor', 'force_parallel_mode')"
