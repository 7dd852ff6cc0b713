# Transactions: subtransactions, two-phase, empty ones, messages, origins, heartbeats, large ones, restarts.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major, conf => 'autovacuum = off'); # which commits, too
    my $sql = sub { $server->sql('postgres', $_[0]) };
    $sql->('CREATE TABLE t (id int PRIMARY KEY)');
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    note("PostgreSQL $major");

    $sql->('BEGIN; INSERT INTO t VALUES (1); SAVEPOINT a; INSERT INTO t VALUES (2); ROLLBACK TO a;'
          . 'INSERT INTO t VALUES (3); SAVEPOINT b; INSERT INTO t VALUES (4); RELEASE b; COMMIT');
    $sql->('BEGIN; INSERT INTO t VALUES (5); ROLLBACK');
    $sql->(q{BEGIN; INSERT INTO t VALUES (6); PREPARE TRANSACTION 'p'});
    $sql->('INSERT INTO t VALUES (7)');
    $sql->(q{COMMIT PREPARED 'p'});
    $sql->(q{BEGIN; INSERT INTO t VALUES (8); PREPARE TRANSACTION 'q'});
    $sql->(q{ROLLBACK PREPARED 'q'});
    is($slot->text, <<'END', 'subtransactions and two-phase commit');
begin
relation public.t identity default columns id:int4/binary/key
insert public.t #1 id=1
insert public.t #2 id=3
insert public.t #3 id=4
commit changes 3
begin
insert public.t #1 id=7
commit changes 1
begin
insert public.t #1 id=6
commit changes 1
END

    my $messages = <<'SQL';
SELECT pg_logical_emit_message(true, 'prefix', 'alone');
SELECT pg_logical_emit_message(false, 'prefix', 'at once');
BEGIN;
SELECT pg_logical_emit_message(false, 'prefix', 'from a transaction that fails');
SELECT pg_logical_emit_message(true, 'prefix', 'never');
INSERT INTO t VALUES (10);
ROLLBACK;
BEGIN;
INSERT INTO t VALUES (11);
SELECT pg_logical_emit_message(true, 'prefix', 'between');
INSERT INTO t VALUES (12);
COMMIT;
SQL
    $sql->($messages);
    my $text = $slot->text;
    is(join("\n", $text =~ /content ('[^']*')/g),
        "'alone'\n'at once'\n'from a transaction that fails'\n'between'", 'messages, transactional and not');
    like($text, qr/insert public\.t #1 id=11\nmessage #2 .*\ninsert public\.t #3 id=12\ncommit changes 3/,
        'a transactional message has its place among the changes');

    $sql->($messages =~ s/VALUES \(1(\d)/VALUES (2$1/gr);
    is($slot->text(messages => 'off'), <<'END', 'messages off');
begin
relation public.t identity default columns id:int4/binary/key
insert public.t #1 id=21
insert public.t #2 id=22
commit changes 2
END

    # A transaction that writes only catalogs has nothing to send.
    my $empty = join(";", map { "COMMENT ON TABLE t IS '$_'" } 1 .. 30);
    $sql->("$_") foreach split /;/, $empty;
    is($slot->text(heartbeat => 0), '', 'empty transactions send nothing');
    $sql->("$_") foreach split /;/, $empty;
    is($slot->text(heartbeat => 10), "heartbeat\n" x 3, 'but a heartbeat after many of them');
    $sql->("$_") foreach split /;/, $empty;
    # So does a long transaction of which the reader wants little or nothing; no heartbeat counts as a change.
    $sql->('CREATE TABLE dull (id int)');
    $sql->('INSERT INTO dull SELECT generate_series(1, 1000)');
    $sql->('BEGIN; INSERT INTO t VALUES (-1); INSERT INTO dull SELECT generate_series(1, 1000); INSERT INTO t VALUES (-2); COMMIT');
    is($slot->text(heartbeat => 250, skip_tables => '*.dull'), "heartbeat\n" x 4 . <<'END', 'and in long transactions');
begin
relation public.t identity default columns id:int4/binary/key
insert public.t #1 id=-1
heartbeat
heartbeat
heartbeat
heartbeat
insert public.t #2 id=-2
commit changes 2
END
    $sql->("$_") foreach split /;/, $empty;
    is($slot->text(skip_empty => 'off', heartbeat => 1), "begin\ncommit changes 0\n" x 30, 'or all of them, when asked');

    $sql->(q{SELECT pg_replication_origin_create('elsewhere')});
    $sql->(<<'SQL');
SELECT pg_replication_origin_session_setup('elsewhere');
INSERT INTO t VALUES (30);
SELECT pg_replication_origin_session_reset();
INSERT INTO t VALUES (31);
SQL
    my $peek = PenstockTest::Decoder->new($server, 'postgres', 'origins');
    $sql->(<<'SQL');
SELECT pg_replication_origin_session_setup('elsewhere');
INSERT INTO t VALUES (32);
SELECT pg_replication_origin_session_reset();
INSERT INTO t VALUES (33);
SQL
    like($peek->raw_text(origin => 'none'), qr/\A(?!.*id=32).*id=33/s, 'origin none leaves out what was replicated here');
    like($slot->raw_text, qr/^begin .*elsewhere.*\n.*\n.*id=30\n/m, 'begin names the origin');
    $peek->drop;

    # The default zstd stream of one connection, read back from the start after a restart, gives the same.
    $sql->('INSERT INTO t SELECT generate_series(1000, 1999)');
    my $before = PenstockTest::Decoder->new($server, 'postgres', 'restart');
    $sql->('INSERT INTO t SELECT generate_series(2000, 2999)');
    $server->restart;
    $sql->('UPDATE t SET id = -id WHERE id BETWEEN 2000 AND 2002');
    $server->crash_and_restart;
    is(scalar(() = $before->text =~ /^(insert|update) /mg), 1003, 'slots survive restarts of the server');
    $before->drop;
    $slot->text;

    subtest 'a transaction of 1,000,000 rows' => sub {
        my $rows = 1_000_000;
        $sql->("CREATE TABLE big (id int PRIMARY KEY, v text)");
        $sql->("INSERT INTO big SELECT i, 'value ' || i FROM generate_series(1, $rows) i");
        my $raw = $slot->raw_text;
        is(scalar(() = $raw =~ /^insert /mg), $rows, 'arrives whole');
        like($raw, qr/^insert "public"\."big" #$rows id=$rows v='value $rows'\ncommit .* changes $rows /m, 'in order');
    };
}

done_testing();
