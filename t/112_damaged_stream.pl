# What the source sends is believed only when it fits together: anything damaged on its way ends the applier with an error
# that says what, where and what to do; nothing of the damaged transaction is applied or confirmed, and the next start goes
# on as if nothing had been. A connection that is cut in the middle of a message is made anew without a word from people.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Meddler qw(open_frame close_frame);

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
$source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text)');
$migration->ok('copy');

my $last_id = 0;

# Four transactions, the third of them in several frames. Returns the positions before the first, behind it and behind the
# second.
sub transactions
{
    my ($first, $second, $large, $last) = map { $last_id + $_ } 1, 2, 3, 10_000;
    $last_id = $last;
    return split /\n/, $source->sql('postgres', <<"SQL");
CHECKPOINT;    -- else each run would read all WAL from the test's beginning
SELECT pg_current_wal_insert_lsn();
INSERT INTO t VALUES ($first, 'first');
SELECT pg_current_wal_insert_lsn();
INSERT INTO t VALUES ($second, 'second');
SELECT pg_current_wal_insert_lsn();
INSERT INTO t SELECT i, md5(i::text) || repeat('x', 350) FROM generate_series($large, $large + 2200) AS i;
INSERT INTO t VALUES ($last, 'last');
SQL
}

sub rows
{
    my ($server) = @_;
    return $server->sql('postgres', 'SELECT count(*) FROM t');
}

# Without turns in the source, so that it is known which frame holds what.
sub applier_through
{
    my ($meddler) = @_;
    return background('follow', program('penstock'), 'follow', '--source', $meddler->uri('postgres'), '--target',
        $target->uri('postgres'), '--', '--source-read-ahead', 0);
}

# The next start finds what it needs.
sub goes_on
{
    $migration->ok('follow', '--', '--until', $source->sql('postgres', 'SELECT pg_current_wal_insert_lsn()'));
    is(rows($target), rows($source), 'the next start applies everything');
    return;
}

# stops(NAME, WHOLE, PATTERN, MEDDLE, OPTIONS of the meddler …): WHOLE is how many transactions stand before what is spoiled.
sub stops
{
    my ($name, $whole, $pattern, $meddle, %options) = @_;
    my $rows = rows($target);
    my @behind = transactions();
    my $meddler = PenstockTest::Meddler->start_new($source, $meddle, %options);
    my $applier = applier_through($meddler);
    subtest $name => sub {
        is($applier->wait, 3, 'the applier ends with status 3');
        like($applier->log_text, $pattern, 'it says what and where');
        like($applier->log_text, qr/ hint .+/, 'and what to do');
        is($migration->applier_says('state'), 'failed', 'the state on the target');
        is($source->sql('postgres', "SELECT confirmed_flush_lsn <= '$behind[$whole]' FROM pg_replication_slots"), 't',
            'nothing of it is confirmed');
        cmp_ok(rows($target) - $rows, '<=', $whole + ($whole == 2 ? 1200 : 0), 'nothing of it is applied');
        $meddler->stop;
        goes_on();
    };
    return;
}

# The frames of each run: 1 hello, 2 the first transaction, 3 the second, 4 to 7 the large one, 8 the last.

# A meddler that puts what the code makes of a frame in its place.
sub instead_of
{
    my ($wanted, $code) = @_;
    return sub {
        my ($number, $data) = @_;
        return $number == $wanted ? $code->($data, $number) : $data;
    };
}

# The same with the frame's records taken apart.
sub records_of
{
    my ($wanted, $code) = @_;
    return instead_of($wanted, sub {
        my $frame = open_frame(@_);
        $code->($frame);
        return close_frame($frame);
    });
}

sub flip
{
    my ($data, $at) = @_;
    substr($data, $at, 1) ^= "\x10";
    return $data;
}

# Two frames in the other order.
sub swap
{
    my ($first, $second) = @_;
    my $kept;
    return sub {
        my ($number, $data) = @_;
        return $number == $second ? ($data, $kept) : $data if $number != $first;
        $kept = $data;
        return;
    };
}

subtest 'a single frame' => sub {
    stops('cut', 0, qr/error .*frame 2: .*(?:bytes|ends)/, instead_of(2, sub { substr($_[0], 0, -5) }));
    stops('a bit turned over', 1, qr/error .*frame 3: the payload of \d+ bytes has checksum [0-9a-f]{8}, but/,
        instead_of(3, sub { flip($_[0], -10) }));
    stops('a bit turned over in a large transaction', 2, qr/error .*frame 5, transaction [0-9A-F]+\/[0-9A-F]+: the payload/,
        instead_of(5, sub { flip($_[0], 1000) }));
    stops('empty', 0, qr/error .*frame 2: the payload of 0 bytes/, instead_of(2, sub { substr($_[0], 0, 25) }));
    stops('no message of the protocol', 0, qr/error .*\b9 bytes that starts with byte 122/, instead_of(2, sub { 'zzzzzzzzz' }));
    stops('too short for a message', 0, qr/error .*\b9 bytes that starts with byte 119/, instead_of(2, sub { substr($_[0], 0, 9) }));
};

subtest 'versions' => sub {
    stops('a newer decoder', 0, qr/error .*frame 1: the decoder writes wire version 3, .*reads version 2: upgrade penstock on the migration host/,
        records_of(1, sub { $_[0]{version} = 3 }), plain => 1);
    stops('no frame of ours', 0, qr/error .*frame 1: not a frame of penstock's wire format/,
        instead_of(1, sub { substr($_[0], 0, 25) . "table public.t: INSERT: id[integer]:1" }));
    stops('a version that the decoder does not write', 0, qr/error .*wire_version.*\n.*upgrade/i, sub { $_[1] },
        words => sub { $_[0] =~ s/"wire_version" '2'/"wire_version" '3'/r });
};

subtest 'records' => sub {
    stops('no hello', 0, qr/error .*frame 1: .*begin cannot stand before hello/, sub {
        my ($number, $data) = @_;
        return if $number == 1;
        return $data if $number > 2;
        my $frame = open_frame($data, 1);
        $frame->{version} = 2;
        return close_frame($frame);
    }, plain => 1);
    stops('a second hello', 0, qr/error .*frame 2: .*starts again/, do {
        my $hello;
        sub { $hello = $_[1] if $_[0] == 1; return $_[0] == 2 ? $hello : $_[1] }
    }, plain => 1);
    stops('no begin', 0, qr/error .*frame 2: .*cannot stand between transactions/,
        records_of(2, sub { shift @{$_[0]{records}} }), plain => 1);
    stops('no relation', 0, qr/error .*frame 2, transaction .*: relation \d+ has not been described/,
        records_of(2, sub { splice(@{$_[0]{records}}, 1, 1) }), plain => 1);
    stops('no rows', 0, qr/error .*frame 2, transaction .*: commit counts 1 changes, 0 were there/,
        records_of(2, sub { splice(@{$_[0]{records}}, 2, 1) }), plain => 1);
    stops('no commit', 0, qr/error .*frame 2, transaction .*: a transaction is open at the end/,
        records_of(2, sub { pop @{$_[0]{records}} }), plain => 1);
    stops('another value', 0, qr/error .*frame 2, transaction .*: the transaction has checksum/,
        records_of(2, sub { $_[0]{records}[2][1] =~ s/first/worst/ }), plain => 1);
};

# A frame is refused for not being the one that follows, whatever is in it.
subtest 'the order of frames' => sub {
    my $says = qr/: the payload of \d+ bytes has checksum [0-9a-f]{8}, but/;
    stops('a frame lost in a transaction', 2, qr/error .*frame 5, transaction .*$says/, instead_of(5, sub { () }));
    stops('frames swapped', 2, qr/error .*frame 5, transaction .*$says/, swap(5, 6));
    stops('a transaction lost', 1, qr/error .*frame 3$says/, instead_of(3, sub { () }));
    stops('a transaction twice', 2, qr/error .*frame 4$says/, instead_of(3, sub { ($_[0], $_[0]) }));
    stops('transactions swapped', 0, qr/error .*frame 2$says/, swap(2, 3));
    stops('transactions swapped, without compression', 0, qr/error .*frame 2$says/, swap(2, 3), plain => 1);
};

subtest 'a connection cut in the middle of a message' => sub {
    my $mark = PostgreSQL::Test::Utils::tempdir() . '/cut';
    my @behind = transactions();
    my $meddler = PenstockTest::Meddler->start_new($source, sub {
        my ($number, $data) = @_;
        return $data if $number != 5 || -e $mark;
        PostgreSQL::Test::Utils::append_to_file($mark, 'done');
        return \('d' . pack('N', 4 + length $data) . substr($data, 0, length($data) / 2));
    });
    $migration->{applier} = applier_through($meddler);
    $migration->wait_until_caught_up;
    ok(-e $mark, 'it was cut');
    like($migration->{applier}->log_text, qr/warning .*trying again/, 'the applier says so');
    same_rows($source, $target, 'postgres', 'and goes on');
    is($migration->{applier}->stop, 0, 'the applier ends cleanly');
    $meddler->stop;
};

done_testing();
