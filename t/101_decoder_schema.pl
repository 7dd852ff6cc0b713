# Relations that change, also in mid-transaction: what is sent is always described by what was sent before.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    note("PostgreSQL $major");

    $sql->('CREATE TABLE d (id int PRIMARY KEY, gone text, b int)');
    $sql->(q{INSERT INTO d VALUES (1, 'x', 2)});
    $sql->('ALTER TABLE d DROP COLUMN gone');
    $sql->('INSERT INTO d VALUES (2, 3)');
    $sql->(q{ALTER TABLE d ADD COLUMN c text DEFAULT 'default', ADD COLUMN e int DEFAULT 7});
    $sql->('UPDATE d SET b = 5 WHERE id = 1');
    is($slot->text, <<'END', 'a dropped column is left out, a default that is not in the row is filled in');
begin
relation public.d identity default columns id:int4/binary/key gone:text/binary b:int4/binary
insert public.d #1 id=1 gone='x' b=2
commit changes 1
begin
relation public.d identity default columns id:int4/binary/key b:int4/binary/number 3
insert public.d #1 id=2 b=3
commit changes 1
begin
relation public.d identity default columns id:int4/binary/key b:int4/binary/number 3 c:text/binary e:int4/binary
update public.d #1 id=1 b=5 c='default' e=7
commit changes 1
END

    $sql->(<<'SQL');
CREATE TABLE m (id int PRIMARY KEY);
BEGIN;
INSERT INTO m VALUES (1);
ALTER TABLE m ADD COLUMN y text DEFAULT 'y';
INSERT INTO m VALUES (2);
ALTER TABLE m ALTER id TYPE bigint;
INSERT INTO m VALUES (3);
ALTER TABLE m RENAME COLUMN y TO z;
ALTER TABLE m RENAME TO m2;
UPDATE m2 SET z = 'z' WHERE id = 1;
ALTER TABLE m2 REPLICA IDENTITY FULL;
DELETE FROM m2 WHERE id = 1;
DROP TABLE m2;
CREATE TABLE m2 (other text);
INSERT INTO m2 VALUES ('new');
COMMIT;
SQL
    is($slot->text, <<'END', 'changes of a relation within a transaction; a rewrite sends nothing');
begin
relation public.m identity default columns id:int4/binary/key
insert public.m #1 id=1
relation public.m identity default columns id:int4/binary/key y:text/binary
insert public.m #2 id=2 y='y'
relation public.m identity default columns id:int8/binary/key y:text/binary
insert public.m #3 id=3 y='y'
relation public.m2 identity default columns id:int8/binary/key z:text/binary
update public.m2 #4 id=1 z='z'
relation public.m2 identity full columns id:int8/binary/key z:text/binary/key
delete public.m2 #5 id=1 z='z'
relation public.m2 identity default columns other:text/binary
insert public.m2 #6 other='new'
commit changes 6
END

    $sql->('CREATE TABLE same (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)');
    $sql->(<<'SQL');
BEGIN;
INSERT INTO same VALUES (1);
GRANT SELECT ON same TO PUBLIC;
CREATE INDEX ON same ((id + 1));
ALTER TABLE same SET (fillfactor = 80);
INSERT INTO same VALUES (2);
COMMIT;
SQL
    is($slot->text, <<'END', 'a relation that was touched but says the same is not sent again');
begin
relation public.same identity default columns id:int4/binary/key
insert public.same #1 id=1
insert public.same #2 id=2
commit changes 2
END

    $sql->(q{CREATE SCHEMA s1; CREATE TYPE s1.mood AS ENUM ('sad', 'happy')});
    $sql->(q{CREATE TABLE s1.t (id int PRIMARY KEY, m s1.mood)});
    my $relations = <<'SQL';
BEGIN;
INSERT INTO s1.t VALUES (1, 'sad');
ALTER TYPE s1.mood RENAME VALUE 'sad' TO 'blue';
INSERT INTO s1.t VALUES (2, 'blue');
ALTER TYPE s1.mood RENAME TO feeling;
INSERT INTO s1.t VALUES (3, 'happy');
ALTER SCHEMA s1 RENAME TO s2;
INSERT INTO s2.t VALUES (4, 'blue');
COMMIT;
SQL
    $sql->($relations);
    is($slot->text, <<'END', 'renamed enum values, types and schemas');
begin
relation s1.t identity default columns id:int4/binary/key m:s1.mood/text
insert s1.t #1 id=1 m='sad'
insert s1.t #2 id=2 m='blue'
relation s1.t identity default columns id:int4/binary/key m:s1.feeling/text
insert s1.t #3 id=3 m='happy'
relation s2.t identity default columns id:int4/binary/key m:s2.feeling/text
insert s2.t #4 id=4 m='blue'
commit changes 4
END

    $sql->(<<'SQL');
CREATE TABLE p (id int, r int, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE "P 2" PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE TABLE child () INHERITS (d);
CREATE TABLE ref (id int PRIMARY KEY, d int REFERENCES d);
SQL
    $sql->('INSERT INTO p VALUES (1, 1), (2, 12)');
    $sql->('UPDATE p SET r = 15 WHERE id = 1');
    $sql->('ALTER TABLE p DETACH PARTITION p1; INSERT INTO p1 VALUES (5, 5)');
    $sql->('ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10); INSERT INTO p VALUES (6, 6)');
    $sql->('TRUNCATE p, d RESTART IDENTITY CASCADE');
    is($slot->text, <<'END', 'leaf partitions; one record for all tables of a TRUNCATE');
begin
relation public.p1 identity default columns id:int4/binary/key r:int4/binary/key
insert public.p1 #1 id=1 r=1
relation "public"."P 2" identity default columns id:int4/binary/key r:int4/binary/key
insert "public"."P 2" #2 id=2 r=12
commit changes 2
begin
delete public.p1 #1 id=1 r=1
insert "public"."P 2" #2 id=1 r=15
commit changes 2
begin
insert public.p1 #1 id=5 r=5
commit changes 1
begin
insert public.p1 #1 id=6 r=6
commit changes 1
begin
relation public.p identity default columns id:int4/binary/key r:int4/binary/key
relation public.d identity default columns id:int4/binary/key b:int4/binary/number 3 c:text/binary e:int4/binary
relation public.child identity default columns id:int4/binary b:int4/binary c:text/binary e:int4/binary
relation public.ref identity default columns id:int4/binary/key d:int4/binary
truncate #1 public.p, public.p1, "public"."P 2", public.d, public.child, public.ref cascade restart identity
commit changes 1
END

    $sql->('CREATE TABLE again (id int PRIMARY KEY, v text, w int)');
    $sql->("INSERT INTO again VALUES (1, 'a', 1)");
    $sql->("ALTER TABLE again DROP COLUMN v, ADD COLUMN v text; INSERT INTO again VALUES (2, 3, 'b')");
    my ($first) = $slot->raw_text =~ /^relation (\d+) "public"\."again" .* v:text\/binary w:int4\/binary\n/m;
    $sql->("INSERT INTO again VALUES (4, 5, 'c')");
    $sql->('DROP TABLE again; CREATE TABLE again (id int PRIMARY KEY, w int, v text); INSERT INTO again VALUES (5)');
    my @described = $slot->raw_text =~ /^relation (\d+ "public"\."again" .*)$/mg;
    my $oid = $server->sql('postgres', q{SELECT 'again'::regclass::oid});
    isnt($first, $oid, 'a table that was made anew under its name has another number');
    is_deeply(\@described, [
        qq{$first "public"."again" identity default columns id:int4/binary/key w:int4/binary/number 3 v:text/binary},
        qq{$oid "public"."again" identity default columns id:int4/binary/key w:int4/binary v:text/binary}],
        'which is its OID; and columns say where others were dropped before them');

    my $wide = join(', ', map { "c$_ int" } 1 .. 1500);
    $sql->("CREATE TABLE wide ($wide); INSERT INTO wide (c1500) VALUES (7)");
    like($slot->text, qr/^insert public\.wide #1 c1=null .* c1500=7$/m, '1,500 columns');
}

done_testing();
