# What a snapshot of the source sees is a set of transactions of the stream, exactly, under load with subtransactions; and
# no LSN could say the same.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $rounds = 60;

# The longer a commit waits between its record and the moment at which others see it, the more snapshots lie between; and
# those that wait for no flush are seen at once, before others whose record lies before theirs.
my $source = start_source('source', conf => "fsync = on\ncommit_delay = 5000\ncommit_siblings = 0");
$source->sql('postgres', <<'SQL');
CREATE TABLE t (id bigint, part int);
SELECT pg_create_logical_replication_slot('slot', 'penstock');
SQL

my $script = "$PostgreSQL::Test::Utils::tmp_check/transactions.sql";
write_file($script, <<'SQL');
\set rest random(1, 3)
BEGIN;
SELECT set_config('synchronous_commit', CASE :rest WHEN 1 THEN 'off' ELSE 'on' END, true);
INSERT INTO t VALUES (txid_current(), 0);
SAVEPOINT a;
INSERT INTO t VALUES (txid_current(), 1);
SAVEPOINT b;
INSERT INTO t VALUES (txid_current(), 2);
ROLLBACK TO b;
INSERT INTO t SELECT txid_current(), i FROM generate_series(1, :rest) AS i;
COMMIT;
SQL
my $load = $source->pgbench('postgres', '--client=16', '--rate=500', "--file=$script");
wait_until('the load', sub { $source->sql('postgres', 'SELECT 1 FROM t LIMIT 1') });

# One statement has one snapshot, and reads the LSN after it was taken.
my $look = q{SELECT txid_current_snapshot(), pg_current_wal_insert_lsn(), (SELECT string_agg(DISTINCT id::text, ',') FROM t)};
my @snapshots = map { [split /\|/] } split /\n/, $source->sql('postgres', "$look; SELECT pg_sleep(0.01) \\g /dev/null\n" x $rounds);
$load->stop('ALRM');
is(scalar(@snapshots), $rounds, "$rounds snapshots under load");

# The stream: its transactions in their order, each with xid, commit LSN and the id that its rows have.
my $hex = "$PostgreSQL::Test::Utils::tmp_check/stream.hex";
write_file($hex,
    $source->sql('postgres', q{SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('slot', NULL, NULL)}) . "\n");
my $dump = run_program(program('penstock-applier'), '--dump', $hex)->{stdout};
my @stream;
foreach (split /\n/, $dump) {
    push @stream, {lsn => $1, xid => $2} if /^begin (\S+) xid (\d+)/;
    $stream[-1]{id} = $1 if /^insert .* id=(\d+)/;
}
is(scalar(grep { $_->{xid} != $_->{id} } @stream), 0, 'the stream names transactions as txid_current does');
cmp_ok(scalar(@stream), '>', $rounds, scalar(@stream) . ' transactions in the stream');

# What the library says of each snapshot and transaction.
my $questions = "$PostgreSQL::Test::Utils::tmp_check/questions";
write_file($questions, join('', map {
    my $snapshot = $_;
    ("snapshot $snapshot->[0] $snapshot->[1]\n", map { "transaction $_->{xid} $_->{lsn}\n" } @stream)
} @snapshots));
is(run_program('sh', '-c', program('snapshot_seen') . " <$questions >$questions.answered")->{status}, 0, 'all are understood');
my @answers = split /\n/, slurp_file("$questions.answered");

my ($wrong, $no_prefix) = (0, 0);
foreach my $snapshot (@snapshots) {
    my %there = map { ($_ => 1) } split /,/, $snapshot->[2] // '';
    my ($ended, $behind) = (0, 0);
    foreach my $transaction (@stream) {
        my $is_there = $there{$transaction->{id}} // 0;
        $wrong++ if shift(@answers) != $is_there;
        $behind = 1 if $ended && $is_there;
        $ended = 1 if !$is_there;
    }
    $no_prefix += $behind;
}
is($wrong, 0, 'each snapshot sees what the library says');
cmp_ok($no_prefix, '>', 0, "$no_prefix of them are no beginning of the stream, so that no LSN stands for them");

done_testing();
