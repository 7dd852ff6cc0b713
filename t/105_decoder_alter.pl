# ALTER TABLE of every kind in the middle of a transaction: each change is sent under the definition that held for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

my $rewritten = 'ALTER TABLE has written all of its rows anew: the values that they have now are not in the WAL';
my $before = 'id:int4/binary/key v:int4/binary w:text/binary';

# What is done between two inserts, the columns behind it, and the second row when it is not (2, 2, 'two'). What writes the rows that
# are there anew leaves nothing of their new values in the WAL: then the table has to be copied again.
my @cases = (
    ['ADD COLUMN x int', "$before x:int4/binary", q{id=2 v=2 w='two' x=null}],
    ['ADD COLUMN x int DEFAULT 9 NOT NULL', "$before x:int4/binary", q{id=2 v=2 w='two' x=9}],
    [q{ADD COLUMN x text DEFAULT clock_timestamp()::text::char(2)}, "$before x:text/binary", q{id=2 v=2 w='two' x='20'}, undef, 'recopy'],
    ['DROP COLUMN w, ADD COLUMN w text', "$before/number 4", q{id=2 v=2 w='two'}],
    ['ALTER v TYPE bigint', 'id:int4/binary/key v:int8/binary w:text/binary', undef, undef, 'recopy'],
    ['ALTER v TYPE text USING v::text', 'id:int4/binary/key v:text/binary w:text/binary', q{id=2 v='2' w='two'}, undef, 'recopy'],
    ['ALTER w TYPE varchar(9)', 'id:int4/binary/key v:int4/binary w:varchar#13/binary', undef, undef, 'recopy'],
    ['ALTER v SET DEFAULT 5', undef],
    ['ALTER v SET NOT NULL', undef],
    ['ALTER w SET STORAGE EXTERNAL', undef],
    ['ALTER w SET STATISTICS 7', undef],
    ['ALTER w SET (n_distinct = 5)', undef],
    ['RENAME COLUMN v TO u', 'id:int4/binary/key u:int4/binary w:text/binary', q{id=2 u=2 w='two'}],
    ['ADD CHECK (v > 0)', undef],
    ['ADD UNIQUE (v)', undef],
    ['ADD FOREIGN KEY (v) REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED', undef],
    ['DROP CONSTRAINT a_pkey', 'id:int4/binary v:int4/binary w:text/binary'],
    ['DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (id, v)', 'id:int4/binary/key v:int4/binary/key w:text/binary'],
    ['REPLICA IDENTITY NOTHING', 'id:int4/binary v:int4/binary w:text/binary', undef, 'nothing'],
    ['REPLICA IDENTITY FULL', 'id:int4/binary/key v:int4/binary/key w:text/binary/key', undef, 'full'],
    ['CLUSTER ON a_pkey', undef],
    ['SET (fillfactor = 70)', undef],
    ['SET WITHOUT CLUSTER', undef],
    ['ENABLE ROW LEVEL SECURITY', undef],
    ['DISABLE TRIGGER ALL', undef],
    ['OWNER TO CURRENT_USER', undef],
    ['INHERIT parent', undef],
);

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    note("PostgreSQL $major");
    $sql->('CREATE TABLE parent (id int NOT NULL)');

    foreach my $case (@cases) {
        my ($action, $columns, $row, $identity, $recopy) = @{$case};
        $sql->('DROP TABLE IF EXISTS a; CREATE TABLE a (id int PRIMARY KEY, v int, w text)');
        $sql->("BEGIN; INSERT INTO a VALUES (1, 1, 'one'); ALTER TABLE a $action; INSERT INTO a VALUES (2, 2, 'two'); COMMIT");
        $identity //= 'default';
        $row //= q{id=2 v=2 w='two'};
        my $anew = defined $columns && "$columns $identity" ne "$before default";
        is($slot->text =~ s/ at [0-9A-F]+\/[0-9A-F]+ / at LSN /r,
            "begin\nrelation public.a identity default columns $before\ninsert public.a #1 id=1 v=1 w='one'\n"
              . ($anew ? "relation public.a identity $identity columns $columns\n" : '')
              . "insert public.a #2 $row\n"
              . (defined $recopy ? "recopy #3 public.a at LSN reason '$rewritten'\ncommit changes 3\n" : "commit changes 2\n"),
            "ALTER TABLE a $action");
    }

    $sql->(<<'SQL');
CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE one (id int PRIMARY KEY, v int);
BEGIN;
INSERT INTO one VALUES (1, 1);
ALTER TABLE p ATTACH PARTITION one FOR VALUES FROM (0) TO (10);
INSERT INTO p VALUES (2, 2);
ALTER TABLE p DETACH PARTITION one;
CREATE TABLE two PARTITION OF p FOR VALUES FROM (0) TO (10);
INSERT INTO p VALUES (3, 3);
UPDATE one SET v = 4 WHERE id = 1;
ALTER TABLE p ADD COLUMN x int DEFAULT 7;
INSERT INTO p VALUES (5, 5);
DROP TABLE two;
ALTER TABLE one ADD COLUMN x int;
ALTER TABLE p ATTACH PARTITION one FOR VALUES FROM (0) TO (10);
DELETE FROM p WHERE id = 2;
COMMIT;
SQL
    is($slot->text, <<'END', 'partitions come and go');
begin
relation public.one identity default columns id:int4/binary/key v:int4/binary
insert public.one #1 id=1 v=1
insert public.one #2 id=2 v=2
relation public.two identity default columns id:int4/binary/key v:int4/binary
insert public.two #3 id=3 v=3
update public.one #4 id=1 v=4
relation public.two identity default columns id:int4/binary/key v:int4/binary x:int4/binary
insert public.two #5 id=5 v=5 x=7
relation public.one identity default columns id:int4/binary/key v:int4/binary x:int4/binary
delete public.one #6 id=2
commit changes 6
END
}

done_testing();
