/*
 * Settings of a server that applications notice, as sessions of this database get them: a list for IN.
 */
#pragma once

#define NOTICED                                                                                              \
    "('TimeZone', 'DateStyle', 'IntervalStyle', 'lc_monetary', 'lc_numeric', 'lc_time', 'bytea_output',"     \
    " 'default_text_search_config', 'default_transaction_isolation', 'default_transaction_deferrable',"      \
    " 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'search_path',"            \
    " 'standard_conforming_strings', 'extra_float_digits', 'xmloption', 'array_nulls', 'row_security')"
