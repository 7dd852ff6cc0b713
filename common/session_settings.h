/*
 * What every session of ours sets, whatever the server, the database, the role or the environment sets for others: one
 * table, in session_settings.c, of the settings that our statements and the values we carry depend on. Whoever opens a
 * session to a server gets it from here: database_connect by SET, programs that we start (pg_dump, pg_restore) by
 * PGOPTIONS.
 *
 * There are two kinds of things that a setting may be about, and a session's kind says how they are divided:
 *
 *   our own statements, and the form that values have on their way
 *                           are fixed, the same on both sides and for every kind of session
 *   what an expression of the user's may look at (TimeZone, DateStyle, search_path, ... in a CHECK, an index, a default, a
 *   generated column, a trigger, a view)
 *                           is fixed where we only read. Where rows are written it is left alone: it is then what the
 *                           database has for the sessions of applications, and expressions give what they give there
 *
 * So a session that writes must send values in a form that does not depend on the latter: binary, or text with its
 * meaning spelled out (ISO dates with an offset). Where search_path is the database's own (throughout in SESSION_BUILDS,
 * from when it is set up in SESSION_APPLIES, while COPY runs in SESSION_COPIES), every name in a statement of ours has its
 * schema, operators too. lc_monetary is the database's own
 * everywhere: money means nothing without it.
 *
 * Settings that only a superuser may make are made where the role is one. What is not in the table is the database's own.
 */
#pragma once

#include <stdbool.h>

typedef enum SessionKind {
    SESSION_PLAIN,   /* reads catalogs and values, keeps our state; also replication connections */
    SESSION_DUMPS,   /* pg_dump */
    SESSION_COPIES,  /* writes rows by COPY, with statements on our state between: search_path is fixed */
    SESSION_APPLIES, /* writes rows as the stream brings them */
    SESSION_BUILDS,  /* makes and fills objects: pg_restore, CREATE INDEX, ANALYZE, REFRESH */
    SESSION_KINDS
} SessionKind;

/*
 * The statements that make a session one of that kind, for a simple query; version is server_version_num. Does not hold
 * client_encoding. The caller frees it.
 */
char *session_settings_sql(SessionKind kind, int version, bool superuser);

/*
 * The same as command-line options ("-c name=value ..."), for PGOPTIONS, behind those in before (NULL for none), which they
 * override. The caller frees it.
 */
char *session_settings_options(SessionKind kind, int version, bool superuser, const char *before);

/*
 * The client_encoding for a session that carries names: UTF8, into which each server translates its own; and SQL_ASCII where the
 * server does not know what its bytes mean, so that none is refused. server_encoding is the parameter that the server reports.
 */
const char *session_settings_encoding(const char *server_encoding);

/*
 * Takes the variables out of our environment by which libpq sets a session's TimeZone, DateStyle and client_encoding (PGTZ,
 * PGDATESTYLE, PGCLIENTENCODING, PGGEQO): they are about the operator's terminal, and would take the place of the database's
 * own. For main, before it starts a thread. PGOPTIONS stays: who sets that means it.
 */
void session_settings_forget_environment(void);
