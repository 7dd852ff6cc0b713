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

# Stops the WAL sender of the way back, and sees that the worker at the other end has nothing left to do and nothing open: an
# open transaction would keep the next slot from being made. Its pid.
sub stop_the_way_back
{
    my ($source, $target, $database) = @_;
    my $sender = $target->sql('postgres', "SELECT pid FROM pg_stat_replication WHERE application_name = 'penstock_reverse_$database'");
    my $look = sub {
        return $source->sql('postgres', "SELECT s.received_lsn || coalesce(' ' || a.backend_xid::text, '')
            FROM pg_stat_subscription s JOIN pg_stat_activity a USING (pid) WHERE s.subname = 'penstock_reverse_$database'");
    };
    wait_until('the way back to stand still', sub {
        kill('STOP', $sender) or die "cannot stop $sender: $!\n";
        my ($before, $now) = ('', $look->());
        for (my $looks = 0; $looks < 50 && ($now ne $before || $now =~ / /); $looks++) {
            ($before, $now) = ($now, $look->());
        }
        return 1 if $now eq $before && $now !~ / /;
        kill('CONT', $sender);
        return 0;
    });
    return $sender;
}

sub there_and_back
{
    my ($database, $program) = @_;
    app_database($database, $source, $target);
    my $writers = PenstockTest::Writers->new($source, $database);
    my $proxy = PenstockTest::Pgcat->start_new("proxy_$database", $program, $database, $source);
    my $config = slurp_file($proxy->config);
    my $state = $proxy->config . '.penstock-gate';
    my $migration = migration($source, $target, database => $database, name => $database);
    my @cutover = $migration->cutover_words($proxy);
    my @rollback = $migration->rollback_words($proxy);
    $migration->ok('copy');
    $migration->follow;
    $migration->wait_until_caught_up;
    $writers->start("load_$database", $proxy->uri($database), '--protocol=prepared', '--rate=600');
    $writers->go_on($source, 'before');

    $migration->ok(@cutover, '--yes');
    $writers->go_on($target, 'after the switch');
    $writers->go_on($source, 'coming back to the fenced source');
    my $switched = slurp_file($proxy->config);

    # The way back stands still, between two transactions: the hold limit passes behind the fence, and all is undone.
    my $sender = stop_the_way_back($source, $target, $database);
    my $result = $migration->exits(3, @rollback, '--yes', '--hold-limit', '2');
    kill('CONT', $sender);
    like($result->{stdout}, qr/catch up .*FAILED.*hold .* undone/s, 'the hold limit passes: undone');
    is(slurp_file($proxy->config), $switched, 'the configuration is as it was after the switch');
    ok(!-e $state, 'nothing is held');
    $writers->go_on($target, 'after giving up');

    $result = $migration->ok(@rollback, '--yes');
    like($result->{stdout}, qr/version 11 answers through the proxy/, 'the probe met the source');
    $writers->go_on($source, 'after the rollback');
    is(slurp_file($proxy->config), $config, 'the configuration is that of before the cutover, to the byte');
    ok(!-e $state, 'nothing is held');
    wait_until('all gates to end', sub { !$proxy->gates });
    $writers->end_well($source);
    return;
}

PenstockTest::Pgcat::with_each(\&there_and_back);
done_testing();
