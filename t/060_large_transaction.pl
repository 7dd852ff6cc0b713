# Transactions of a million rows arrive whole, an applier that is killed in one goes on in its middle. Many rows do not take the
# applier's memory above 256 MiB. Rows of 64 MiB may take 64 for the row, 64 for what a worker sends, and 128 for libpq's input
# buffer, whose size is a power of two, and which a fast sender fills with the next row while this one is worked on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

my $rows = 1_000_000;
my ($many_limit_mb, $fat_limit_mb) = (256, 256 + 64);

$source->sql('postgres', <<'SQL');
CREATE TABLE large (id int PRIMARY KEY, v int, t text);
CREATE TABLE large_keyless (v int);
CREATE TABLE small (id int PRIMARY KEY, v int);
CREATE TABLE fat (id int PRIMARY KEY, b bytea);
ALTER TABLE fat ALTER b SET STORAGE EXTERNAL;
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

# It is killed in the middle. What is there by then is not applied once more: the next process writes the rest alone.
sub rows_there
{
    return $target->sql('postgres', 'SELECT count(*) FROM large');
}

wait_until('a part of it to be there', sub { rows_there() > $rows / 10 }, 600);
$applier->kill9;
wait_until('the workers to be gone', sub {
    $target->sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'penstock worker%'") eq '0';
});
my $there = rows_there();
cmp_ok($there, '<', $rows, "the applier was killed in the middle, at $there rows");
$applier->start;
$migration->wait_until_caught_up(600);
wait_until('the numbers of the second process', sub {
    return $migration->applier_says("(statistics->>'rows_written')::bigint = $rows + 100 - $there") eq 't';
});
pass('the next process wrote the rest and nothing else');

$source->sql('postgres', <<"SQL");
BEGIN;
UPDATE large SET v = v + 1 WHERE id % 4 = 0;
DELETE FROM large WHERE id % 5 = 0;
INSERT INTO large_keyless SELECT generate_series(1, 100000);
UPDATE small SET v = -v;
COMMIT;
SQL
$migration->wait_until_caught_up(600);
same_rows($source, $target, 'postgres', 'the inserts, and then updates, deletes and inserts of several tables in one transaction');

sub memory_is_bounded
{
    my ($what, $limit) = @_;
  SKIP: {
        skip 'a sanitizer multiplies memory', 1 if $ENV{PENSTOCK_BUILD} =~ /san$/;
        my $memory = memory_mb();
        ok($memory > 0 && $memory < $limit,
            sprintf('%s: memory: %.0f MB, allowed %d', $what, $memory, $limit));
    }
    return;
}

memory_is_bounded('many rows', $many_limit_mb);

# Bytes that do not compress, four times 64 MiB: a frame each.
$source->sql('postgres', <<'SQL');
CREATE TEMPORARY TABLE seed AS
    SELECT string_agg(sha512(i::text::bytea), '') AS b FROM generate_series(1, 1024 * 1024) AS i;
INSERT INTO fat SELECT i, b FROM seed, generate_series(1, 4) AS i;
SQL
$migration->wait_until_caught_up(600);
my $fat = "SELECT count(*), sum(length(b)), count(DISTINCT md5(b)) FROM fat";
is($target->sql('postgres', $fat), $source->sql('postgres', $fat), 'four rows of 64 MiB are there');
memory_is_bounded('rows of 64 MiB', $fat_limit_mb);

is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
