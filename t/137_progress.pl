# A copy says how far it is while it runs: in lines, on a terminal in a block, in status, and in the state.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', <<'SQL');
CREATE TABLE first (id int PRIMARY KEY, v text);
INSERT INTO first SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i;
CREATE INDEX first_v ON first (v);
CREATE TABLE second (id int PRIMARY KEY, v text);
INSERT INTO second SELECT i, repeat('y', 500) FROM generate_series(1, 20000) i;
CREATE INDEX second_v ON second (v);
SQL
my $migration = migration($source, $target);

sub running
{
    my $document = decode_json($migration->run('status', '--json')->{stdout});
    return $document->{copy}{running};
}

# A function in an index that waits: the build is held for as long as the lock stands.
$source->sql('postgres', <<'SQL');
CREATE TABLE gate (id int PRIMARY KEY); INSERT INTO gate VALUES (1);
CREATE FUNCTION waits(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS
  $$ BEGIN PERFORM pg_advisory_lock_shared(4711); PERFORM pg_advisory_unlock_shared(4711); RETURN n; END $$;
CREATE INDEX gate_waits ON gate (waits(id));
SQL
# On the target tables are made slowly, and the last one waits.
$source->sql('postgres', join ';', map { sprintf 'CREATE TABLE p_%02d (id int PRIMARY KEY)', $_ } 1 .. 40);
$source->sql('postgres', 'CREATE TABLE zz_last (id int PRIMARY KEY)');
$target->sql('postgres', <<'SQL');
CREATE FUNCTION slows() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
  SELECT object_identity INTO name FROM pg_event_trigger_ddl_commands() LIMIT 1;
  IF name = 'public.zz_last' THEN PERFORM pg_advisory_lock_shared(4712); PERFORM pg_advisory_unlock_shared(4712);
  ELSIF name LIKE 'public.p!_%' ESCAPE '!' THEN PERFORM pg_sleep(0.08); END IF;
END $$;
CREATE EVENT TRIGGER slows ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION slows();
ALTER EVENT TRIGGER slows ENABLE ALWAYS;
SQL
my $table_gate = PenstockTest::Blocker->start($target, 'postgres', 'SELECT pg_advisory_lock(4712)');
my $gate = PenstockTest::Blocker->start($target, 'postgres', 'SELECT pg_advisory_lock(4711)');
my $copy = background('copy', $migration->command('copy', '--jobs', 1, '--force'));
my $seen;
wait_until('the last table to be waited for', sub {
    die "the copy has ended:\n" . $copy->log_tail . "\n" unless $copy->is_running;
    $seen = running();
    return $seen && $seen->{phase} eq 'schema' && $seen->{objects_done} > 0;
});
cmp_ok($seen->{objects}, '>=', 45, 'while the schema is made it is said of how many objects');
cmp_ok($seen->{objects_done}, '<', $seen->{objects}, 'how many are there');
like($migration->ok('status')->{stdout}, qr/schema: \d+ of \d+ objects, /, 'status says so');
$table_gate->end;
$target->sql('postgres', 'DROP EVENT TRIGGER slows');
wait_until('the index to be built, and all others to be done', sub {
    die "the copy has ended:\n" . $copy->log_tail . "\n" unless $copy->is_running;
    $seen = running();
    return $seen && $seen->{phase} eq 'post-data' && grep { $_->{what} =~ /gate_waits|index of gate/ } @{$seen->{work}};
});
is($seen->{tables_done}, 44, 'status --json says how many tables are done');
is($seen->{rows}, 40001, 'how many rows');
cmp_ok($seen->{bytes}, '>', 20_000_000, 'how many bytes');
cmp_ok($seen->{bytes_per_second}, '>', 0, 'how fast');
cmp_ok($seen->{share}, '>', 0.4, 'how much of the whole is done') and cmp_ok($seen->{share}, '<=', 1, 'and no more than that');
cmp_ok($seen->{objects_done}, '<', $seen->{objects}, 'an object is not made yet') and cmp_ok($seen->{objects_done}, '>', 0, 'and others are');
cmp_ok($seen->{index_bytes}, '>', 0, 'indexes that are to be made weigh something');
like($migration->ok('status')->{stdout}, qr/post-data: \d+ of \d+ objects, \d+ % of all, .*time left: /, 'status says it in words');
my $state = decode_json($target->sql('postgres', 'SELECT said FROM penstock.copy_progress'));
is($state->{phase}, 'post-data', 'and the state has it');
wait_until('a line of its own, without a terminal', sub { $copy->log_text =~ /post-data: \d+ of \d+ objects made, 44 of 44 tables, 40001 rows, .*% of all/ });
$gate->end;
is($copy->wait, 0, 'the copy ends');
ok(!running(), 'and is none that runs any more');
unlike(PostgreSQL::Test::Utils::slurp_file($target->logfile), qr/ERROR:.*copy_progress/, 'nothing is said of a migration that is not written down yet');
done_testing();
