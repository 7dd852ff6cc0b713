# Every setting that a database may have, set to a value that is not the default, on both sides at once: a migration with
# cutover and verify goes as it does without, and an expression of the database's gives on the target what it gives at the
# source. The list is each server's own, made when the test runs; what is left out is left out here, with the reason.
#
# The settings are the database's. The test's own user has the usual ones; the migration is made by another superuser.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my %left_out = (
    max_stack_depth          => 'below its default no view or function is sure to run, an application\'s neither',
    local_preload_libraries  => 'wants a library in $libdir/plugins',
    transaction_deferrable   => 'is of one transaction, not of a database',
    transaction_isolation    => 'is of one transaction, not of a database',
    transaction_read_only    => 'is of one transaction, not of a database',
    log_min_messages         => 'only says more in the log of the server, very much more',
    log_min_error_statement  => 'only says more in the log of the server',
    debug_print_parse        => 'only says more in the log of the server, very much more',
    debug_print_plan         => 'only says more in the log of the server, very much more',
    debug_print_rewritten    => 'only says more in the log of the server, very much more',
    log_parser_stats         => 'only says more in the log of the server, very much more',
    log_planner_stats        => 'only says more in the log of the server, very much more',
    log_executor_stats       => 'only says more in the log of the server, very much more',
    log_statement_stats      => 'only says more in the log of the server, and not with the others',
    jit_dump_bitcode         => 'only writes files into the data directory',
    dynamic_library_path     => 'without it the server finds no output plugin, its own neither',
    wal_consistency_checking => 'only writes more WAL, for tests of the server',
);

# Where neither another word of an enum, nor the other boolean, nor the least number is the hostile one.
my %hostile = (
    DateStyle                           => 'SQL, DMY',
    IntervalStyle                       => 'sql_standard',
    TimeZone                            => 'Europe/Vienna',
    application_name                    => 'penstock',
    backtrace_functions                 => 'int4in',
    client_encoding                     => 'LATIN1',
    client_min_messages                 => 'debug5',
    commit_delay                        => 1,
    default_table_access_method         => 'heap2',
    default_tablespace                  => 'elsewhere',
    default_text_search_config          => 'pg_catalog.german',
    extra_float_digits                  => -15,
    geqo_seed                           => 0.5,
    idle_in_transaction_session_timeout => '1s',
    idle_session_timeout                => '1s',
    jit_above_cost                      => 100,
    jit_inline_above_cost               => -1,
    jit_optimize_above_cost             => -1,
    lc_messages                         => 'C.UTF-8',
    lc_monetary                         => 'C.UTF-8',
    lc_numeric                          => 'C.UTF-8',
    lc_time                             => 'C.UTF-8',
    lock_timeout                        => 1,
    log_min_duration_statement          => 0,
    max_parallel_workers                => 2,
    max_parallel_workers_per_gather     => 1,
    restrict_nonsystem_relation_kind    => 'view, foreign-table',
    search_path                         => 'own, public',
    session_preload_libraries           => '$libdir/auto_explain',
    session_replication_role            => 'replica',
    statement_timeout                   => '1s',
    synchronous_commit                  => 'off',
    temp_tablespaces                    => 'elsewhere',
    timezone_abbreviations              => 'India',
    vacuum_cost_delay                   => 1,
    wal_sender_timeout                  => '5s',
);

# A value that is not the default; undef where there is none.
sub hostile_value
{
    my ($name, $type, $default, $least, $most, $words) = @_;
    return $hostile{$name} if exists $hostile{$name};
    return $default eq 'on' ? 'off' : 'on' if $type eq 'bool';
    return (grep { $_ ne $default } map { s/^"|"$//gr } split /,/, $words =~ s/^\{|\}$//gr)[0] if $type eq 'enum';
    return $least ne $default ? $least : $least < $most ? $least + 1 : undef if $type =~ /^(integer|real)$/;
    die "no hostile value is known for $name: give it one, or leave it out and say why\n";
}

my $settings = q{SELECT name, vartype, boot_val, min_val, max_val, array_to_string(enumvals, ',') FROM pg_settings
    WHERE context IN ('user', 'superuser') ORDER BY name};

# Sets them for the database; the test's user keeps its own. Returns how many.
sub make_hostile
{
    my ($server) = @_;
    my $user = getpwuid($<);
    my ($sql, $count) = ('', 0);
    foreach my $line (split /\n/, $server->sql('postgres', $settings)) {
        my ($name, @about) = split /\|/, $line, -1;
        next if $left_out{$name};
        my $value = hostile_value($name, @about);
        next unless defined $value; # nothing else is possible in this build
        $value = join(', ', map { "'$_'" } $name =~ /^(search_path|temp_tablespaces)$/ ? split(/, /, $value) : $value);
        $sql .= "ALTER DATABASE app SET $name = $value; ALTER ROLE $user IN DATABASE app SET $name FROM CURRENT;\n";
        $count++;
    }
    $server->sql('postgres', $sql);
    return $count;
}

my $source = start_source('source', conf => "log_statement = none\n");
my $target = start_target('target', conf => "log_statement = none\n");
foreach my $server ($source, $target) {
    app_database('app', $server);
    $server->sql('postgres', 'CREATE ROLE mover SUPERUSER LOGIN');
    $server->sql('postgres', "CREATE TABLESPACE elsewhere LOCATION '" . PostgreSQL::Test::Utils::tempdir() . "'");
}
$target->sql('app', 'CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler');

# The application's own sessions have these, as they have at home.
my $application = q{SET timezone = 'Europe/Vienna'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard';
    SET bytea_output = 'escape'; SET extra_float_digits = -15; SET search_path = own, public; SET client_encoding = 'UTF8';
    SET standard_conforming_strings = off; SET transform_null_equals = on; SET default_text_search_config = 'pg_catalog.german';};

$source->sql('app', $application . <<'SQL');
CREATE SCHEMA own; CREATE SCHEMA pgboss; CREATE SCHEMA pgx_jobs;
CREATE TABLE pgboss.job (id int PRIMARY KEY, state text);
INSERT INTO pgboss.job SELECT g, 'done' FROM generate_series(1, 100) g;
CREATE TABLE pgx_jobs.q (id serial PRIMARY KEY, v text DEFAULT 'a\\b');
INSERT INTO pgx_jobs.q (v) SELECT 'v' || g FROM generate_series(1, 50) g;
CREATE TABLE "Größe" (id int PRIMARY KEY, "Länge" text DEFAULT 'ä'); INSERT INTO "Größe" VALUES (1, 'ü→€');
CREATE SEQUENCE "Zähler"; SELECT nextval('"Zähler"'); COMMENT ON TABLE "Größe" IS 'ß→';

CREATE TYPE mood AS ENUM ('low', 'high');
CREATE TYPE pair AS (at timestamptz, span interval, weight float8);
CREATE DOMAIN small_array AS text[] CHECK (array_length(value, 1) < 100);
CREATE TABLE as_text (id int PRIMARY KEY, m mood, t text[], i int[], s small_array, x xml, at timestamptz, d date, span interval,
    spans interval[], f float8, fs float8[], b bytea, bs bytea[], j jsonb, n numeric, c money, cs money[], r tstzrange, p pair);
CREATE TABLE as_binary (id int PRIMARY KEY, t text[], i int[], x xml, at timestamptz, d date, span interval, f float8, b bytea,
    j jsonb, n numeric, c money, r tstzrange);
INSERT INTO as_text SELECT g, 'low', ARRAY['x', NULL, 'NULL', '\\'], ARRAY[1, NULL], ARRAY['y', NULL], 'just a <b>text</b>',
    '2024-06-30 22:30+00', '2024-07-02', '-1 mon +2 days -03:00:00'::interval, ARRAY['-1 day -01:00:00'::interval, '1 year'],
    0.1::float8 + 0.2, ARRAY[1e-300, 0.1::float8 + 0.2], '\\000\\377', ARRAY['\\001'::bytea, '\\\\'], '{"a": "\u00e4"}', 1.50,
    1234.5::numeric::money, ARRAY[1234.5::numeric::money], '[2024-06-30 22:30+00, 2024-07-01 22:30+00)',
    ROW ('2024-06-30 22:30+00', '-1 day', 0.1::float8 + 0.2)::pair FROM generate_series(1, 3) g;
INSERT INTO as_binary SELECT id, t, i, x, at, d, span, f, b, j, n, c, r FROM as_text;

-- "Immutable" by declaration alone, in indexes and CHECKs.
CREATE FUNCTION day_of(timestamptz) RETURNS date LANGUAGE sql IMMUTABLE AS 'SELECT $1::date';
CREATE FUNCTION words_of(anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1::text';
CREATE FUNCTION own.limit_of(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1000 * $1';
CREATE FUNCTION allowed(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 < limit_of(1); END';
CREATE FUNCTION escaped(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $f$ BEGIN RETURN 'a\\b' || $1; END $f$;
CREATE TABLE visit (id int PRIMARY KEY, at timestamptz, d date, span interval, f float8, b bytea, v int CHECK (allowed(v)),
    CHECK (extract(hour FROM at) IN (0, 12)));
CREATE INDEX visit_day ON visit (day_of(at)); CREATE INDEX visit_at ON visit (words_of(at)); CREATE INDEX visit_d ON visit (words_of(d));
CREATE INDEX visit_span ON visit (words_of(span)); CREATE INDEX visit_f ON visit (words_of(f));
CREATE INDEX visit_b ON visit (words_of(b)); CREATE INDEX visit_escaped ON visit (escaped(words_of(v)));
INSERT INTO visit SELECT g, '2024-06-30 22:30+00', '2024-07-01', '-1 day', 0.1::float8 + 0.2, '\\001', g FROM generate_series(1, 20) g;
CREATE TABLE booking (id int PRIMARY KEY, room int, at timestamptz); CREATE UNIQUE INDEX one_a_day ON booking (room, day_of(at));
INSERT INTO booking VALUES (1, 1, '2024-07-01 00:30 Europe/Vienna'), (2, 1, '2024-07-02 12:00 Europe/Vienna');
SQL

my @counts = (make_hostile($source), make_hostile($target));
cmp_ok($counts[0], '>', 120, "$counts[0] settings of the source are hostile");
cmp_ok($counts[1], '>', 140, "$counts[1] settings of the target are hostile");

# What a session of the application sees, by index and by scan.
sub answers
{
    my ($server, $off) = @_;
    my $sql = "SET enable_bitmapscan = off; SET enable_indexonlyscan = off; SET enable_seqscan = on;"
      . " SET enable_indexscan = on; SET enable_$off = off; SET statement_timeout = 0;";
    $sql .= "SELECT count(*) FROM visit WHERE $_;" foreach (
        q{day_of(at) = '01/07/2024'}, q{words_of(at) = '01/07/2024 00:30:00 CEST'}, q{words_of(d) = '01/07/2024'},
        q{words_of(span) = '-1 0:00:00'}, q{words_of(f) = '0.3'}, q{words_of(b) = E'\\\\001'},
        q{escaped(words_of(v)) = E'a\\\\b5'});
    return join(' ', split /\n/, $server->sql('app', "$application$sql"));
}

my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $migration = migration($source, $target, database => 'app', user => 'mover');
my @cutover = $migration->cutover_words($proxy);
like($migration->run('check')->{stdout}, qr/own\."Größe": its name.*client_encoding=LATIN1\n +ALTER DATABASE app RESET client_encoding;/,
    'check names what the way back would not find');
$migration->ok('copy');
same_rows($source, $target, 'app', 'copied');
$migration->follow;
$source->sql('app', $application . <<'SQL');
INSERT INTO pgboss.job VALUES (101, 'back\\slash');
INSERT INTO "Größe" VALUES (2, 'é→'); SELECT nextval('"Zähler"'); INSERT INTO pgx_jobs.q DEFAULT VALUES;
INSERT INTO as_text SELECT id + 10, m, t, i, s, x, at, d, span, spans, f, fs, b, bs, j, n, c, cs, r, p FROM as_text WHERE id = 1;
UPDATE as_text SET t = t || ARRAY[NULL, 'z'], m = 'high', span = '-1 day', spans = ARRAY['-2 mons +1 day -00:00:01'::interval] WHERE id = 2;
DELETE FROM as_text WHERE id = 3;
INSERT INTO as_binary SELECT id + 10, t, i, x, at, d, span, f, b, j, n, c, r FROM as_binary WHERE id = 1;
UPDATE as_binary SET t = t || ARRAY[NULL, 'z'], x = 'more <b>text</b>' WHERE id = 2;
INSERT INTO visit SELECT g, '2024-06-30 22:30+00', '2024-07-01', '-1 day', 0.1::float8 + 0.2, '\\001', g FROM generate_series(100, 109) g;
INSERT INTO booking VALUES (10, 2, '2024-07-01 12:00 Europe/Vienna'), (11, 2, '2024-07-02 00:30 Europe/Vienna');
SQL
$migration->wait_until_caught_up;
same_rows($source, $target, 'app', 'followed');
foreach my $off ('seqscan', 'indexscan') {
    is(answers($_->[0], $off), '30 30 30 30 30 30 1', "$_->[1], $off off: expressions give what they give to an application")
      foreach ([ $source, 'source' ], [ $target, 'target' ]);
}

# A session that is idle, around the proxy, and with track_activities off says nothing of itself: nobody waits for it.
my $idle = $source->background_psql('app', on_error_stop => 0, on_error_die => 0, extra_params => [ '-U', 'app' ]);
$idle->query('SELECT 1');
is($source->sql('app', q{SELECT state FROM pg_stat_activity WHERE usename = 'app' AND backend_type = 'client backend'}), 'disabled',
    'an application is idle, and does not say so');

my $result = $migration->ok(@cutover, '--yes', '--verify', '--accept-drift', '--accept-settings');
like($result->{stdout}, qr/7 tables, \d+ rows: 0 different/, 'the switch point is equal on both sides');
eval { $idle->quit }; # the fence has ended its session
same_sequences($source, $target, 'app', 'switched');
$target->sql('app', $application . q{INSERT INTO pgboss.job VALUES (102, '→'); DELETE FROM as_text WHERE id = 2});
wait_until('the way back to carry what was written', sub {
    $source->sql('app', 'SELECT count(*) FROM pgboss.job') eq '102' && $source->sql('app', 'SELECT count(*) FROM own.as_text') eq '2' });
$migration->ok($migration->rollback_words($proxy), '--yes');
same_rows($source, $target, 'app', 'rolled back');
$migration->ok('finish', '--abandon', '--yes');
done_testing();
