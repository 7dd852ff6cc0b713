# A change that cannot be sent: with --on-undecodable=recopy its table waits to be copied again and everything else goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

use JSON::PP qw(decode_json);

foreach my $major (11, 15) {
    my $server = start_source("decoder$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    note("PostgreSQL $major");

    $sql->('CREATE TABLE k (id int PRIMARY KEY, a text, b text); CREATE TABLE u (id int)');
    $sql->(<<'SQL');
BEGIN;
INSERT INTO u VALUES (1), (2);
INSERT INTO k VALUES (1, 'one');
UPDATE u SET id = 3;
INSERT INTO u VALUES (4);
UPDATE k SET a = 'two';
DELETE FROM u WHERE id = 4;
COMMIT;
SQL
    like($slot->error, qr/UPDATE of a row that nothing identifies.*Table public\.u, LSN [0-9A-F]+\/[0-9A-F]+\..*recopy/s,
        'an error names table, LSN and the way on');
    my $text = $slot->raw_text(on_undecodable => 'recopy');
    my @lsns = $text =~ /^recopy \S+ "public"\."u" at ([0-9A-F]+\/[0-9A-F]+) reason 'UPDATE/mg;
    is(scalar(@lsns), 2, 'told to copy again, the reader learns where each change was');
    isnt($lsns[0], $lsns[1], 'each at its own LSN');
    $sql->('UPDATE u SET id = 7 WHERE id = 3');
    $sql->('BEGIN; INSERT INTO u VALUES (8); DELETE FROM u; UPDATE k SET a = NULL; COMMIT');
    is($slot->text(on_undecodable => 'recopy') =~ s/ at \S+//gr, <<'END', 'a record with a number stands for each change');
begin
relation public.u identity default columns id:int4/binary
recopy #1 public.u reason 'UPDATE of a row that nothing identifies'
recopy #2 public.u reason 'UPDATE of a row that nothing identifies'
commit changes 2
begin
insert public.u #1 id=8
recopy #2 public.u reason 'DELETE of a row that nothing identifies'
recopy #3 public.u reason 'DELETE of a row that nothing identifies'
recopy #4 public.u reason 'DELETE of a row that nothing identifies'
relation public.k identity default columns id:int4/binary/key a:text/binary b:text/binary
update public.k #5 id=1 a=null b=null
commit changes 5
END

    $sql->(q{INSERT INTO k SELECT 2, repeat('x', 600000), repeat('y', 500000)});
    $sql->(q{INSERT INTO k SELECT 3, repeat('x', 600000), repeat('y', 400000)});
    like($slot->error(row_limit => '1MB'), qr/a row of more than 1048576 bytes.*Table public\.k, LSN/s, 'a row that is too long');
    $text = $slot->text(row_limit => '1MB', on_undecodable => 'recopy') =~ s/([xy]{1000,})/length $1/ger;
    is($text =~ s/ at \S+//r, <<'END', 'is left out alone');
begin
relation public.k identity default columns id:int4/binary/key a:text/binary b:text/binary
recopy #1 public.k reason 'a row of more than 1048576 bytes'
commit changes 1
begin
insert public.k #1 id=3 a='600000' b='400000'
commit changes 1
END

    # From 15 on charout writes such a byte as \ooo, which charin reads there.
    if ($major < 15) {
        $sql->(q{CREATE TYPE lettered AS (n int, c "char"); CREATE TABLE nested (id int PRIMARY KEY, c "char"[], l lettered)});
        $sql->(q{INSERT INTO nested VALUES (1, ARRAY[(-56)::"char"], NULL), (2, '{a}', ROW(1, 'ü')::lettered), (3, '{z}', ROW(1, 'b')::lettered)});
        like($slot->error, qr/column "c": a "char" above 127.*Table public\.nested, LSN.*recopy/s, 'a value that as text is no text');
        is($slot->text(on_undecodable => 'recopy') =~ s/ at \S+//gr, <<'END', 'is left out, others are not');
begin
relation public.nested identity default columns id:int4/binary/key c:_char/text l:public.lettered/text
recopy #1 public.nested reason 'column "c": a "char" above 127 within a value, which is no text in UTF-8'
recopy #2 public.nested reason 'column "l": a "char" above 127 within a value, which is no text in UTF-8'
insert public.nested #3 id=3 c='{z}' l='(1,b)'
commit changes 3
END
    }
    $server->stop;
}

my $source = start_source('source');
my $target = start_target('target');
my $sql = sub { $source->sql('postgres', $_[0]) };
$sql->(<<'SQL');
CREATE TABLE keyed (id int PRIMARY KEY, v int);
CREATE TABLE unkeyed (id int UNIQUE, v int);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES unkeyed (id));
INSERT INTO keyed SELECT i, 0 FROM generate_series(1, 100) i;
INSERT INTO unkeyed SELECT i, 0 FROM generate_series(1, 100) i;
INSERT INTO child SELECT i, i FROM generate_series(1, 100) i;
CREATE TABLE letters (id int PRIMARY KEY, c "char"[]); INSERT INTO letters VALUES (1, ARRAY[(-127)::"char"]);
SQL
my $migration = migration($source, $target);
$migration->ok('copy');

my $applier = $migration->follow;
$sql->('UPDATE keyed SET v = 1; BEGIN; UPDATE unkeyed SET v = 1 WHERE id < 3; UPDATE keyed SET v = v + 1; COMMIT; UPDATE keyed SET v = v + 1');
is($applier->wait, 3, 'by itself the applier stops');
like($applier->log_text, qr/public\.unkeyed.*LSN.*--on-undecodable=recopy/s, 'and says where, and how to go on');

$applier = $migration->follow('--on-undecodable=recopy');
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT DISTINCT v FROM keyed'), '3', 'told to, it goes on with other tables');
my $waits = "SELECT copy_state, copy_lsn, recopy_lsn IS NOT NULL, recopy_reason FROM penstock.relation WHERE table_name = 'unkeyed'";
is($target->sql('postgres', $waits), 'pending||t|UPDATE of a row that nothing identifies', 'the table waits to be copied');
$sql->('ALTER TABLE unkeyed REPLICA IDENTITY FULL; UPDATE unkeyed SET v = 2 WHERE id = 3; INSERT INTO unkeyed VALUES (200, 1)');
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT count(*), sum(v) FROM unkeyed'), '100|0', 'and its changes are left out');

my $status = decode_json($migration->ok('status', '--json')->{stdout});
is($status->{copy}{again}[0]{table}, 'public.unkeyed', 'status lists it');
like($status->{next}, qr/penstock copy/, 'and says what to do');
like($migration->ok('status', '--tables')->{stdout}, qr/copy again +public\.unkeyed: UPDATE of a row.* public\.unkeyed  \(to be copied again: UPDATE of a row/s, 'for people, too');
like($migration->exits(3, 'cutover', '--proxy=none', '--yes')->{stderr}, qr/to be copied: public\.unkeyed/, 'no cutover before that');
like($migration->exits(3, 'copy')->{stderr}, qr/public\.unkeyed must be copied.*Stop penstock follow/s, 'no copy beside the applier');

$applier->kill9;
$applier = $migration->follow('--on-undecodable=recopy');
$migration->wait_until_caught_up;
is($applier->stop, 0, 'an applier that was killed goes on, and is stopped');
$sql->('UPDATE unkeyed SET v = 5 WHERE id = 4; DELETE FROM unkeyed WHERE id = 200; UPDATE keyed SET v = 4 WHERE id = 1');
$migration->ok('copy');
is($target->sql('postgres', $waits =~ s/copy_lsn,//r), 'copied|f|', 'copied again, it waits no more');
is($target->sql('postgres', 'SELECT v FROM keyed WHERE id = 1'), '3', 'nothing else was copied');
like($migration->exits(3, 'copy')->{stderr}, qr/nothing left to copy/, 'and there is nothing more to copy');

$applier = $migration->follow('--on-undecodable=recopy');
$migration->same_after('all is as at the source', 'UPDATE unkeyed SET v = v + 1; DELETE FROM child WHERE id = 9; DELETE FROM unkeyed WHERE id = 9');
is($target->sql('postgres', "SELECT count(*) FROM penstock.journal WHERE operation = 'copy' AND step = 'again' AND event = 'done'"), '1', 'the journal says so');
$sql->('INSERT INTO letters VALUES (2, ARRAY[(-56)::"char", NULL]), (3, NULL); UPDATE keyed SET v = 50 WHERE id = 5');
$migration->wait_until_caught_up;
is($applier->stop, 0, 'the applier stops cleanly');
$migration->ok('copy');
my $letters = q{SELECT string_agg(concat(id, ' ', (SELECT string_agg(ascii(x)::text, ',') FROM unnest(c) x)), ' | ' ORDER BY id) FROM letters};
is($target->sql('postgres', $letters), $source->sql('postgres', $letters), 'what the stream cannot carry the copy does');

done_testing();
