# Beside tables and rows: tablespaces by other names, statistics targets, settings that hold before the database is used, extensions,
# and materialized views that are refreshed in the order in which they need each other.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
foreach my $server ($source, $target) {
    foreach my $name ($server == $source ? ('fast', '"Old space"') : ('quick')) {
        my $folder = $server->basedir . '/space_' . ($name =~ s/\W//gr);
        mkdir($folder) or die "$folder: $!";
        $server->sql('postgres', "CREATE TABLESPACE $name LOCATION '$folder'");
    }
    $server->sql('postgres', 'CREATE ROLE app LOGIN');
    $server->sql('postgres', 'CREATE DATABASE app');
}
$source->sql('app', <<'SQL');
CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm VERSION '1.3';
CREATE TABLE t (id int PRIMARY KEY USING INDEX TABLESPACE fast, v text, w numeric) TABLESPACE fast;
CREATE INDEX t_v ON t (v, lower(v)) TABLESPACE "Old space";
ALTER TABLE t ALTER v SET STATISTICS 777, ALTER w SET (n_distinct = -0.5); ALTER INDEX t_v ALTER COLUMN 2 SET STATISTICS 333;
CREATE STATISTICS t_vw (dependencies) ON v, w FROM t;
CREATE TABLE p (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (10) TABLESPACE "Old space";
INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 50) i;
-- The names are in the order that is not theirs.
CREATE MATERIALIZED VIEW z_first AS SELECT id FROM t WHERE id <= 30;
CREATE VIEW m_between AS SELECT id FROM z_first WHERE id <= 20;
CREATE MATERIALIZED VIEW a_last AS SELECT count(*) AS n FROM m_between; CREATE UNIQUE INDEX ON a_last (n);
CREATE MATERIALIZED VIEW never AS SELECT 1 / (id - 1) AS x FROM t WITH NO DATA;
ALTER DATABASE app SET work_mem = '7MB'; ALTER ROLE app IN DATABASE app SET statement_timeout = '11s'; ALTER DATABASE app SET search_path = public, "Odd"; ALTER DATABASE app SET temp_tablespaces = '';
SQL

my $migration = migration($source, $target, database => 'app');
my @spaces = ('--tablespace', 'fast=quick', '--tablespace', 'Old space=');
sub spaces
{
    my ($outcome) = grep { $_->{id} eq 'tablespaces' } @{decode_json($migration->run('check', '--json', '--no-trial', @_)->{stdout})};
    return join(' ', map { $_->{object} } @{$outcome->{findings}});
}
is(spaces(), 'tablespace Old space tablespace fast', 'tablespaces that the target lacks are named');
is(spaces(@spaces), '', 'mapped ones are there');
is(spaces('--tablespace', 'fast=nowhere', $spaces[2], $spaces[3]), 'tablespace nowhere', 'and one that is not is named');
$migration->exits(2, 'copy', '--tablespace', 'fast');
$migration->ok('copy', @spaces);
is($target->sql('app', q{SELECT string_agg(concat(c.relname, ' ', s.spcname), ', ' ORDER BY c.relname) FROM pg_class c LEFT JOIN pg_tablespace s
      ON s.oid = c.reltablespace WHERE c.relname IN ('t', 't_pkey', 't_v', 'p_1')}), 'p_1 , t quick, t_pkey quick, t_v ',
    'tables and indexes are in the tablespaces that were named, the key, too');
is($target->sql('app', q{SELECT string_agg(concat(attrelid::regclass, '.', attname, ' ', attstattarget, ' ', attoptions), ', ' ORDER BY attrelid::regclass::text, attname)
      FROM pg_attribute WHERE attstattarget > 0 OR attoptions IS NOT NULL}),
    't.v 777 , t.w -1 {n_distinct=-0.5}, t_v.lower 333 ', 'statistics targets and options of columns');
is($target->sql('app', 'SELECT count(*) FROM pg_statistic_ext'), '1', 'extended statistics');
is($target->sql('app', 'SELECT (SELECT count(*) FROM z_first), (SELECT n FROM a_last)'), '30|20', 'materialized views are refreshed in the order of their needs');
is($target->sql('app', q{SELECT relispopulated FROM pg_class WHERE relname = 'never'}), 'f', 'one without contents stays so');
is($target->sql('app', q{SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension}), 'hstore pg_trgm plpgsql', 'extensions');
is($target->sql('app', q{SELECT current_setting('work_mem'), current_setting('search_path')}), '7MB|public, "Odd"', 'settings of the database');
like($target->sql('app', q{SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0}), qr/temp_tablespaces=/, 'an empty list among them');
is($target->psql('app', 'SHOW statement_timeout', connstr => $target->uri('app', user => 'app')), 0, 'a role gets in');
is($target->sql('app', q{SELECT array_to_string(setconfig, ',') FROM pg_db_role_setting WHERE setrole = 'app'::regrole}), 'statement_timeout=11s', 'and has its settings');
done_testing();
