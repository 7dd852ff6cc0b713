# Several proxies before one database, also of different kinds: all of them hold, switch and let go, or none. With clients
# that write through each.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Pgcat;
use PenstockTest::Writers;

my $source = start_source('source');
my $target = start_target('target');

# Each returns a proxy, and what asks it whether its clients are held.
sub pgbouncer
{
    my ($name, $database) = @_;
    my $proxy = start_pgbouncer($name, $database => $source);
    return {
        name   => $name,
        proxy  => $proxy,
        paused => sub { $proxy->run($proxy->admin_uri, 'SHOW DATABASES')->{stdout} =~ /^\Q$database\E\|.*\|1\|0$/m },
    };
}

sub pgcat
{
    my ($name, $database) = @_;
    my $proxy = PenstockTest::Pgcat->start_new($name, scalar PenstockTest::Pgcat::real(), $database, $source);
    return {
        name   => $name,
        proxy  => $proxy,
        paused => sub { -e $proxy->config . '.penstock-gate' },
    };
}

sub switch_behind
{
    my ($database, @kinds) = @_;
    app_database($database, $source, $target);
    my $writers = PenstockTest::Writers->new($source, $database);
    my @proxies = map { $kinds[$_]->("${database}_$_", $database) } 0 .. $#kinds;
    my %config = map { $_->{name} => slurp_file($_->{proxy}->config) } @proxies;
    my $migration = migration($source, $target, database => $database, name => $database);
    my @cutover = ($migration->cutover_words(map { $_->{proxy} } @proxies), '--yes');
    $migration->ok('copy');
    my $applier = $migration->follow;
    $migration->wait_until_caught_up;
    $writers->start("load_$_->{name}", $_->{proxy}->uri($database), '--rate=600') foreach @proxies;
    my $as_before = sub {
        my ($what) = @_;
        is(slurp_file($_->{proxy}->config), $config{$_->{name}}, "$what: the configuration of $_->{name} is as before"),
          ok(!$_->{paused}->(), "$what: $_->{name} holds nobody")
          foreach @proxies;
        $writers->go_on($source, $what);
    };
    $writers->go_on($source, 'before');

    # The last proxy cannot be held: the ones before it are let go.
    my $blocker = PenstockTest::Blocker->start($source, $database, 'SELECT', $proxies[-1]{proxy}->uri($database));
    my $result = $migration->exits(3, @cutover, '--drain-limit', '0.5');
    like($result->{stderr}, qr/pid \d+ \(app\).*pg_sleep/, 'the blocker behind the last proxy is named');
    $as_before->('after giving up');
    $blocker->end;

    # All are held, and all go back when the hold limit passes behind the fence.
    kill('STOP', $applier->pid);
    $migration->exits(3, @cutover, '--hold-limit', '1');
    kill('CONT', $applier->pid);
    $as_before->('after the hold limit');
    $migration->wait_until_caught_up;

    $migration->ok(@cutover);
    foreach my $proxy (@proxies) {
        like(slurp_file($proxy->{proxy}->config), qr/\b@{[$target->port]}\b/, "$proxy->{name} leads to the target");
        ok(!$proxy->{paused}->(), "$proxy->{name} holds nobody");
        like($proxy->{proxy}->run($proxy->{proxy}->uri($database), 'SHOW server_version')->{stdout}, qr/^14/,
            'and 14 answers through it');
    }
    $writers->go_on($target, 'after the switch');
    $writers->end_well($target);
    return;
}

subtest 'two PgBouncers' => sub { switch_behind('twice', \&pgbouncer, \&pgbouncer) };
subtest 'pgcat and PgBouncer' => sub { switch_behind('mixed', \&pgcat, \&pgbouncer) };
done_testing();
