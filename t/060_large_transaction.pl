# Transactions of a million rows arrive whole, and the applier's memory does not grow with them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

my $rows = 1_000_000;
my $memory_limit_mb = 512;

$source->sql('postgres', <<'SQL');
CREATE TABLE large (id int PRIMARY KEY, v int, t text);
CREATE TABLE large_keyless (v int);
CREATE TABLE small (id int PRIMARY KEY, v int);
SQL
$migration->ok('copy');
my $applier = $migration->follow;

# The highest resident size, in MB, of any process that the applier is made of.
sub memory_mb
{
    my $highest = 0;
    foreach my $status (glob '/proc/[0-9]*/status') {
        open(my $file, '<', $status) or next;
        my $text = do { local $/; <$file> };
        next unless defined $text && $text =~ /^Name:\s+penstock/m && $text =~ /^VmHWM:\s+(\d+)/m;
        $highest = $1 if $1 > $highest && _belongs_to($text, $applier->pid);
    }
    return $highest / 1024;
}

sub _belongs_to
{
    my ($status, $pid) = @_;
    return $status =~ /^(?:Pid|PPid):\s+$pid$/m;
}

$source->sql('postgres', "INSERT INTO large SELECT i, i % 1000, md5(i::text) FROM generate_series(1, $rows) AS i");
$source->sql('postgres', "INSERT INTO small SELECT i, i FROM generate_series(1, 100) AS i");
$migration->wait_until_caught_up(600);
same_rows($source, $target, 'postgres', "$rows inserts in one transaction");

$source->sql('postgres', <<"SQL");
BEGIN;
UPDATE large SET v = v + 1 WHERE id % 4 = 0;
DELETE FROM large WHERE id % 5 = 0;
INSERT INTO large_keyless SELECT generate_series(1, 100000);
UPDATE small SET v = -v;
COMMIT;
SQL
$migration->wait_until_caught_up(600);
same_rows($source, $target, 'postgres', 'updates, deletes and inserts of several tables in one transaction');

SKIP: {
    skip 'a sanitizer multiplies memory', 1 if $ENV{PENSTOCK_BUILD} =~ /san$/;
    my $memory = memory_mb();
    ok($memory > 0 && $memory < $memory_limit_mb, sprintf('memory: %.0f MB, allowed %d', $memory, $memory_limit_mb));
}
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
