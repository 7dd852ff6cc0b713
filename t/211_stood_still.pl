# A command that stood still (a host that was suspended, a network that was cut) loses its sessions, and its lock with them; somebody carries
# on with the switch, or goes back, from another host. When it wakes it finds that out and leaves everything alone: what it would
# undo is no longer its own.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;

my $source = start_source('source', conf => "fsync = off\nwal_retrieve_retry_interval = 200ms");
my $target = start_target('target', conf => 'fsync = off');
app_database('app', $source, $target);
$source->sql('app', 'CREATE TABLE kept (id int PRIMARY KEY); GRANT ALL ON kept TO app');
my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $migration = migration($source, $target, database => 'app');
my %words = (
    cutover  => [$migration->cutover_words($proxy), '--yes', '--no-helper', '--probe' => $proxy->uri('app')],
    rollback => [$migration->rollback_words($proxy), '--yes', '--no-helper', '--probe' => $proxy->uri('app')],
);
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;

my $journal = PenstockTest::Journal->new($target, 'app');

# Stops the command before that step, lets another host do $how, and wakes it: what it says then.
sub stand_still
{
    my ($operation, $step, $how) = @_;
    my $command = $journal->stand_at("$operation $step begin", $migration->command(@{ $words{$operation} }));
    kill('STOP', $command->pid);
    $_->sql('postgres', "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'penstock $operation%'") foreach $source, $target;
    $journal->go_on;
    {
        local $ENV{XDG_STATE_HOME} = "$ENV{TESTDIR}/another_host";
        $migration->ok($operation, $how);
    }
    kill('CONT', $command->pid);
    is($command->wait, 3, "$operation, $how elsewhere: the one that wakes fails");
    like($command->log_text, qr/another command has taken up this $operation since.*does nothing more/s, "$operation, $how elsewhere: and says that it does nothing more");
    unlike($command->log_text, qr/undone/, "$operation, $how elsewhere: nothing is undone");
    return;
}

# Phase, the fences of both sides, the way back's or the way there's slot, and where the proxy leads.
sub stands
{
    my $limit = q{SELECT datconnlimit FROM pg_database WHERE datname = 'app'};
    my ($leads) = slurp_file($proxy->config) =~ /^app = .*port=(\d+)/m;
    return join(' ', $target->sql('app', 'SELECT phase FROM penstock.migration'), $source->sql('postgres', $limit), $target->sql('postgres', $limit),
        $source->sql('postgres', q{SELECT count(*) FROM pg_replication_slots WHERE plugin = 'penstock'}),
        $target->sql('postgres', q{SELECT count(*) FROM pg_replication_slots}), $leads == $source->port ? 'source' : 'target');
}

stand_still('cutover', 'admit', '--undo');
is(stands(), 'copied -1 -1 1 0 source', 'undone once');
stand_still('cutover', 'open', '--resume');
is(stands(), 'switched 0 -1 0 1 target', 'the switch stands: the source is fenced, and there is a way back');
$target->sql('app', 'INSERT INTO kept VALUES (1)');
wait_until('the way back', sub { $source->sql('app', 'SELECT count(*) FROM kept') eq '1' });
stand_still('rollback', 'admit', '--resume');
is(stands(), 'copied -1 0 1 0 source', 'and so does the rollback: the target is fenced, and can be followed to');
done_testing();
