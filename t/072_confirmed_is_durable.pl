# What has been confirmed to the source is durable on the target, also where the target commits asynchronously by itself: it
# is stopped as by a power cut right after the source was told, and everything that the source may forget must be there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

# A commit that is not waited for stays in memory for ten seconds.
my $source = start_source('source');
my $target = start_target('target', conf => <<'CONF');
synchronous_commit = off
wal_writer_delay = 10s
wal_writer_flush_after = 1GB
wal_buffers = 64MB
CONF
my $migration = migration($source, $target);
$source->sql('postgres', 'CREATE TABLE numbers (n int); CREATE TABLE keyed (id int PRIMARY KEY, v int)');
$migration->ok('copy', '--lanes', 4);

sub confirmed_past
{
    my ($lsn) = @_;
    return $source->sql('postgres', "SELECT confirmed_flush_lsn >= '$lsn' FROM pg_replication_slots WHERE slot_name LIKE 'penstock%'") eq 't';
}

# The target by itself does lose what nobody has waited for, so that this test can fail.
my $lost;
foreach my $try (1 .. 5) {
    $target->sql('postgres', "CREATE TABLE careless_$try (n int)");
    $target->crash_and_restart;
    $lost = $target->sql('postgres', "SELECT to_regclass('careless_$try') IS NULL") eq 't';
    last if $lost;
}
ok($lost, 'the target loses commits that nobody waits for');

my $applier = $migration->follow('--workers', 2, '--', '--status-interval', 10, '--linger', 0);
my $number = 0;
foreach my $round (1 .. 5) {
    my $first = $number + 1;
    my $sql = '';
    foreach (1 .. 20) {
        $number++;
        $sql .= "BEGIN; INSERT INTO numbers VALUES ($number); INSERT INTO keyed VALUES ($number, $number); COMMIT;\n";
    }
    $source->sql('postgres', $sql);
    my $mark = $source->sql('postgres', 'SELECT pg_current_wal_insert_lsn()');
    wait_until('the source to be told', sub { confirmed_past($mark) });
    $target->stop('immediate');
    $applier->kill9;
    $target->start;
    is($target->sql('postgres', "SELECT count(*), (SELECT count(*) FROM keyed WHERE id >= $first) FROM numbers WHERE n >= $first"), '20|20',
        "round $round: what was confirmed is there");
    $applier->start;
}
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'at the end');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
