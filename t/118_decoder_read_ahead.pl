# While the reader is far behind, the decoder takes many records of the WAL in one turn: what is sent is the same in fewer
# messages, and no keepalive passes what has been sent.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Blocker;
use PenstockTest::Meddler qw(open_frame take_varint);

use File::Temp qw(tempfile);
use IPC::Run qw(start);

# Many small transactions beside large ones, with all that stands in WAL.
sub session
{
    my ($number) = @_;
    my $first = $number * 100_000_000;
    return <<"SQL";
SET synchronous_commit = off;
DO \$\$
BEGIN
    FOR i IN 1 .. 1500 LOOP
        INSERT INTO t VALUES ($first + i, md5(i::text));
        UPDATE t SET v = v || i WHERE id = $first + i - 1;
        IF i % 50 = 0 THEN
            UPDATE t SET id = -id WHERE id = $first + i;
            DELETE FROM t WHERE id = $first + i - 7;
        END IF;
        IF i % 300 = 0 THEN
            TRUNCATE small_$number;
            INSERT INTO t SELECT $first + 10000 * i + j, repeat('x', j % 50) FROM generate_series(1, 3000) j;
            PERFORM pg_logical_emit_message(true, 'in', i::text), pg_logical_emit_message(false, 'out', i::text);
            EXECUTE format('CREATE TABLE made_${number}_%s (id int)', i);
            EXECUTE format('INSERT INTO made_${number}_%s VALUES (%s)', i, i);
        END IF;
        INSERT INTO small_$number VALUES (i);
        IF i % 40 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END
\$\$
SQL
}

# The commits that are in a file of frames by now.
sub commits_in
{
    my ($name) = @_;
    return scalar(() = run_program(program('penstock-applier'), '--dump', $name)->{stdout} =~ /^commit /mg);
}

# A record of an open transaction, of which the last page is not flushed: nobody flushes it while all who would are stopped.
sub nothing_waits_for_wal
{
    my ($server) = @_;
    my $sql = sub { $server->sql('postgres', $_[0]) };
    $sql->("SELECT pg_create_logical_replication_slot('waits', 'penstock')");
    my @stopped = split(/\n/, $sql->("SELECT pid FROM pg_stat_activity WHERE backend_type IN ('background writer', 'checkpointer')"));
    $sql->('CHECKPOINT');
    kill('STOP', @stopped);
    $sql->("INSERT INTO small_1 VALUES ($_)") foreach 1 .. 20;
    my $open =
      PenstockTest::Blocker->start($server, 'postgres', q{SELECT pg_logical_emit_message(true, 'large', repeat('x', 10000000))});
    wait_until('all but its last page is flushed', sub {
        $sql->('SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() BETWEEN 1 AND 8192') eq 't';
    });
    my $flushed = $sql->('SELECT pg_current_wal_flush_lsn()');
    my (undef, $name) = tempfile(UNLINK => 1);
    my $reader = start([$server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'), '--slot=waits', '--start',
        '--no-loop', "--file=$name", '--option=read_ahead=4096', '--option=compression=none']);
    wait_until('what committed before it', sub { commits_in($name) == 20 }, 60);
    is($sql->('SELECT pg_current_wal_flush_lsn()'), $flushed, 'what committed is sent before the decoder waits for WAL');
    kill('CONT', @stopped);
    $open->end;
    wait_until('what comes behind it', sub { $sql->('INSERT INTO small_1 VALUES (0)'); commits_in($name) > 20 });
    $reader->signal('INT');
    $reader->finish;
    return;
}

# Where two texts part, with some lines before.
sub first_difference
{
    my @got = split(/\n/, $_[0]);
    my @expected = split(/\n/, $_[1]);
    my $line = 0;
    $line++ while $line < @got && $line < @expected && $got[$line] eq $expected[$line];
    my $show = sub { my ($lines) = @_; join("\n", map { substr($_ // '(end)', 0, 200) } @{$lines}[($line > 3 ? $line - 3 : 0) .. $line + 3]) };
    return "line $line, got:\n" . $show->(\@got) . "\nexpected:\n" . $show->(\@expected);
}

my @turns = (0, 1, 7, 4096);

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major, conf => 'autovacuum = off');
    my $sql = sub { $server->sql('postgres', $_[0]) };
    note("PostgreSQL $major");
    $sql->('CREATE TABLE t (id int PRIMARY KEY, v text); ' . join('; ', map { "CREATE TABLE small_$_ (id int)" } 1 .. 4));
    $sql->("SELECT pg_create_logical_replication_slot('slot_$_', 'penstock')") foreach @turns;
    my @sessions = map {
        my $input = session($_);
        start([$server->installed_command('psql'), '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $server->uri('postgres')],
            '<', \$input, '>', \my $out, '2>', \my $err)
    } 1 .. 4;
    ok($_->finish, 'a session wrote') foreach @sessions;
    my $end = $server->mark('postgres');

    my (%text, %size);
    foreach my $turn (@turns) {
        my (undef, $name) = tempfile(UNLINK => 1);
        my $received = run_program($server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'),
            "--slot=slot_$turn", '--start', '--no-loop', "--file=$name", "--endpos=$end", "--option=read_ahead=$turn");
        is($received->{status}, 0, "read_ahead $turn is read") or diag($received->{stderr});
        my $dumped = run_program(program('penstock-applier'), '--dump', $name);
        is($dumped->{status}, 0, 'and sound') or diag($dumped->{stderr});
        like($dumped->{stdout}, qr/\Ahello .*'read_ahead=$turn'/, 'as asked');
        unlike($dumped->{stdout}, qr/\Ahello .*_off=/, 'nothing is off on this server');
        ($text{$turn} = $dumped->{stdout}) =~ s/^hello .*\n//;
        $size{$turn} = -s $name;
    }
    cmp_ok(scalar(() = $text{0} =~ /^commit /mg), '>', 4000, 'many transactions');
    ok($text{$_} eq $text{0}, "the same is sent with read_ahead $_") or diag(first_difference($text{$_}, $text{0})) foreach @turns;
    cmp_ok($size{4096}, '<', $size{0}, 'in fewer messages, so in fewer bytes');

    my $peek = sub {
        $sql->("SELECT count(*), max(lsn - '0/0') FROM pg_logical_slot_peek_binary_changes('slot', '$end', NULL, 'read_ahead', '$_[0]')");
    };
    $sql->("SELECT pg_create_logical_replication_slot('slot', 'penstock')");
    $sql->("DO \$\$ BEGIN FOR i IN 1 .. 2000 LOOP INSERT INTO small_1 VALUES (i); COMMIT; END LOOP; END \$\$");
    ($end) = split(/\|/, $sql->(q{SELECT lsn FROM pg_logical_slot_peek_binary_changes('slot', NULL, 1000) OFFSET 999 LIMIT 1}));
    is($peek->(4096), $peek->(0), 'the SQL functions stop where they are told to');
    nothing_waits_for_wal($server);
    $server->stop;
}

my $source = start_source('source');
my $target = start_target('target');
my $sql = sub { $source->sql('postgres', $_[0]) };
$sql->('CREATE TABLE t (id int PRIMARY KEY, v text)');
my $migration = migration($source, $target);
$migration->ok('copy');

subtest 'keepalives say nothing that is not true' => sub {
    my (undef, $heard) = tempfile(UNLINK => 1);
    $sql->(q{SET synchronous_commit = off; DO $$ BEGIN FOR i IN 1 .. 60000 LOOP INSERT INTO t VALUES (i, md5(i::text)); COMMIT;
        END LOOP; END $$});
    my $end = $source->mark('postgres');
    my $meddler = PenstockTest::Meddler->start_new(
        $source,
        sub { return undef },
        plain => 1,
        overhear => sub {
            open(my $file, '>>', $heard) or die "$heard: $!\n";
            print {$file} unpack('H*', $_[0]), "\n";
            close($file);
        });
    # A reader that asks for the position all the time, and is answered between turns.
    my $applier = run_program(
        program('penstock-applier'), '--source', $meddler->uri('postgres'), '--target', $target->uri('postgres'),
        '--status-interval', 10, '--source-read-ahead', 200, '--until', $end);
    is($applier->{status}, 0, 'the applier is through') or diag($applier->{stderr});
    $meddler->stop;

    my ($sent, $promised, $frames, $transactions, $keepalives, $late) = (0, 0, 0, 0, 0, 0);
    foreach my $line (split(/\n/, slurp_file($heard))) {
        my $message = pack('H*', $line);
        if ($message =~ /^k/) {
            $promised = unpack('x Q>', $message);
            $keepalives++ if $sent && $promised < hex_lsn($end);
            next;
        }
        $frames++;
        my ($begin, $commit);
        foreach (@{open_frame($message, $frames)->{records}}) {
            my ($kind, $body) = @$_;
            next unless $kind eq 'begin' || $kind eq 'commit';
            take_varint(\$body);    # the tag of the first field: a step or a size
            $sent += take_varint(\$body);
            $transactions++ if $kind eq 'begin';
            $late++ if $kind eq 'commit' && $sent <= $promised;
        }
    }
    cmp_ok($transactions, '>=', 60000, 'all was overheard');
    cmp_ok($frames, '<', $transactions / 10, 'in turns');
    cmp_ok($keepalives, '>', 5, 'with keepalives in between');
    is($late, 0, 'no transaction came behind a position that it lies before');
    same_rows($source, $target, 'postgres', 'and nothing is missing');
};

subtest 'whatever dies in a catch-up' => sub {
    $sql->(q{SET synchronous_commit = off; DO $$ BEGIN FOR i IN 1 .. 50000 LOOP UPDATE t SET v = 'new' WHERE id = i; COMMIT; END LOOP;
        END $$});
    $sql->('CHECKPOINT');
    my $done = sub { $target->sql('postgres', q{SELECT count(*) FROM t WHERE v = 'new'}) };
    # So that it takes its time: small batches, and an index whose function sleeps for each new row. Short turns, so that there are many.
    $target->sql('postgres', q{CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN $1; END';
        CREATE INDEX slow ON t (public.slow(v)) WHERE v = 'new'});
    my $applier = $migration->follow('--', '--batch-rows', 20, '--source-read-ahead', 50);
    my %kill = (
        applier => sub { $applier->kill9; $applier->start },
        walsender => sub { $sql->('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active') },
        source => sub { $source->crash_and_restart },
    );
    my $before = 0;
    foreach my $victim (qw(applier walsender source applier source walsender)) {
        wait_until('rows to be applied', sub { $done->() > $before + 500 });
        $kill{$victim}->();
        $before = $done->();
        note("$victim died; $before rows are there");
    }
    cmp_ok($before, '<', 50000, 'the last one died before the end');
    $target->sql('postgres', 'DROP INDEX slow');
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', 'the rows are those of an uninterrupted run');
    is($done->(), 50000, 'all of them');
    is($applier->stop, 0, 'and the applier is well');
};

sub hex_lsn
{
    my ($high, $low) = split(/\//, $_[0]);
    return hex($high) * 2**32 + hex($low);
}

done_testing();
