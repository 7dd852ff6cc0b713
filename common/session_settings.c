/*
 * The table comes first. A row is a setting with a value for each kind of session; OWN leaves it to the database. Rows are in the
 * order in which they are sent, limits of time first: nothing may end the session while it is being set up.
 *
 * SET takes no snapshot (analyze_requires_snapshot in the server's analyze.c), so that not even a default of serializable
 * on a standby, or of read only, is in its way.
 */
#include "session_settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define OWN NULL
#define EACH(plain, dumps, copies, applies, builds) .values = {plain, dumps, copies, applies, builds}
#define EVERY(value) EACH(value, value, value, value, value)
#define READS(value) EACH(value, value, OWN, OWN, OWN)
#define APPLIES(value) EACH(OWN, OWN, OWN, value, OWN)

typedef struct SessionSetting {
    const char *name;
    const char *values[SESSION_KINDS];
    int since; /* server_version_num; 0 for all */
    int until; /* the first that does not have it any more; 0 for none */
    bool superuser;
} SessionSetting;

static const SessionSetting settings[] = {
    /* Limits that a role carries for its applications. None of them may end a long copy. */
    {.name = "statement_timeout", EVERY("0")},
    {.name = "lock_timeout", EACH("0", "0", "0", "30s", "0")},
    {.name = "idle_in_transaction_session_timeout", EVERY("0")},
    {.name = "idle_session_timeout", EVERY("0"), .since = 140000},
    {.name = "transaction_timeout", EVERY("0"), .since = 170000},
    {.name = "temp_file_limit", EVERY("-1"), .superuser = true},

    /*
     * A session whose client vanished must not keep its locks for hours. Keepalives do not notice an answer that is never received.
     */
    {.name = "tcp_keepalives_idle", EVERY("30")},
    {.name = "tcp_keepalives_interval", EVERY("10")},
    {.name = "tcp_keepalives_count", EVERY("3")},
    {.name = "tcp_user_timeout", EVERY("60s"), .since = 120000},
    {.name = "client_connection_check_interval", EACH(OWN, OWN, "2s", "2s", "2s"), .since = 140000},

    /*
     * Transactions: what we wrote down is durable when we go on (after a copy that is an entry of its own); isolation is what a
     * transaction of ours says, or this.
     */
    {.name = "default_transaction_isolation", EVERY("read committed")},
    {.name = "default_transaction_read_only", EVERY("off")},
    {.name = "default_transaction_deferrable", EVERY("off")},
    {.name = "synchronous_commit", EACH("on", "on", "off", "on", "off")},
    {.name = "exit_on_error", EVERY("off")},

    /* What writes rows asks for replica by itself: it cannot do without, and has to say so. */
    {.name = "session_replication_role", EACH("origin", "origin", OWN, OWN, "origin"), .superuser = true},

    /* All rows, as they are stored: none left out by policy, damaged page, or as enough of them. */
    {.name = "row_security", EVERY("off")},
    {.name = "zero_damaged_pages", EVERY("off"), .superuser = true},
    {.name = "ignore_checksum_failure", EVERY("off"), .superuser = true},
    {.name = "gin_fuzzy_search_limit", EVERY("0")},
    /* Our state has views. A fix of August 2024 in every major that was kept then. */
    {.name = "restrict_nonsystem_relation_kind", EVERY(""), .since = 120020, .until = 130000},
    {.name = "restrict_nonsystem_relation_kind", EVERY(""), .since = 130016, .until = 140000},
    {.name = "restrict_nonsystem_relation_kind", EVERY(""), .since = 140013, .until = 150000},
    {.name = "restrict_nonsystem_relation_kind", EVERY(""), .since = 150008, .until = 160000},
    {.name = "restrict_nonsystem_relation_kind", EVERY(""), .since = 160004, .until = 170000},
    {.name = "restrict_nonsystem_relation_kind", EVERY(""), .since = 170000},

    /* How the text of a value is read. */
    {.name = "array_nulls", EVERY("on")},
    {.name = "xmloption", EVERY("content")},

    /* How the text of a value is written: the same on both sides. */
    {.name = "datestyle", READS("ISO, MDY")},
    {.name = "intervalstyle", READS("postgres")},
    {.name = "timezone", READS("UTC")},
    {.name = "bytea_output", READS("hex")},
    {.name = "extra_float_digits", READS("3")},
    {.name = "xmlbinary", READS("base64")},

    /* How a statement is read. */
    /* Where rows are written it is given back to the database for what looks at them. */
    {.name = "search_path", EACH("pg_catalog", "pg_catalog", "pg_catalog", "pg_catalog", OWN)},
    /* pg_dump hands the source's own on to pg_restore, under which functions run that index expressions call. */
    {.name = "standard_conforming_strings", EACH("on", "on", OWN, OWN, OWN)},
    {.name = "transform_null_equals", READS("off")},
    {.name = "quote_all_identifiers", READS("off")},

    /* What becomes of tables that are made. */
    {.name = "default_with_oids", EVERY("off"), .until = 120000},
    {.name = "default_tablespace", READS("")},
    {.name = "default_table_access_method", READS("heap"), .since = 120000},

    /* Messages: none that nobody reads, and errors in the words that we know. */
    {.name = "client_min_messages", EVERY("error")},
    {.name = "lc_messages", EVERY("C"), .superuser = true},
    /* Sessions of ours find each other by what they are doing. */
    {.name = "track_activities", EVERY("on"), .superuser = true},

    /* A statement that finds rows by key walks the index, whatever the planner thinks of the table's size when it plans. */
    {.name = "jit", APPLIES("off")},
    {.name = "plan_cache_mode", APPLIES("force_generic_plan"), .since = 120000},
    {.name = "enable_indexscan", APPLIES("on")},
    {.name = "enable_nestloop", APPLIES("on")},
    {.name = "enable_seqscan", APPLIES("off")},
    {.name = "enable_bitmapscan", APPLIES("off")},
    {.name = "enable_hashjoin", APPLIES("off")},
    {.name = "enable_mergejoin", APPLIES("off")},
    {.name = "enable_material", APPLIES("off")},
    {.name = "enable_memoize", APPLIES("off"), .since = 140000},
    {.name = "max_parallel_workers_per_gather", APPLIES("0")},
};

#define SETTING_COUNT (sizeof settings / sizeof *settings)

/* NULL where the session leaves the setting alone. */
static const char *value_of(const SessionSetting *setting, SessionKind kind, int version, bool superuser)
{
    bool known = version >= setting->since && (setting->until == 0 || version < setting->until);
    return known && (superuser || !setting->superuser) ? setting->values[kind] : NULL;
}

/* Values are words of ours, none with a quote in it. */
char *session_settings_sql(SessionKind kind, int version, bool superuser)
{
    Text sql = {0};
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value = value_of(&settings[i], kind, version, superuser);
        if (value != NULL) {
            text_printf(&sql, "SET %s = '%s';", settings[i].name, value);
        }
    }
    return sql.data;
}

/* The server splits options at spaces, unless a backslash stands before one (pg_split_opts). */
static void append_escaped(Text *options, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == ' ' || *value == '\\') {
            text_append(options, "\\");
        }
        text_append_bytes(options, value, 1);
    }
}

char *session_settings_options(SessionKind kind, int version, bool superuser, const char *before)
{
    Text options = {0};
    text_append(&options, before != NULL ? before : "");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value = value_of(&settings[i], kind, version, superuser);
        if (value != NULL) {
            text_printf(&options, "%s-c %s=", options.size > 0 ? " " : "", settings[i].name);
            append_escaped(&options, value);
        }
    }
    return options.data;
}

const char *session_settings_encoding(const char *server_encoding)
{
    return server_encoding != NULL && strcmp(server_encoding, "SQL_ASCII") == 0 ? "SQL_ASCII" : "UTF8";
}

void session_settings_forget_environment(void)
{
    static const char *const variables[] = {"PGTZ", "PGDATESTYLE", "PGCLIENTENCODING", "PGGEQO"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        unsetenv(variables[i]);
    }
}
