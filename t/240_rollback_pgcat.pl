# There and back again behind pgcat while clients write: none of them sees an error, and what they wrote on the target is
# on the source afterwards. With the stand-in always, and with a real pgcat where there is one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Pgcat;
use PenstockTest::Writers;

my $source = start_source('source');
my $target = start_target('target');
$_->sql('postgres', q{CREATE ROLE app LOGIN PASSWORD 'app'}) foreach $source, $target;

sub slurp { return PostgreSQL::Test::Utils::slurp_file($_[0]) }

sub there_and_back
{
    my ($database, $program) = @_;
    $_->sql('postgres', "CREATE DATABASE $database") foreach $source, $target;
    my $writers = PenstockTest::Writers->new($source, $database);
    my $proxy = PenstockTest::Pgcat->start_new("proxy_$database", $program, $database, $source);
    my $config = slurp($proxy->config);
    my $state = $proxy->config . '.penstock-gate';
    my @proxy = ('--proxy', 'pgcat:' . $proxy->admin_uri . ',config=' . $proxy->config, '--max-lag', '1000000000');
    my @cutover = ('cutover', @proxy, '--target-address', '127.0.0.1:' . $target->port);
    my @rollback = ('rollback', @proxy, '--source-address', '127.0.0.1:' . $source->port);
    my $migration = migration($source, $target, database => $database, name => $database);
    $migration->ok('copy');
    $migration->follow;
    $migration->wait_until_caught_up;
    $writers->start("load_$database", $proxy->uri($database), '--protocol=prepared');
    $writers->go_on($source, 'before');

    $migration->ok(@cutover, '--yes');
    $writers->go_on($target, 'after the switch');
    $writers->go_on($source, 'coming back to the fenced source');
    my $switched = slurp($proxy->config);

    # The worker of the way back waits for a lock: the hold limit passes behind the fence, and all is undone.
    my $lock = background('lock', $source->installed_command('psql'), '-X', '-d', $source->uri($database),
        '-c', 'BEGIN; LOCK TABLE written; SELECT pg_sleep(3600)');
    wait_until('the worker to wait for the lock', sub {
        $source->sql($database, q{SELECT count(*) FROM pg_locks WHERE NOT granted
            AND pid IN (SELECT pid FROM pg_stat_subscription)}) >= 1 });
    my $result = $migration->exits(3, @rollback, '--yes', '--hold-limit', '2');
    like($result->{stdout}, qr/catch up .*FAILED.*fence .* undone.*hold .* undone/s, 'the hold limit passes: undone');
    is(slurp($proxy->config), $switched, 'the configuration is as it was after the switch');
    ok(!-e $state, 'nothing is held');
    $writers->go_on($target, 'after giving up');
    $source->sql($database, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()});
    $lock->wait;

    $result = $migration->ok(@rollback, '--yes');
    like($result->{stdout}, qr/version 11 answers through the proxy/, 'the probe met the source');
    $writers->go_on($source, 'after the rollback');
    is(slurp($proxy->config), $config, 'the configuration is that of before the cutover, to the byte');
    ok(!-e $state, 'nothing is held');
    wait_until('all gates to end', sub { !$proxy->gates });
    $writers->end_well($source);
    return;
}

subtest 'stand-in' => sub { there_and_back('stand_in', undef) };
subtest 'real pgcat' => sub {
    my $program = PenstockTest::Pgcat::real();
    plan skip_all => 'no pgcat: set PGCAT, or put it in PATH' unless defined $program;
    there_and_back('real', $program);
};
done_testing();
