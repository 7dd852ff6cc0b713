# What has bitten others who wrote a decoder, as far as the tests before this one do not meet it by the way.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

use File::Temp qw(tempfile);

# The rows and messages that pg_recvlogical, so a walsender and not a query, sends up to a position.
sub streamed
{
    my ($server, $slot, %options) = @_;
    my ($file, $name) = tempfile(UNLINK => 1);
    my $received = run_program(
        $server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'), "--slot=$slot", '--start',
        "--file=$name", '--endpos=' . $server->mark('postgres'), map { "--option=$_=$options{$_}" } sort keys %options);
    is($received->{status}, 0, 'pg_recvlogical') or diag($received->{stderr});
    return run_program(program('penstock-applier'), '--dump', $name)->{stdout};
}

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    note("PostgreSQL $major");

    # COPY writes many rows with one WAL record, which therefore share an LSN: numbers tell them apart.
    $sql->('CREATE TABLE c (id int PRIMARY KEY, v text)');
    my ($rows, $name) = tempfile(UNLINK => 1);
    print {$rows} map { "$_\tvalue $_\n" } 1 .. 2000;
    close($rows);
    $sql->("COPY c FROM '$name'");
    like($slot->raw_text, qr/#1 id=1 v='value 1'\n.*#2 id=2 .*#2000 id=2000 v='value 2000'\ncommit .* changes 2000 /s, 'COPY');

    # The row stays in its old partition for a reader that cannot tell which one it was.
    $sql->('CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)');
    $sql->('CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1)');
    $slot->text;
    $sql->('UPDATE p SET id = 11');
    like($slot->error, qr/DELETE of a row that nothing identifies.*public\.p1/s, 'a row without a key that changes its partition');
    like($slot->text(on_undecodable => 'recopy'), qr/^recopy #1 public\.p1 .*\n.*\ninsert public\.p2 #2 id=11\n/m, 'is a delete and an insert');

    # By the time that it is decoded, nothing of it is left.
    $sql->(q{CREATE TYPE color AS ENUM ('red', 'green'); CREATE DOMAIN paint AS color CHECK (VALUE <> 'green'); CREATE TYPE pair AS (a int, b color)});
    $sql->('CREATE TABLE gone (id int PRIMARY KEY, e color, d paint, r pair, l color[], g int4range[], o regclass, n oid)');
    $sql->(q{INSERT INTO gone VALUES (1, 'red', 'red', '(1,green)', '{red,green}', '{"[1,3)"}', 'c', 77)});
    $sql->(q{ALTER TYPE color RENAME TO colour; ALTER TYPE pair ADD ATTRIBUTE c text; UPDATE gone SET r = '(2,red,x)'; ALTER TABLE c RENAME TO cc});
    $sql->('DROP TABLE gone; DROP TYPE pair; DROP DOMAIN paint; DROP TYPE colour');
    my $text = $slot->text;
    like($text, qr/e:public\.color\/text d:public\.paint\/text r:public\.pair\/text l:public\._color\/text g:_int4range\/text o:regclass\/text n:oid\/binary/,
        'types that hold OIDs, or whose text reads the catalogs, are text');
    like($text, qr/^insert public\.gone #1 id=1 e='red' d='red' r='\(1,green\)' l='\{red,green\}' g='\{"\[1,3\)"\}' o='c' n=77$/m,
        'their text is that of the moment of the change');
    like($text, qr/l:public\._colour\/text.*^update public\.gone #1 .* r='\(2,red,x\)'/ms, 'before and after they change');
    $sql->('ALTER TABLE cc RENAME TO c');

    # Not tables, or not decoded at all.
    $sql->('CREATE SEQUENCE q; CREATE VIEW w AS SELECT * FROM c; SELECT nextval(\'q\'), setval(\'q\', 9); CREATE INDEX ON c (v)');
    $sql->(q{SELECT lo_put(lo_create(4711), 0, 'large'); COMMENT ON TABLE c IS 'x'; ANALYZE c; VACUUM c});
    $sql->('BEGIN; SAVEPOINT s; DELETE FROM c; ROLLBACK TO s; COMMIT; CREATE TABLE made AS SELECT 1 AS id WHERE false');
    is($slot->text(heartbeat => 0), '', 'sequences, large objects, views, indexes and maintenance send nothing');
    $sql->('CREATE TABLE made_full AS SELECT 5 AS id; REINDEX TABLE c; CLUSTER c USING c_pkey; VACUUM FULL c');
    like($slot->text, qr/\Abegin\nrelation public\.made_full .*\ninsert public\.made_full #1 id=5\ncommit changes 1\n\z/, 'rewrites of a table that leave its values neither, CREATE TABLE AS does');
    $sql->('ALTER TABLE c ADD x float DEFAULT random()');
    like($slot->text, qr/\Abegin\nrelation public\.c .*\nrecopy #1 public\.c at \S+ reason 'ALTER TABLE has written .*\ncommit changes 1\n\z/, 'values that are not in the WAL are named');

    if ($major == 11) {
        $sql->('CREATE TABLE o (id int PRIMARY KEY, v text) WITH OIDS; INSERT INTO o VALUES (1, NULL), (2, repeat(\'v\', 5000)); UPDATE o SET id = 3 WHERE id = 1; DELETE FROM o WHERE id = 3');
        $sql->('ALTER TABLE o SET WITHOUT OIDS; UPDATE o SET id = 4');
        like($slot->text, qr/columns id:int4\/binary\/key v:text\/binary\ninsert public\.o #1 id=1 v=null\ninsert public\.o #2 id=2 v='v+'\n.*update public\.o #1 old id=1 new id=3 v=null\n.*delete public\.o #1 id=3\n.*update public\.o #1 old id=2 new id=4 v='v{5000}'\n/s,
            'a table WITH OIDS, and after it has lost them');
    } else {
        my $refused = '';
        $server->psql('postgres', q{SELECT pg_create_logical_replication_slot('two', 'penstock', false, true)}, stderr => \$refused);
        like($refused, qr/two-phase decoding.*Create the slot without/s, 'a slot with two-phase decoding is refused when it is made');
        is($sql->(q{SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'two'}), '0', 'and is not left behind');
    }

    # In a walsender startup is outside of transactions, and a message may be all there is, and of a transaction that fails.
    $sql->('CREATE PUBLICATION pub FOR TABLE c');
    $sql->(q{SELECT pg_create_logical_replication_slot('stream', 'penstock')});
    $sql->(q{BEGIN; SELECT pg_logical_emit_message(false, 'p', 'first'); INSERT INTO c VALUES (-1); ROLLBACK});
    $sql->(q{INSERT INTO c VALUES (-2); SELECT pg_logical_emit_message(false, 'p', 'last')});
    like(streamed($server, 'stream', publications => 'pub'), qr/\Ahello .*\nmessage at .* content 'first'\nbegin .*\nrelation .*\ninsert "public"\."c" #1 id=-2 .*\ncommit .*\nmessage at .*'last'\n\z/,
        'a message first, from a transaction that was rolled back');
    my $confirmed = $sql->(q{SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'stream'});
    is(streamed($server, 'stream', heartbeat => 0, messages => 'off'), '', 'what was confirmed is not sent again');

    # Errors inside a walsender leave the slot where it was, and the server running.
    $sql->('CREATE TABLE u (id int); INSERT INTO u VALUES (1); DELETE FROM u');
    my $failed = run_program($server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'), '--slot=stream',
        '--start', '--file=/dev/null', '--no-loop', '--endpos=' . $server->mark('postgres'));
    like($failed->{stderr}, qr/DELETE of a row that nothing identifies.*Table public\.u, LSN/s, 'the reader gets the error');
    like(streamed($server, 'stream', skip_tables => '*.u', skip_empty => 'off'), qr/^hello /, 'and can go on without the table');
    $server->stop;
}

done_testing();
