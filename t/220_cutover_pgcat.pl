# The switch behind pgcat, which cannot hold its clients: they wait in the gate, and none of them notices. With the
# stand-in always, and with a real pgcat where there is one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use IO::Socket::INET;
use PenstockTest::Pgcat;

my $source = start_source('source', conf => "max_replication_slots = 20\nmax_wal_senders = 20\n");
my $target = start_target('target');
$source->sql('postgres', q{CREATE ROLE app LOGIN PASSWORD 'app'});
$target->sql('postgres', q{CREATE ROLE app LOGIN PASSWORD 'app'});

my $script = "$PostgreSQL::Test::Utils::tmp_check/write_pgcat.sql";
unlink($script);
PostgreSQL::Test::Utils::append_to_file($script,
    "\\set n random(1, 1000000)\nINSERT INTO written (client, n) VALUES (:client_id, :n);\n");

sub slurp { return PostgreSQL::Test::Utils::slurp_file($_[0]) }

# One migration of a database of its own through one proxy, from the first write to the count of the last: straight, or
# with everything that can come between.
sub switch_behind
{
    my ($database, $program, $straight) = @_;
    foreach my $server ($source, $target) {
        $server->sql('postgres', "CREATE DATABASE $database");
    }
    $source->sql($database, <<'SQL');
CREATE TABLE written (id bigserial PRIMARY KEY, client int, n int);
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
SQL
    my $proxy = PenstockTest::Pgcat->start_new("proxy_$database", $program, $database, $source);
    my @cutover = ('cutover', '--proxy', 'pgcat:' . $proxy->admin_uri . ',config=' . $proxy->config,
        '--target-address', '127.0.0.1:' . $target->port, '--max-lag', '1000000000');
    my $migration = migration($source, $target, database => $database, name => $database);
    $migration->ok('copy');
    my $applier = $migration->follow;
    $migration->wait_until_caught_up;

    # Twelve clients, a row in each transaction; pgbench says at its end how many were acknowledged.
    my $load = background('load', $source->installed_command('pgbench'), '--no-vacuum', '--time=3600', '--client=12',
        '--jobs=2', '--protocol=prepared', "--file=$script", $proxy->uri($database));
    my $rows = sub { return $_[0]->sql($database, 'SELECT count(*) FROM written') };
    my $writes_go_on = sub {
        my ($server, $what) = @_;
        my $before = $rows->($server);
        wait_until("$what: more rows", sub { $rows->($server) > $before + 100 });
        ok($load->is_running, "$what: the clients are still at work");
    };
    my $config = slurp($proxy->config);
    my $state = $proxy->config . '.penstock-gate';
    my $gate = sub { return slurp($state) =~ /"gate": (\d+)/ ? $1 : die "$state names no gate\n" };
    my $answers = sub {
        return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_[0], Timeout => 1);
    };
    # A cutover that waits for the applier behind the fence, killed there.
    my $kill_in_hold = sub {
        kill('STOP', $applier->pid);
        my $killed = background('killed', $migration->command(@cutover, '--yes', '--hold-limit', '40'));
        wait_until('the cutover to wait for the applier', sub {
            !$killed->is_running || $target->sql($database, q{SELECT step || event FROM penstock.journal
                WHERE operation = 'cutover' ORDER BY id DESC LIMIT 1}) eq 'catch upbegin' });
        ok($killed->is_running, 'the cutover is in the middle of its hold');
        $killed->kill9;
        ok($answers->($gate->()), 'the gate outlives it');
        my $before = $rows->($source);
        kill('CONT', $applier->pid);
        $migration->wait_until_caught_up;
        is($rows->($source), $before, 'the clients wait');
    };
    $writes_go_on->($source, 'before');
    my $result;
    my $disturb = sub {
        # What does not allow a hold is found before anybody is held.
        PostgreSQL::Test::Utils::append_to_file($proxy->config, "[pools.$database.users.1]\nusername = \"app2\"\n"
              . "pool_size = 1\npool_mode = \"session\"\n");
        like($migration->exits(3, @cutover, '--yes')->{stderr}, qr/pool_mode in \[pools\.$database\]/,
            'a user who is pooled by session is refused');
        open(my $file, '>', $proxy->config) or die "$!\n";
        print $file $config;
        close($file);

        # An open transaction: it gives up at its limit.
        my $blocker = background('blocker', $source->installed_command('psql'), '-X', '-d', $proxy->uri($database),
            '-c', q{BEGIN; SELECT pg_sleep(3600)});
        my $sleeping = q{FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND state = 'active'
            AND pid <> pg_backend_pid()};
        wait_until('the blocker', sub { $source->sql($database, "SELECT count(*) $sleeping") == 1 });
        $result = $migration->exits(3, @cutover, '--yes', '--drain-limit', '0.5');
        like($result->{stderr}, qr/pid \d+ \(app\).*pg_sleep/, 'the blocker is named');
        is(slurp($proxy->config), $config, 'the configuration is as before, to the byte');
        ok(!-e $state, 'nothing is held');
        $writes_go_on->($source, 'after giving up');
        $source->sql($database, "SELECT pg_terminate_backend(pid) $sleeping");
        $blocker->wait;

        # The applier stands still: the hold limit passes behind the fence, and all is undone.
        kill('STOP', $applier->pid);
        $migration->exits(3, @cutover, '--yes', '--hold-limit', '1');
        kill('CONT', $applier->pid);
        is(slurp($proxy->config), $config, 'undone: the configuration is as before');
        $writes_go_on->($source, 'after the hold limit');
        $migration->wait_until_caught_up;

        # Killed in the hold, and undone from what it left behind.
        $kill_in_hold->();
        $migration->ok(@cutover, '--undo');
        is(slurp($proxy->config), $config, 'undone after a kill: the configuration is as before');
        $writes_go_on->($source, 'after undo');
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
    $writes_go_on->($target, 'after the switch');
    like(slurp($proxy->config), qr/\["127.0.0.1", @{[$target->port]}, "primary"\], # the source/,
        'only host and port have changed');
    is(slurp($proxy->config . '.penstock-before'), $config, 'the old configuration is kept');
    ok(!-e $state, 'nothing is held');
    wait_until('the gate to end', sub { !$proxy->gates });

    is($load->stop('ALRM'), 0, 'the clients end well');
    my ($acknowledged) = $load->log_text =~ /number of transactions actually processed: (\d+)/;
    my ($failed) = $load->log_text =~ /number of failed transactions: (\d+)/;
    is($failed, 0, 'no client saw an error');
    unlike($load->log_text, qr/aborted|ERROR|FATAL/, 'no client was disconnected');
    is($rows->($target), $acknowledged, 'every acknowledged row is there, and no other');
    is($rows->($target), $target->sql($database, 'SELECT count(DISTINCT id) FROM written'), 'none is doubled');
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

subtest 'stand-in' => sub { subtests('stand_in', undef) };
subtest 'real pgcat' => sub {
    my $program = PenstockTest::Pgcat::real();
    plan skip_all => 'no pgcat: set PGCAT, or put it in PATH' unless defined $program;
    subtests('real', $program);
};
done_testing();
