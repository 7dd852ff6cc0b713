# Somebody holds an old snapshot on the target (pg_dump, for an hour): nothing that was written since can be cleaned away. What a
# batch costs must not grow with what is left of all batches before it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => "autovacuum_naptime = '1s'\n");
my $migration = migration($source, $target);
$source->sql('postgres', 'CREATE TABLE a (id int PRIMARY KEY, v int)');
$migration->ok('copy', '--lanes', 4);

my $old = PenstockTest::Blocker->start($target, 'postgres', 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM penstock.lane');
# Each change is a batch, and each batch moves the lane that it is in.
my $applier = $migration->follow('--workers', 1, '--', '--batch-rows', 1);
my $changes = 1500;
$source->sql('postgres', "INSERT INTO a SELECT i, i FROM generate_series(1, $changes) AS i");
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'what happened meanwhile is there');
is($applier->stop, 0, 'the applier stops');

# Servers of 14 tell their statistics late.
my $moves = $changes;
wait_until('the statistics', sub {
    $target->sql('postgres', q{SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'penstock.lane'::regclass}) >= $moves
}, 60);
my ($moved, $met, $left) = split /\|/, $target->sql('postgres', <<'SQL');
SELECT t.n_tup_upd, sum(i.idx_tup_read), max(t.n_dead_tup) FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid)
WHERE t.schemaname = 'penstock' AND t.relname = 'lane' GROUP BY 1
SQL
note("$moved moves of a lane met $met entries of the index; $left dead rows");
cmp_ok($left, '>=', $moves, 'nothing of what lanes were could be cleaned away');
cmp_ok($met, '<', 2 * $moved, 'each move met the row that it moves, and none that it was before');
$old->end;
done_testing();
