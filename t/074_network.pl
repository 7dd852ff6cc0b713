# A network that is cut in the kernel, while a load runs: no end of a connection is told, packets vanish. The applier notices
# within its own limits or those of TCP, goes on when the network is back, also where the servers have not noticed and still keep
# what it had (its slot, its locks, transactions whose commit nobody heard of); nothing is lost, nothing is there twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest::Network;
use PenstockTest;

# Servers that never look for themselves whether anybody is still there.
my $source = start_source('source', conf => "listen_addresses = '*'\nwal_sender_timeout = 0\n");
my $target = start_target('target', conf => "listen_addresses = '*'\n");
my $migration = migration($source, $target);
$source->sql('postgres', <<'SQL');
CREATE TABLE spread (id bigserial PRIMARY KEY, v int);
CREATE TABLE keyless (id bigint, v int);
CREATE TABLE counter (id int PRIMARY KEY, v int);
INSERT INTO counter SELECT i, 0 FROM generate_series(1, 8) AS i;
SQL
$migration->ok('copy', '--lanes', 4);

my $network = PenstockTest::Network->start_new;
my ($to_source, $to_target) = map { $network->cable($_) } $source, $target;

# A row that is applied twice shows: as a duplicate, as a row too many, as a count that is too high.
my $script = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
PostgreSQL::Test::Utils::append_to_file($script, <<'PGBENCH');
\set n random(1, 8)
WITH i AS (INSERT INTO spread (v) VALUES (:n) RETURNING *) INSERT INTO keyless SELECT * FROM i;
UPDATE counter SET v = v + 1 WHERE id = :n;
PGBENCH

sub follow
{
    my ($settings, @options) = @_;
    my @words = ('--source' => $to_source->uri('postgres', @{$settings}), '--target' => $to_target->uri('postgres', @{$settings}));
    $migration->{applier} = background('follow', $network->far_side(program('penstock'), 'follow', @words, '--', @options));
    return $migration->{applier};
}

sub rows_there
{
    return $target->sql('postgres', 'SELECT count(*) FROM keyless');
}

sub moves_on
{
    my ($rows) = (rows_there());
    wait_until('more rows', sub { rows_there() > $rows });
    return;
}

# survives(NAME, APPLIER, CABLE, HOW it is cut, PATTERN of the warning)
sub survives
{
    my ($name, $applier, $cable, $how, $pattern) = @_;
    my $load = $source->pgbench('postgres', '--client=2', '--rate=200', '--file', $script);
    moves_on();
    my $told = length $applier->log_text;
    $cable->$how;
    wait_until("the applier to notice: $name", sub { substr($applier->log_text, $told) =~ $pattern });
    wait_until('a try that fails, too', sub { substr($applier->log_text, $told) =~ /trying again.*trying again/s });
    $cable->mend;
    moves_on();
    $load->stop;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', $name);
    return;
}

subtest 'noticed by TCP' => sub {
    my $timed_out = qr/timed out|timeout expired/;
    my $applier = follow([qw(tcp_user_timeout=1500 keepalives_idle=1 keepalives_interval=1 keepalives_count=2)], '--timeout' => 0);
    survives('the source is cut off', $applier, $to_source, 'cut', qr/source.*$timed_out/);
    survives("the target's answers are lost", $applier, $to_target, 'cut_answers', qr/target.*$timed_out/);
    is($applier->stop, 0, 'the applier ends cleanly');
};

subtest 'noticed by the applier itself' => sub {
    my $applier = follow([], '--timeout' => 2);
    survives("the source's answers are lost", $applier, $to_source, 'cut_answers', qr/the source has not answered for 2 s/);
    survives('the target is cut off', $applier, $to_target, 'cut', qr/the target has not answered for 2 s/);
    is($applier->stop, 0, 'the applier ends cleanly');
};

# The servers are never told that the first connections are dead: they keep the slot, the locks and open transactions until
# the applier ends their sessions.
subtest 'another way to the servers' => sub {
    my ($source_too, $target_too) = map { $network->cable($_) } $source, $target;
    my $two_ways = sub { return $_[0]->uri('postgres') =~ s/@[^\/]+/'@' . $_[0]->place . ',' . $_[1]->place/er };
    $migration->{applier} = my $applier = background('follow', $network->far_side(program('penstock'), 'follow',
        '--source' => $two_ways->($to_source, $source_too), '--target' => $two_ways->($to_target, $target_too), '--', '--timeout' => 2));
    my $load = $source->pgbench('postgres', '--client=2', '--rate=200', '--file', $script);
    moves_on();
    my $reader = $source->sql('postgres', 'SELECT active_pid FROM pg_replication_slots');
    $to_source->unplug;
    wait_until('another reader of the slot', sub { $source->sql('postgres', "SELECT active_pid <> $reader FROM pg_replication_slots") eq 't' });
    moves_on();
    my $locker = $target->sql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'penstock applier'});
    $to_target->unplug;
    wait_until('another holder of the lock', sub {
        $target->sql('postgres', "SELECT pid <> $locker FROM pg_stat_activity WHERE application_name = 'penstock applier'") eq 't' });
    moves_on();
    $load->stop;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', 'nothing lost, nothing twice');
    is($applier->stop, 0, 'the applier ends cleanly');
};

done_testing();
