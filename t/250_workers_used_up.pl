# max_worker_processes used up at the source: the way back could not stream. The preflight says so with nobody held; and when the last
# one goes between the preflight and the release, what was switched stays switched, its changes are kept, and once there is a worker
# again the switch is brought to its end, and there is a way back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;

# One is the launcher's.
my $source = start_source('source', conf => "fsync = off\nmax_worker_processes = 2\nwal_retrieve_retry_interval = 200ms");
my $target = start_target('target', conf => 'fsync = off');
app_database('app', $source, $target);
$source->sql('app', 'CREATE TABLE kept (id int PRIMARY KEY)');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
my $applier = $migration->follow;
$migration->wait_until_caught_up;
my $journal = PenstockTest::Journal->new($target, 'app');
my @cutover = ('cutover', '--proxy' => 'none', '--yes');

# Somebody else's subscription has the other.
$_->sql('postgres', 'CREATE DATABASE beside') foreach $source, $target;
$_->sql('beside', 'CREATE TABLE their (n int)') foreach $source, $target;
$target->sql('beside', 'CREATE PUBLICATION their FOR TABLE their');

sub take_the_last
{
    my $from = $target->uri('beside');
    $source->sql('beside', "CREATE SUBSCRIPTION their CONNECTION '$from' PUBLICATION their WITH (copy_data = false)");
    wait_until('their worker', sub { $source->sql('postgres', q{SELECT count(*) FROM pg_stat_subscription WHERE subname = 'their' AND pid IS NOT NULL}) });
    return;
}

sub give_it_back
{
    $source->sql('beside', 'DROP SUBSCRIPTION their');
    return;
}

take_the_last();
my $refused = $migration->exits(3, @cutover);
like($refused->{stderr}, qr/the way back: the source can start no more background workers: raise max_worker_processes/, 'the preflight refuses');
like($refused->{stderr}, qr/ALTER SYSTEM SET max_worker_processes = \d+/, 'with the statement that mends it');
is($target->sql('app', q{SELECT count(*) FROM penstock.journal WHERE operation = 'cutover' AND step IN ('publish', 'hold', 'fence')}), 0,
    'before anything is made, or anybody held');
is($source->sql('app', 'SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE datname = current_database()')
      . $source->sql('postgres', q{SELECT datconnlimit FROM pg_database WHERE datname = 'app'}), '0-1', 'the source is as it was');
give_it_back();

# The last one goes when the checks are behind.
my $command = $journal->stand_at('cutover release begin', $migration->command(@cutover));
take_the_last();
$journal->go_on;
is($command->wait, 3, 'the way back does not stream');
like($command->log_text, qr/the subscription on the source does not stream: the source can start no more background workers.*ALTER SYSTEM SET max_worker_processes.*The target keeps/s, 'it is said')
  or diag($command->log_tail(20));
$target->sql('app', 'INSERT INTO kept VALUES (1)');
like($migration->run('cutover', '--resume', '--yes')->{stderr}, qr/does not stream/, 'and as long as it does not');
give_it_back();
$migration->ok('cutover', '--resume', '--yes');
$migration->ok('rollback', '--proxy' => 'none', '--yes');
is($source->sql('app', 'SELECT count(*) FROM kept'), 1, 'what was written meanwhile is there');
done_testing();
