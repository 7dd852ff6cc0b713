# What the source is told to be safe is on the target's disk. The target commits asynchronously, as far as it is left to
# itself, and writes its WAL as late as it can; it dies at moments that nobody chose. Whatever was confirmed until then is
# there when it comes back, before the applier has had a chance to apply anything again; and in the end nothing is there
# twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use Time::HiRes qw(usleep);

my $rounds = 4;

my $source = start_source('source');
my $target = start_target('target', conf => <<'CONF');
synchronous_commit = off
wal_writer_delay = 10s
wal_writer_flush_after = 1GB
wal_buffers = 16MB
autovacuum = off
checkpoint_timeout = 1h
CONF
my $migration = migration($source, $target);

# Each client numbers its transactions, and each of them notes where the WAL stood: what a client did before a transaction
# was committed before that point.
$source->sql('postgres', <<'SQL');
CREATE TABLE spread (client int, n int, at pg_lsn, PRIMARY KEY (client, n));
CREATE TABLE keyless (client int, n int);
SQL
$migration->ok('copy', '--lanes', 4);
my $script = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
PostgreSQL::Test::Utils::append_to_file($script, <<'PGBENCH');
\set n :n + 1
BEGIN;
INSERT INTO spread VALUES (:client_id, :n, pg_current_wal_insert_lsn());
INSERT INTO keyless VALUES (:client_id, :n);
COMMIT;
PGBENCH

sub confirmed
{
    return $source->sql('postgres', 'SELECT confirmed_flush_lsn FROM pg_replication_slots');
}

# How many transactions of each client ended before a position.
sub ended_before
{
    my ($lsn) = @_;
    return split /\n/, $source->sql('postgres', <<"SQL");
SELECT client, count(*) FROM (SELECT client, lead(at) OVER (PARTITION BY client ORDER BY n) AS next FROM spread) AS s
WHERE next <= '$lsn' GROUP BY client ORDER BY client
SQL
}

my @settings = ('--workers', 2, '--', '--status-interval', 10, '--linger', 1);
my $load = $source->pgbench('postgres', '--client=4', '--jobs=1', '--rate=500', '--define=n=0', "--file=$script");
my $applier = $migration->follow(@settings);
my $beyond = 0;
foreach my $round (1 .. $rounds) {
    my $before = confirmed();
    wait_until('something to be confirmed', sub { confirmed() ne $before });
    usleep(rand(300_000));
    $target->stop('immediate');
    $applier->kill9;
    wait_until('the slot to be free', sub { $source->sql('postgres', 'SELECT active FROM pg_replication_slots') eq 'f' });
    my $lsn = confirmed();
    $target->start;
    my @lost;
    foreach (ended_before($lsn)) {
        my ($client, $count) = split /\|/;
        my $there = $target->sql('postgres', <<"SQL");
SELECT (SELECT count(*) FROM spread WHERE client = $client AND n <= $count)
     + (SELECT count(DISTINCT n) FROM keyless WHERE client = $client AND n <= $count)
SQL
        push @lost, "client $client: $there of $count in both tables" if $there != 2 * $count;
        $beyond += $count;
    }
    is("@lost", '', "round $round: what was confirmed is there");
    $migration->follow(@settings);
    $applier = $migration->{applier};
}
cmp_ok($beyond, '>', 0, "there was something to look at: $beyond");
$load->stop;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'nothing is lost and nothing is there twice');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
