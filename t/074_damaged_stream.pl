# What the source sends is damaged on its way, over the real protocol: the error says what is wrong, nothing of the frame is
# applied, nothing is confirmed, and once the way is sound again nothing is missing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Forwarder;

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE ledger (n int)');
my $migration = migration($source, $target);
$migration->ok('copy', '--lanes', 4);
my $number = 0;

# damaged(NAME, TAMPER, PATTERN): the stream, changed like that, ends with such an error.
sub damaged
{
    my ($name, $tamper, $pattern) = @_;
    my $before = $target->sql('postgres', 'SELECT count(*) FROM ledger');
    my @transactions = map { sprintf(q{BEGIN; INSERT INTO ledger VALUES (%1$d); INSERT INTO t VALUES (%1$d, repeat('x', %1$d)); COMMIT}, $_) }
      $number + 1 .. $number + 5;
    $number += 5;
    $source->sql('postgres', shift @transactions);
    my $first_end = $source->sql('postgres', 'SELECT pg_current_wal_insert_lsn()');
    $source->sql('postgres', join(';', @transactions));
    my $forwarder = PenstockTest::Forwarder->start_new($source, tamper => $tamper);
    my $applier = background('follow', program('penstock'), 'follow', '--source' => $forwarder->uri('postgres'),
        '--target' => $target->uri('postgres'), '--', '--linger', 0);
    is($applier->wait, 3, "$name: status");
    like($applier->log_text, $pattern, "$name: words");
    is($target->sql('postgres', 'SELECT count(*) FROM ledger'), $before, "$name: nothing is applied");
    is($source->sql('postgres', "SELECT confirmed_flush_lsn < '$first_end' FROM pg_replication_slots"), 't', "$name: none of it is confirmed");
    $forwarder->stop;

    $applier = $migration->follow;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', "$name, on a sound way");
    is($applier->stop, 0, "$name: the applier ends cleanly");
    return;
}

# The first message is the stream's first frame: what is damaged comes before any row.
damaged('a byte that changed', sub { my ($frame, $n) = @_; substr($frame, -3, 1) ^= "\x10" if $n == 1; return $frame }, qr/error .*frame 1: .* checksum/);
damaged('a frame cut short', sub { my ($frame, $n) = @_; return $n == 1 ? substr($frame, 0, -5) : $frame }, qr/error .*frame 1: .*wanted/);
damaged('an empty message', sub { my ($frame, $n) = @_; return $n == 1 ? '' : $frame }, qr/error .*frame 1: not a frame/);
damaged('a frame that is lost', sub { my ($frame, $n) = @_; return $n == 1 ? () : $frame }, qr/error .*frame/);
damaged('something else altogether', sub { return 'BEGIN 4711' }, qr/error .*frame 1: not a frame of penstock's wire format/);
damaged('another version of the wire format', sub {
        my ($frame, $n) = @_;
        $frame =~ s/^\x08\x01/\x08\x63/ if $n == 1;
        return $frame;
    }, qr/error .*version 99/);

done_testing();
