# What the applier makes of changes on a real target, without a source: changes written by hand go through the catalog and a
# worker (tests/applier/apply/apply_script.c), and the rows on the target are looked at.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $target = start_target('target');
my $schema = <<'SQL';
CREATE EXTENSION citext SCHEMA public;
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE plain (id int PRIMARY KEY, a text, b text);
CREATE TABLE mail (id int PRIMARY KEY, address text UNIQUE);
CREATE TABLE implied (id int PRIMARY KEY, a text, UNIQUE (id, a));
CREATE TABLE keyless (a int, b text, j json, n numeric, x xml, p pair, g point);
CREATE TABLE excluded (a int);
CREATE TABLE computed (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE identity_beside (id uuid PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY, v text);
CREATE TABLE identity_key (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, kept text DEFAULT 'kept');
CREATE TABLE parted (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (20);
CREATE TABLE parted_keyless (k int, v text) PARTITION BY LIST (k);
CREATE TABLE parted_keyless_1 PARTITION OF parted_keyless FOR VALUES IN (1);
CREATE TABLE parted_keyless_2 PARTITION OF parted_keyless FOR VALUES IN (2);
CREATE TABLE numeric_key (k numeric PRIMARY KEY, v text);
CREATE TABLE citext_key (k citext PRIMARY KEY, v text);
CREATE TABLE domain_key (k positive PRIMARY KEY, m mood, arr int[], i interval, bits bit(3), c char(4), "odd""name" text);
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE referred (id int PRIMARY KEY);
CREATE TABLE referring (id int PRIMARY KEY, r int REFERENCES referred);
CREATE TABLE demanding (id int PRIMARY KEY, v text, more text NOT NULL);
CREATE TABLE swallowing (id int PRIMARY KEY, v text);
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER swallow BEFORE INSERT ON swallowing FOR EACH ROW EXECUTE FUNCTION swallow();
ALTER TABLE swallowing ENABLE ALWAYS TRIGGER swallow;
CREATE VIEW a_view AS SELECT 1 AS id;
INSERT INTO penstock.migration (name, phase, slot_name, source_system, source_database, source_version,
                                source_encoding, target_version, lanes, slot_lsn)
VALUES ('m', 'copied', 's', '1', 'postgres', 110022, 'UTF8', 140023, 1, '0/1');
INSERT INTO penstock.lane VALUES ('m', 0, '0/1', 0);
INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_bytes, copy_lsn)
SELECT 'm', 'public', relname, oid, 0, CASE WHEN relname <> 'parted_low' THEN pg_lsn '0/1' END FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND relname <> 'excluded';
SQL
$target->sql('postgres', slurp_file("$FindBin::Bin/../state/schema.sql"));
$target->sql('postgres', $schema);

my $relations = <<'END';
relation plain public.plain default id*:23 a b
relation mail public.mail default id*:23 address
relation implied public.implied default id*:23 a
relation keyless public.keyless full a b j n x p g
relation computed public.computed default id*:23 a twice
relation identity_beside public.identity_beside default id*:2950 seq v
relation identity_key public.identity_key default id*:23 v
relation parted public.parted default id*:23 k*:23 v
relation parted_keyless public.parted_keyless full k v
relation numeric_key public.numeric_key default k*:1700 v
relation citext_key public.citext_key default k*:99999 v
relation domain_key public.domain_key default k*:23 m arr i bits c odd"name
relation parent public.parent default id*:23 v
relation child public.child nothing id v
relation referred public.referred default id*:23
relation referring public.referring default id*:23 r
relation swallowing public.swallowing default id*:23 v
relation excluded public.excluded nothing a
END

# Runs a script behind the relations' declarations; returns what it prints.
sub script
{
    my ($text) = @_;
    open(my $file, '>', "$ENV{TESTDIR}/tmp_check/script") or die $!;
    print $file $relations, $text;
    close $file;
    my $result =
      run_program('sh', '-c', 'exec "$0" "$@" < "$TESTDIR/tmp_check/script"', program('apply_script'), $target->uri('postgres'), 'm');
    is($result->{status}, 0, 'the script runs') or diag($result->{stderr});
    return $result->{stdout};
}

# The batches of text all succeed, as sets or by rows, and then query says rows.
sub applies
{
    my ($name, $by_rows, $text, $query, $rows) = @_;
    my $printed = script($text);
    my @ways = $printed =~ /^ok by_rows=(\d)/mg;
    is("@ways", $by_rows, "$name: how") or diag($printed);
    unlike($printed, qr/^error/m, "$name: no error");
    is($target->sql('postgres', $query), $rows, "$name: rows");
}

# The last batch of text fails with a message like this, and nothing of it stays.
sub fails
{
    my ($name, $text, $message) = @_;
    like(script($text), $message, $name);
}

subtest 'classification' => sub {
    my $shown = script(join('', map { "show $_\n" } qw(plain implied mail keyless child parted numeric_key citext_key domain_key excluded)));
    like($shown, qr/"plain" match=key lanes=spread/, 'key alone');
    like($shown, qr/"implied" match=key lanes=spread/, 'a unique constraint that contains the key');
    like($shown, qr/"mail" match=key lanes=whole public\.mail_address_key is unique/, 'another unique constraint');
    like($shown, qr/"keyless" match=row lanes=whole/, 'identity full');
    like($shown, qr/"child" match=none lanes=whole/, 'no identity');
    like($shown, qr/"parted" match=key lanes=spread/, 'partitioned');
    like($shown, qr/"numeric_key" match=key lanes=whole values of key column k/, 'numeric key');
    like($shown, qr/"citext_key" match=key lanes=whole values of key column k/, 'citext key');
    like($shown, qr/"domain_key" match=key lanes=spread/, 'domain over integer');
    like($shown, qr/^not migrated$/m, 'a table that is not listed');
};

subtest 'relations that do not fit' => sub {
    fails('a column that is not there', "relation x public.plain default id*:23 zz\n", qr/has no column "zz"/);
    fails('a column that must have a value', "relation x public.demanding default id*:23 v\n", qr/column "more" .* NOT NULL/);
    fails('a view', "relation x public.a_view default id*:23\n", qr/is not a table on the target/);
    fails('a table not copied yet', "relation x public.parted_low default id*:23 k*:23 v\n", qr/has not been copied yet/);
};

applies('net effect of a batch', '0', <<'END', 'TABLE plain', "1|z|y\n3|p|q");
plain I 1 x y
plain U 1 z ~
plain I 2 a b
plain D 2
plain I 3 p q
plain D 3
plain I 3 p q
apply
END

applies('key change and what follows it', '0', <<'END', 'TABLE plain ORDER BY 1', "2|z2|y\n3|new|row");
plain U 1 > 2 z ~
plain U 2 z2 ~
plain U 3 > 4 p q
plain I 3 new row
plain D 4
apply
END

applies('a unique value that moves', '0 1', <<'END', 'TABLE mail ORDER BY 1', "1|b\n2|c\n3|a");
mail I 1 a
mail I 2 b
mail I 3 c
apply
mail U 3 x
mail U 2 c
mail U 1 b
mail U 3 a
apply
END

applies('a key swap', '0', <<'END', 'TABLE mail ORDER BY 1', "1|c\n2|b\n3|a");
mail U 1 > 9 b
mail U 2 > 1 c
mail U 9 > 2 b
apply
END

applies('rows without a key', '0 0', <<'END', 'SELECT * FROM keyless ORDER BY a', qq(1||{"a":1}|1.00|||\n2|x|{"a":1}|2.0|<a/>||(1,2)));
keyless I 1 x {"a":1} 1.0 <a/> (1,b) (1,2)
keyless I 1 x {"a":1} 1.00 <a/> (1,b) (1,2)
keyless I 1 - {"a":1} 1.00 - - -
keyless I 1 - {"a":1} 1.00 - - -
apply
keyless D 1 - {"a":1} 1.00 - - -
keyless D 1 x {"a":1} 1.00 <a/> (1,b) (1,2)
keyless U 1 x {"a":1} 1.0 <a/> (1,b) (1,2) > 2 x ~ 2.0 <a/> - (1,2)
apply
END

applies('a partitioned table without a key', '0 0', <<'END', 'SELECT tableoid::regclass, * FROM parted_keyless ORDER BY k', "parted_keyless_1|1|x\nparted_keyless_2|2|y\nparted_keyless_2|2|z");
parted_keyless I 1 x
parted_keyless I 1 x
parted_keyless I 2 x
parted_keyless I 2 x
apply
parted_keyless D 1 x
parted_keyless U 2 x > 2 y
parted_keyless U 2 x > 2 z
apply
END

applies('computed columns', '0 0', <<'END', 'TABLE computed ORDER BY 1', "1|8|16\n2|9|18");
computed I 1 5 -
computed I 2 5 -
apply
computed U 1 8 -
computed U 2 9 -
apply
END

applies('an identity column beside the key', '0 0 1', <<'END', 'TABLE identity_beside ORDER BY 1', "00000000-0000-0000-0000-000000000001|200|aaa\n00000000-0000-0000-0000-000000000002|101|bbb");
identity_beside I 00000000-0000-0000-0000-000000000001 100 a
identity_beside I 00000000-0000-0000-0000-000000000002 101 b
apply
identity_beside U 00000000-0000-0000-0000-000000000001 100 aa
identity_beside U 00000000-0000-0000-0000-000000000002 101 bb
apply
identity_beside U 00000000-0000-0000-0000-000000000001 200 aaa
identity_beside U 00000000-0000-0000-0000-000000000002 101 bbb
apply
END

$target->sql('postgres', q{INSERT INTO identity_key OVERRIDING SYSTEM VALUE VALUES (7, 'x', 'mine')});
applies('change of an identity key', '0', <<'END', 'TABLE identity_key', '8|y|mine');
identity_key U 7 > 8 y
apply
END

applies('a partitioned table', '0 0', <<'END', 'SELECT tableoid::regclass, * FROM parted', 'parted_high|1|15|c');
parted I 1 1 a
parted I 2 2 b
parted I 3 11 c
apply
parted U 1 1 b
parted U 1 1 > 1 15 c
parted D 3 11
parted D 2 2
apply
END

applies('equal keys of other bytes', '0 0', <<'END', 'SELECT k, v FROM numeric_key UNION ALL SELECT k::text::numeric, v FROM citext_key WHERE false', '1|c');
numeric_key I 1.0 a
numeric_key D 1.0
numeric_key I 1.00 b
citext_key I Key a
apply
numeric_key U 1.00 > 1 c
citext_key U Key > KEY b
citext_key U KEY c
apply
END
is($target->sql('postgres', 'TABLE citext_key'), 'KEY|c', 'equal keys of other bytes: citext');

applies('types', '0 0 0', <<'END', 'TABLE domain_key ORDER BY k', '1|ok|{1,3}|2 days|111|abc |w2' . "\n" . '2|sad||||' . '|x');
domain_key I 1 ok {1,2} 1d 101 ab w
domain_key I 2 sad - - - - -
domain_key I 3 - - - - - -
apply
domain_key U 1 ok {1,3} 2d 111 abc w2
domain_key U 2 ~ - - - - x
apply
domain_key D 3
apply
END

applies('an inheritance child with the same key stays untouched', '0 0 0', <<'END', 'SELECT tableoid::regclass, * FROM parent', 'child|1|child');
parent I 1 parent
child I 1 child
apply
parent U 1 changed
apply
parent D 1
apply
END

applies('truncate', '0 0', <<'END', 'SELECT count(*) FROM (SELECT id FROM referred UNION ALL SELECT id FROM referring) AS a', '0');
referred I 1
referring I 1 1
apply
truncate referred referring
END

applies('a transaction in several batches', '0 0 1', <<'END', 'SELECT count(*) FROM plain WHERE id > 100', '3');
plain I 101 a b
apply open
plain I 102 a b
apply open
plain I 103 a b
plain I 104 a b
plain D 104
mail U 3 x
mail U 1 a
mail U 3 c
apply
END

subtest 'errors name the change' => sub {
    fails('a row that is not there', "plain U 55 a b\nplain I 70 a b\napply\n",
        qr/update of "public"\."plain" \(id=55\) at 0\/1, change 1: the target has no such row/);
    fails('a row in the way', "plain I 71 a b\nplain I 3 a b\napply\n",
        qr/ 23505: insert into "public"\."plain" \(id=3\) at 0\/1, change 2: .*duplicate key/);
    fails('a value that is refused', "domain_key I -5 - - - - - -\napply\n",
        qr/ 23514: insert into "public"\."domain_key" \(k=-5\)/);
    fails('a trigger that swallows', "swallowing I 1 a\napply\n", qr/inserted 0 rows instead of one/);
    fails('a row without a key that is not there', "keyless D 9 x - - - - -\napply\n",
        qr/delete from "public"\."keyless" \(a=9, b=x, j=NULL, n=NULL\)/);
    fails('an update of a table without identity', "child U 1 b\napply\n", qr/does not say which row it concerns/);
    fails('a truncate that a foreign key refuses', "truncate referred\n", qr/ 0A000: truncate .*\nhint: .*foreign key/);
    is($target->sql('postgres', 'SELECT count(*) FROM plain WHERE id IN (70, 71)'), '0', 'nothing of a failed batch stays');
};

# What script does under the policy, and what penstock.conflict has of it: sequence, kind, problem, SQLSTATE, action, key, row.
sub settles
{
    my ($name, $text, $query, $rows, $conflicts) = @_;
    $target->sql('postgres', 'DELETE FROM penstock.conflict');
    unlike(script($text), qr/^error/m, "$name: no error");
    is($target->sql('postgres', $query), $rows, "$name: rows");
    is($target->sql('postgres', q{SELECT sequence, kind, problem, sqlstate, action, key::text, new_row::text FROM penstock.conflict ORDER BY id}),
        $conflicts, "$name: penstock.conflict");
}

subtest 'policies' => sub {
    $target->sql('postgres', q{DELETE FROM plain; INSERT INTO plain VALUES (1, 'mine', 'mine'), (2, 'mine', 'mine')});
    my $changes = <<'END';
plain I 1 a b
plain U 3 c d
plain D 4
plain U 2 > 1 e f
plain U 9 only ~
plain I 5 fits fits
mail I 77 beside
apply
END
    settles('skip', "policy public.plain=skip\n$changes", q{SELECT * FROM plain ORDER BY id}, "1|mine|mine\n2|mine|mine\n5|fits|fits", <<'END' =~ s/\n$//r);
1|insert|refused|23505|skipped|{"id" : "1"}|{"id" : "1", "a" : "a", "b" : "b"}
2|update|missing||skipped|{"id" : "3"}|{"id" : "3", "a" : "c", "b" : "d"}
3|delete|missing||skipped|{"id" : "4"}|
4|update|refused|23505|skipped|{"id" : "2"}|{"id" : "1", "a" : "e", "b" : "f"}
5|update|missing||skipped|{"id" : "9"}|{"id" : "9", "a" : "only"}
END
    $target->sql('postgres', q{DELETE FROM plain WHERE id = 5; DELETE FROM mail WHERE id = 77});
    $changes =~ s/plain U 9 .*\n//;
    settles('overwrite', "policy overwrite\npolicy public.other=skip\n$changes", q{SELECT * FROM plain ORDER BY id}, "1|e|f\n3|c|d\n5|fits|fits", <<'END' =~ s/\n$//r);
1|insert|refused|23505|overwritten|{"id" : "1"}|{"id" : "1", "a" : "a", "b" : "b"}
2|update|missing||overwritten|{"id" : "3"}|{"id" : "3", "a" : "c", "b" : "d"}
3|delete|missing||overwritten|{"id" : "4"}|
4|update|refused|23505|overwritten|{"id" : "2"}|{"id" : "1", "a" : "e", "b" : "f"}
END
    is($target->sql('postgres', 'SELECT address FROM mail WHERE id = 77'), 'beside', 'other tables of the batch are applied');

    fails('overwrite does not invent values that were not sent', "policy overwrite\nplain U 9 only ~\napply\n", qr/\(id=9\) .*no such row/);
    fails('overwrite does not touch a row in the way of another constraint', "policy overwrite\nmail I 78 beside\napply\n", qr/ 23505: insert into "public"."mail" \(id=78\)/);
    fails('a policy for one table is none for others', "policy public.mail=skip\nplain I 1 a b\napply\n",
        qr/ 23505: insert .*\nhint: .*--on-conflict public\.plain=overwrite or =skip, or with --skip-lsn 0\/1 /);

    settles('rows without a key', <<'END', 'SELECT a, b FROM keyless WHERE a > 1 ORDER BY a', "2|x\n7|new", <<'RECORDED' =~ s/\n$//r);
policy public.keyless=overwrite
keyless D 9 x - - - - -
keyless U 8 y - - - - - > 7 new - - - - -
apply
END
1|delete|missing||overwritten|{"a" : "9", "b" : "x", "j" : null, "n" : null, "x" : null, "p" : null, "g" : null}|
2|update|missing||overwritten|{"a" : "8", "b" : "y", "j" : null, "n" : null, "x" : null, "p" : null, "g" : null}|{"a" : "7", "b" : "new", "j" : null, "n" : null, "x" : null, "p" : null, "g" : null}
RECORDED

    settles('a transaction that is left out', <<'END', 'SELECT count(*) FROM plain', '3', <<'RECORDED' =~ s/\n$//r);
leave-out
plain I 90 a b
plain D 5
apply
truncate plain
END
1|insert|transaction skipped||skipped|{"id" : "90"}|{"id" : "90", "a" : "a", "b" : "b"}
2|delete|transaction skipped||skipped|{"id" : "5"}|
3|truncate|transaction skipped||skipped||
RECORDED
};

is($target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'penstock%'}),
    '0', 'no connection stays');

done_testing();
