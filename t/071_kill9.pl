# Whatever is killed without warning, and whenever: the next start goes on where the target says it was.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

is(run_program($source->installed_command('pgbench'), '--initialize', '--scale=1', '--quiet', $source->uri('postgres'))
      ->{status}, 0, 'pgbench has its tables');
$source->sql('postgres', 'CREATE TABLE bulk (id int PRIMARY KEY, v int); CREATE TABLE keyless (v int)');
$migration->ok('copy');

my $applier = $migration->follow;
my $load = $source->pgbench('postgres', '--client=4', '--jobs=1', '--rate=400');

# Waits until something has been applied since the last look, so that each kill falls into work.
sub something_is_applied
{
    my $before = $migration->applier_says('low_water_lsn');
    wait_until('the applier to move on', sub {
        die "the applier has ended with status " . $applier->status . "\n" unless $applier->is_running;
        return $migration->applier_says('low_water_lsn') ne $before;
    });
    return;
}

sub both_sides_are_equal
{
    my ($when) = @_;
    $load->stop;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', $when);
    $load->start;
    return;
}

$migration->wait_until_caught_up;
foreach my $round (1 .. 5) {
    something_is_applied();
    $applier->kill9;
    $applier->start;
}
both_sides_are_equal('the applier was killed five times');

# A large transaction is half applied when the applier dies.
$source->sql('postgres', <<'SQL');
BEGIN;
INSERT INTO bulk SELECT i, i FROM generate_series(1, 200000) AS i;
INSERT INTO keyless SELECT i FROM generate_series(1, 100000) AS i;
UPDATE bulk SET v = v + 1 WHERE id % 2 = 0;
COMMIT;
SQL
wait_until('some of the rows to be there', sub { $target->sql('postgres', 'SELECT count(*) FROM bulk') > 0 });
$applier->kill9;
$applier->start;
both_sides_are_equal('the applier was killed inside a large transaction');

foreach my $round (1 .. 3) {
    something_is_applied();
    $applier->kill9;
    $target->crash_and_restart;
    $applier->start;
}
both_sides_are_equal('the applier and the target were killed together');

something_is_applied();
$source->crash_and_restart;
$target->crash_and_restart;
$load->wait;
$load->start;
both_sides_are_equal('both servers were killed together');

$load->stop;
$migration->wait_until_caught_up;
is($source->sql('postgres', 'SELECT sum(delta) FROM pgbench_history'),
    $target->sql('postgres', 'SELECT sum(abalance) FROM pgbench_accounts'), 'the books balance across both sides');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
