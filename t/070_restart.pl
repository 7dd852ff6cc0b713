# The applier, the target and the source are restarted, in order and by a crash, while transactions stream. Nothing is
# lost and nothing is applied twice: pgbench_history has no key, so that a doubled insert would stay.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

is(run_program($source->installed_command('pgbench'), '--initialize', '--scale=2', '--quiet', $source->uri('postgres'))
      ->{status}, 0, 'pgbench has its tables');
$migration->ok('copy');

my $applier = $migration->follow;
my $load;

sub start_load
{
    $load = $source->pgbench('postgres', '--client=4', '--jobs=1', '--rate=400');
    return;
}

# The stream moves on under load, and the applier is the same process as before.
sub streams_on
{
    my ($when) = @_;
    my $pid = $applier->pid;
    $migration->wait_until_caught_up;
    ok($applier->is_running && $applier->pid == $pid, "$when: the stream goes on");
    return;
}

sub both_sides_are_equal
{
    my ($when) = @_;
    $load->stop;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', $when);
    start_load();
    return;
}

start_load();
streams_on('at first');

is($applier->stop, 0, 'SIGTERM ends the applier');
$applier->start;
streams_on('the applier was restarted');
is($applier->stop('INT'), 0, 'SIGINT ends the applier');
$applier->start;
streams_on('the applier was restarted again');
both_sides_are_equal('after restarts of the applier');

$target->restart;
streams_on('the target was restarted');
$target->crash_and_restart;
streams_on('the target crashed');
both_sides_are_equal('after restarts of the target');

# The load's connections end with the source; the applier's come back.
$source->restart;
$load->wait;
start_load();
streams_on('the source was restarted');
$source->crash_and_restart;
$load->wait;
start_load();
streams_on('the source crashed');
both_sides_are_equal('after restarts of the source');

$load->stop;
$migration->wait_until_caught_up;
is($source->sql('postgres', 'SELECT sum(delta) FROM pgbench_history'),
    $target->sql('postgres', 'SELECT sum(abalance) FROM pgbench_accounts'), 'the books balance across both sides');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
