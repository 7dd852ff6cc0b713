# A source of a later major: the plugin's build for 15, its types, its generated columns, its partitioned tables. The target
# is 18 where t/install --with-18 has put one and its pg_dump is on PATH or in Debian's place, else 15.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $has_18 = grep { -x "$_/pg_dump" && `$_/pg_dump --version` =~ /\) 18/ } split(/:/, $ENV{PATH}), '/usr/lib/postgresql/18/bin';
my $major = $has_18 && -e "$ENV{PENSTOCK_SERVERS}/pg18/PACKAGE" ? 18 : 15;
my $source = start_source('source', major => 15);
my $target = start_target('target', major => $major);
my $migration = migration($source, $target, ddl => 'off');
note("from 15 to $major");

$source->sql('postgres', <<'SQL');
CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, n numeric, double int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO items (v, n) SELECT 'v' || i, i / 7.0 FROM generate_series(1, 1000) AS i;
CREATE TABLE later (id xid8 PRIMARY KEY, path jsonpath, ranges int4multirange, moments tstzmultirange, at pg_lsn);
INSERT INTO later SELECT i::text::xid8, '$.a[*] ? (@ > 1)', '{[1,3), [5,9)}', '{}', '0/16B3748' FROM generate_series(1, 100) AS i;
CREATE TABLE keyless (a int, b text);
CREATE TABLE whole (a int, b text);
ALTER TABLE whole REPLICA IDENTITY FULL;
INSERT INTO whole SELECT i % 10, 'b' FROM generate_series(1, 30) AS i;
CREATE TABLE large (id int PRIMARY KEY, body text, n int);
ALTER TABLE large ALTER body SET STORAGE EXTERNAL;
INSERT INTO large SELECT i, repeat(md5(i::text), 500), i FROM generate_series(1, 50) AS i;
CREATE TABLE parted (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY HASH (k);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT i, i % 20, 'p' || i FROM generate_series(1, 500) AS i;
-- Its foreign key is one to each partition, too, which does not hold by itself.
CREATE TABLE anchor (id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE anchor_1 PARTITION OF anchor FOR VALUES IN (1, 2); CREATE TABLE anchor_2 PARTITION OF anchor FOR VALUES IN (3, 4);
INSERT INTO anchor SELECT generate_series(1, 4);
CREATE TABLE referring (id int PRIMARY KEY REFERENCES anchor);
INSERT INTO referring SELECT generate_series(1, 4);
SQL

$migration->ok('check');
$migration->ok('copy');
same_rows($source, $target, 'postgres', 'after the copy');
my $applier = $migration->follow;

$migration->same_after('inserts', <<'SQL');
INSERT INTO items (v, n) SELECT 'new ' || i, -i FROM generate_series(1, 3000) AS i;
INSERT INTO later SELECT i::text::xid8, 'strict $.b', '{(,5), [7,)}', '{[2026-01-01 00:00+00,2026-02-01 00:00+00)}', '1/0'
    FROM generate_series(1000, 1100) AS i;
INSERT INTO keyless SELECT i, NULL FROM generate_series(1, 100) AS i;
INSERT INTO parted SELECT i, i % 20, 'p' || i FROM generate_series(1001, 1500) AS i;
SQL
$migration->same_after('updates and deletes', <<'SQL');
UPDATE items SET v = v || '!' WHERE id % 3 = 0;
DELETE FROM items WHERE id % 5 = 0;
UPDATE later SET ranges = ranges * '{[2,6)}', path = '$' WHERE id::text::int % 2 = 0;
UPDATE whole SET b = 'c' WHERE a = 3;
DELETE FROM whole WHERE a = 4;
UPDATE large SET n = -n;
UPDATE large SET body = repeat('x', 20000) WHERE id % 2 = 0;
UPDATE parted SET v = NULL WHERE id % 4 = 0;
SQL
$migration->same_after('keys and partitions change', <<'SQL');
UPDATE large SET id = id + 1000 WHERE id % 3 = 0;
UPDATE parted SET k = k + 1 WHERE id % 7 = 0;
SQL
$migration->same_after('savepoints and a transaction that is prepared', <<'SQL');
BEGIN;
INSERT INTO items (v) VALUES ('kept');
SAVEPOINT s;
INSERT INTO items (v) VALUES ('rolled back');
ROLLBACK TO s;
UPDATE items SET v = 'kept twice' WHERE v = 'kept';
PREPARE TRANSACTION 'two';
COMMIT PREPARED 'two';
SQL
$migration->same_after('truncate and rows after it', 'TRUNCATE keyless, parted; INSERT INTO parted VALUES (1, 1, NULL)');

$target->sql('postgres', 'ALTER TABLE whole ADD COLUMN c jsonb');
$migration->same_after('a column more', q{ALTER TABLE whole ADD COLUMN c jsonb; INSERT INTO whole VALUES (1, 'b', '{"a": [1, null]}')});

$applier->kill9;
$source->sql('postgres', 'INSERT INTO items (v) SELECT i FROM generate_series(1, 20000) AS i');
$applier->start;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'after the applier was killed');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
