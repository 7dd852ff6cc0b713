# The switch behind pgcat, which cannot hold its clients: they wait in the gate, and none of them notices. With the
# stand-in always, and with a real pgcat where there is one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use IO::Socket::INET;
use PenstockTest::Journal;
use PenstockTest::Pgcat;
use PenstockTest::Writers;

my $source = start_source('source', conf => "max_replication_slots = 20\nmax_wal_senders = 20\n");
my $target = start_target('target');
# One migration of a database of its own through one proxy, from the first write to the count of the last: straight, or
# with everything that can come between.
sub switch_behind
{
    my ($database, $program, $straight) = @_;
    app_database($database, $source, $target);
    my $writers = PenstockTest::Writers->new($source, $database);
    my $proxy = PenstockTest::Pgcat->start_new("proxy_$database", $program, $database, $source);
    my $migration = migration($source, $target, database => $database, name => $database);
    my @cutover = $migration->cutover_words($proxy);
    $migration->ok('copy');
    my $applier = $migration->follow;
    $migration->wait_until_caught_up;
    $writers->start("load_$database", $proxy->uri($database), '--protocol=prepared');
    my $config = slurp_file($proxy->config);
    my $state = $proxy->config . '.penstock-gate';
    my $gate = sub { return slurp_file($state) =~ /"gate": (\d+)/ ? $1 : die "$state names no gate\n" };
    my $answers = sub {
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_[0], Timeout => 1);
    };
    # A cutover that is killed in the middle of its hold, behind the fence.
    my $journal = PenstockTest::Journal->new($target, $database);
    my $kill_in_hold = sub {
        $journal->kill_behind('cutover catch up begin', $migration->command(@cutover, '--yes', '--no-reverse', '--hold-limit', '40'));
        ok($answers->($gate->()), 'the gate outlives it');
        my $before = $writers->rows($source);
        $migration->wait_until_caught_up;
        is($writers->rows($source), $before, 'the clients wait');
    };
    $writers->go_on($source, 'before');
    my $result;
    my $disturb = sub {
        # What does not allow a hold is found before anybody is held.
        PostgreSQL::Test::Utils::append_to_file($proxy->config, "[pools.$database.users.1]\nusername = \"app2\"\n"
              . "pool_size = 1\npool_mode = \"session\"\n");
        like($migration->exits(3, @cutover, '--yes')->{stderr}, qr/pool_mode in \[pools\.$database\]/,
            'a user who is pooled by session is refused');
        write_file($proxy->config, $config);

        # An open transaction: it gives up at its limit.
        my $blocker = PenstockTest::Blocker->start($source, $database, 'SELECT', $proxy->uri($database));
        $result = $migration->exits(3, @cutover, '--yes', '--drain-limit', '0.5');
        like($result->{stderr}, qr/pid \d+ \(app\).*pg_sleep/, 'the blocker is named');
        is(slurp_file($proxy->config), $config, 'the configuration is as before, to the byte');
        ok(!-e $state, 'nothing is held');
        $writers->go_on($source, 'after giving up');
        $blocker->end;

        # The applier stands still: the hold limit passes behind the fence, and all is undone.
        kill('STOP', $applier->pid);
        $migration->exits(3, @cutover, '--yes', '--no-reverse', '--hold-limit', '1');
        kill('CONT', $applier->pid);
        is(slurp_file($proxy->config), $config, 'undone: the configuration is as before');
        $writers->go_on($source, 'after the hold limit');
        $migration->wait_until_caught_up;

        # Killed in the hold, and undone from what it left behind.
        $kill_in_hold->();
        $migration->ok(@cutover, '--undo');
        is(slurp_file($proxy->config), $config, 'undone after a kill: the configuration is as before');
        $writers->go_on($source, 'after undo');
        $migration->wait_until_caught_up;

        # Killed in the hold again, and carried on with.
        $kill_in_hold->();
        $result = $migration->ok(@cutover, '--resume');
        like($result->{stdout}, qr/version 14 answers through the proxy/, 'the probe finds its way by itself');
    };
    if ($straight) {
        $result = $migration->ok(@cutover, '--yes', '--verify');
        like($result->{stdout}, qr/1 tables?, \d+ rows: 0 different/, 'the switch point is equal on both sides');
        like($result->{stdout}, qr/version 14 answers through the proxy/, 'the probe went through the proxy');
    } else {
        $disturb->();
    }
    is($target->sql($database, 'SELECT phase FROM penstock.migration'), 'switched', 'it is switched');
    $writers->go_on($target, 'after the switch');
    like(slurp_file($proxy->config), qr/\["127.0.0.1", @{[$target->port]}, "primary"\], # the source/,
        'only host and port have changed');
    is(slurp_file($proxy->config . '.penstock-before'), $config, 'the old configuration is kept');
    ok(!-e $state, 'nothing is held');
    wait_until('the gate to end', sub { !$proxy->gates });

    $writers->end_well($target);
    $applier->stop;
    return;
}

sub subtests
{
    my ($name, $program) = @_;
    subtest 'straight' => sub { switch_behind("${name}_straight", $program, 1) };
    subtest 'with what can come between' => sub { switch_behind("${name}_disturbed", $program, 0) };
    return;
}

PenstockTest::Pgcat::with_each(\&subtests);
done_testing();
