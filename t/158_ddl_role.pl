# What runs as the role that made a statement at the source stays that role on the target, whatever a function of its own tries while
# the statement runs (the default of a column, a CHECK of a domain) or leaves behind for afterwards.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
$_->sql('postgres', 'CREATE ROLE app LOGIN') foreach $source, $target;

# Each is run by a function of the role app while a column is added to a table with rows; grab() makes the role a superuser, if it can.
my %ways = (
    'back to the role of the session' => 'RESET ROLE',
    'no role' => q{SELECT pg_catalog.set_config('role', 'none', true)},
    'the role of who logged in' => 'SET SESSION AUTHORIZATION DEFAULT',
    'the superuser by name' => 'SET ROLE postgres',
    'a function that is set to be the superuser' => 'SELECT public.as_superuser()',
    'a cursor that is read at the commit' => 'DECLARE later CURSOR WITH HOLD FOR SELECT public.grab()',
    'a trigger that fires at the commit' => 'ALTER TABLE public.deferred ENABLE ALWAYS TRIGGER grab; INSERT INTO public.deferred VALUES (1)',
    'a view in the place of a catalog' => 'CREATE TEMP VIEW pg_namespace AS SELECT n.oid, n.* FROM pg_catalog.pg_namespace n WHERE public.grab()',
    'a table in the place of a catalog' => 'CREATE TEMP TABLE pg_class AS SELECT c.* FROM pg_catalog.pg_class c',
    'statements that are prepared under our names' => 'DEALLOCATE ALL',
    'a search_path that stays' => q{SELECT pg_catalog.set_config('search_path', 'public, pg_catalog', false)},
    'a statement_timeout that stays' => q{SELECT pg_catalog.set_config('statement_timeout', '1', false)},
    'the lock of the applier' => 'SELECT pg_catalog.pg_advisory_unlock_all()',
);
my @names = sort keys %ways;
$source->sql('postgres', 'GRANT CREATE ON DATABASE postgres TO app');
$source->sql('postgres', <<'SQL');
GRANT ALL ON SCHEMA public TO app;
SET ROLE app;
CREATE FUNCTION public.grab() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
    BEGIN ALTER ROLE app SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN true; END $$;
CREATE FUNCTION public.as_superuser() RETURNS bool LANGUAGE sql AS 'SELECT public.grab()';
CREATE FUNCTION public.attempt(way text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    BEGIN EXECUTE way; PERFORM public.grab(); EXCEPTION WHEN OTHERS THEN NULL; END; RETURN 1; END $$;
CREATE FUNCTION public.grab_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.grab(); RETURN NULL; END $$;
CREATE TABLE public.deferred (id int);
CREATE CONSTRAINT TRIGGER grab AFTER INSERT ON public.deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE public.grab_row();
SQL
$source->sql('postgres', "ALTER FUNCTION as_superuser() SET role = 'postgres'");
$source->sql('postgres', "CREATE TABLE t_$_ (id int PRIMARY KEY); INSERT INTO t_$_ VALUES (1); ALTER TABLE t_$_ OWNER TO app") foreach 0 .. $#names;
my $migration = migration($source, $target, ddl => 'capture');
$migration->ok('copy');
my $applier = $migration->follow;

sub applied
{
    my ($name, $sql) = @_;
    my $result = run_program($source->installed_command('psql'), '-X', '-v', 'ON_ERROR_STOP=1', '-c', $sql, $source->uri('postgres', user => 'app'));
    is($result->{status}, 0, "$name: the source takes it") or diag($result->{stderr});
    $migration->wait_until_caught_up;
    is($target->sql('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'app'}), 'f', "$name: the role is no superuser on the target")
      or $target->sql('postgres', 'ALTER ROLE app NOSUPERUSER');
    return;
}

# At the source the event triggers read as a superuser what they have kept in settings, which the role may set.
$source->sql('postgres', 'CREATE TABLE of_others (id int PRIMARY KEY); INSERT INTO of_others VALUES (1)');
$migration->wait_until_caught_up;
my $known = q{SELECT string_agg(table_name, ',' ORDER BY table_name) FROM penstock.relation WHERE copy_state = 'copied'};
my $tables = $target->sql('postgres', $known);
my ($view, $others) = ("'public.trap'::regclass::oid::int8", "'public.of_others'::regclass::oid::int8");
my $dropped = "json_build_array(json_build_object('class', 'pg_class', 'oid', $others, 'type', 'table'))";
my @forged = (
    [ 'rewritten', "concat($view, ':2,', $others, ':2,')" ],
    [ 'dropped', "${dropped}::text" ],
    [ 'pending', "concat(repeat('0', 64), json_build_object('dropped', $dropped, 'rewritten', json_build_array(json_build_object('oid', $view, 'reason', 2, 'depth', 100),
        json_build_object('oid', $others, 'reason', 2, 'depth', 100))))" ]);
foreach my $i (0 .. $#forged) {
    my ($setting, $value) = @{ $forged[$i] };
    applied("a setting that is forged, $setting", 'CREATE OR REPLACE VIEW trap AS SELECT 1 AS x WHERE public.grab(); '
          . "SELECT set_config('penstock.ddl_$setting', $value, false); ALTER TABLE deferred SET (fillfactor = 5$i)");
}
is($source->sql('postgres', q{SELECT rolsuper FROM pg_roles WHERE rolname = 'app'}), 'f', 'the role is no superuser at the source');
is($target->sql('postgres', $known), $tables, 'and nothing happened to the tables of others');

foreach my $i (0 .. $#names) {
    my $way = $ways{ $names[$i] } =~ s/'/''/gr;
    applied($names[$i], "ALTER TABLE t_$i ADD tried int DEFAULT public.attempt('$way')");
}
is($target->sql('postgres', q{SELECT count(*) FROM pg_attribute WHERE attname = 'tried'}), scalar @names, 'all of it was applied');
is($target->sql('postgres', q{SELECT count(*) FROM penstock.ddl WHERE state <> 'applied'}), '0', 'and nothing waits');
is($target->sql('postgres', q{SELECT count(*) FROM penstock.ddl WHERE reason LIKE 'to be copied anew: public.t\\_%'}), scalar @names,
    'each table is copied anew, also where a function defined something while it was written');

note('milliseconds of a statement: ', $target->sql('postgres', q{SELECT string_agg(concat(role, ' ', m), ', ') FROM (SELECT role,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS m FROM penstock.ddl GROUP BY role) r}));

# Of what the role makes, it is the owner; what it may not, stays what it may not.
applied('a table of its own', 'CREATE SCHEMA AUTHORIZATION app');
applied('in it', 'CREATE TABLE app.made (id int PRIMARY KEY, v text); CREATE INDEX ON app.made (v); CREATE MATERIALIZED VIEW app.m AS SELECT * FROM app.made');
applied('a refresh beside readers', 'CREATE UNIQUE INDEX ON app.m (id); REFRESH MATERIALIZED VIEW CONCURRENTLY app.m');
is($target->sql('postgres', q{SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class WHERE relnamespace = 'app'::regnamespace}),
    'app', 'it owns what it made');
$target->sql('postgres', 'REVOKE ALL ON SCHEMA public FROM app, PUBLIC');
$source->sql('postgres', 'SET ROLE app; CREATE TABLE public.refused (id int)');
wait_until('the applier to stop', sub { !$applier->is_running });
like($target->sql('postgres', q{SELECT reason FROM penstock.ddl WHERE state = 'waiting'}), qr/permission denied for schema public/,
    'what the role may not do on the target, is refused, and asked about');

# Where the role of --target is no superuser, which it need not be from 15 on, it is confined all the same.
my $later = start_target('later', major => 15);
$source->sql('postgres', 'CREATE DATABASE shop OWNER app');
$source->sql('shop', <<'SQL');
ALTER SCHEMA public OWNER TO app;
CREATE SCHEMA own AUTHORIZATION app;
SET ROLE app;
CREATE TABLE own.t (id int PRIMARY KEY);
INSERT INTO own.t VALUES (1);
CREATE FUNCTION own.attempt() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    BEGIN RESET ROLE; CREATE ROLE grabbed; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN 1; END $$;
SQL
$later->sql('postgres', $_) foreach 'CREATE ROLE app LOGIN', 'CREATE ROLE mover LOGIN CREATEROLE CREATEDB', 'GRANT SET ON PARAMETER session_replication_role TO mover',
  'GRANT app TO mover', 'CREATE DATABASE shop OWNER mover';
my @ends = ('--source' => $source->uri('shop'), '--target' => $later->uri('shop', user => 'mover'), '--migration' => 'shop');
my $penstock = ($migration->command('copy'))[0];
is(run_program($penstock, 'copy', @ends, '--ddl', 'capture', '--force', '--no-trial')->{status}, 0, 'a role that is no superuser copies');
$applier = background('follow_later', $penstock, 'follow', @ends);
is(run_program($source->installed_command('psql'), '-X', '-c', 'ALTER TABLE own.t ADD tried int DEFAULT own.attempt(); CREATE TABLE own.made (id int PRIMARY KEY); INSERT INTO own.made VALUES (1)',
    $source->uri('shop', user => 'app'))->{status}, 0, 'a role defines something');
wait_until('its table to have a row', sub { !$applier->is_running || ($later->sql('shop', q{SELECT to_regclass('own.made') IS NOT NULL}) eq 't' && $later->sql('shop', 'SELECT count(*) FROM own.made') eq '1') });
ok($applier->is_running, 'the statements of its roles are applied') or diag($applier->log_tail(5));
is($later->sql('shop', q{SELECT string_agg(pg_get_userbyid(relowner), ',') FROM pg_class WHERE relname = 'made'}), 'app', 'as those roles');
is($later->sql('shop', q{SELECT count(*) FROM pg_roles WHERE rolname = 'grabbed'}), '0', 'which do not get its rights');
is($later->sql('shop', q{SELECT has_schema_privilege('app', 'penstock', 'CREATE')}), 'f', 'nor keep any in schema penstock');
is($applier->stop, 0, 'the applier ends');
done_testing();
