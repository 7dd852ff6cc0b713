# Keys that move: changed, swapped, shifted by one, used again in the same transaction.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

# shifted is filled from the highest id down, so that "id = id + 1" never meets an id that is still there.
$source->sql('postgres', <<'SQL');
CREATE TABLE items (id int PRIMARY KEY, v text);
INSERT INTO items SELECT i, 'v' || i FROM generate_series(1, 500) AS i;
CREATE TABLE shifted (id int PRIMARY KEY, v text);
INSERT INTO shifted SELECT i, 'v' || i FROM generate_series(500, 1, -1) AS i;
CREATE TABLE codes (id int PRIMARY KEY, code text UNIQUE DEFERRABLE);
INSERT INTO codes SELECT i, 'c' || i FROM generate_series(1, 100) AS i;
CREATE TABLE slots (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO slots SELECT i, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 50) AS i;
CREATE TABLE "Odd ""Names" ("Key ""1" text COLLATE "C", "select" int, "a column whose name is as long as PostgreSQL lets a name be, 63" int,
    PRIMARY KEY ("Key ""1", "select"));
INSERT INTO "Odd ""Names" SELECT 'k' || i, i, i FROM generate_series(1, 100) AS i;
CREATE TABLE numeric_keys (k numeric PRIMARY KEY, v int);
INSERT INTO numeric_keys SELECT i + 0.50, i FROM generate_series(1, 50) AS i;
CREATE TYPE pair AS (n numeric, t text);
CREATE TABLE row_keys (k pair PRIMARY KEY, v int);
INSERT INTO row_keys SELECT (i, 'p' || i)::pair, i FROM generate_series(1, 50) AS i;
CREATE TABLE row_array_keys (k pair[] PRIMARY KEY, v int);
INSERT INTO row_array_keys SELECT ARRAY[(i, 'p' || i)::pair], i FROM generate_series(1, 50) AS i;
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE domain_array_keys (k positive[] PRIMARY KEY, v int);
INSERT INTO domain_array_keys SELECT ARRAY[i]::positive[], i FROM generate_series(1, 50) AS i;
CREATE FUNCTION point_order(a point, b point) RETURNS int IMMUTABLE LANGUAGE sql
    AS 'SELECT pg_catalog.btint4cmp(a[0]::int, b[0]::int)';
CREATE OPERATOR <<< (LEFTARG = point, RIGHTARG = point, PROCEDURE = point_left);
CREATE OPERATOR CLASS point_ops FOR TYPE point USING btree AS OPERATOR 1 <<<, OPERATOR 3 ~=, FUNCTION 1 point_order(point, point);
CREATE TABLE point_keys (k point NOT NULL, v int);
CREATE UNIQUE INDEX point_keys_k ON point_keys (k point_ops);
ALTER TABLE point_keys REPLICA IDENTITY USING INDEX point_keys_k;
INSERT INTO point_keys SELECT point(i, 0.1), i FROM generate_series(1, 50) AS i;
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO parents SELECT generate_series(1, 50);
INSERT INTO children SELECT i, 1 + i % 50 FROM generate_series(1, 500) AS i;
SQL
$migration->ok('copy');
same_rows($source, $target, 'postgres', 'after the copy');
$migration->follow;

$migration->same_after('a key changes', 'UPDATE items SET id = -id WHERE id % 5 = 0');
$migration->same_after('keys are swapped', <<'SQL');
BEGIN;
UPDATE items SET id = 1000001 WHERE id = 1;
UPDATE items SET id = 1 WHERE id = 2;
UPDATE items SET id = 2 WHERE id = 1000001;
COMMIT;
SQL
$migration->same_after('keys move by one', 'UPDATE shifted SET id = id + 1');
$migration->same_after('a key goes and comes back', <<'SQL');
BEGIN;
DELETE FROM items WHERE id = 4;
INSERT INTO items VALUES (4, 'second');
DELETE FROM items WHERE id = 4;
INSERT INTO items VALUES (4, 'third');
UPDATE items SET v = 'fourth' WHERE id = 4;
COMMIT;
BEGIN;
INSERT INTO items VALUES (-10000, 'never seen');
UPDATE items SET v = 'still not' WHERE id = -10000;
DELETE FROM items WHERE id = -10000;
COMMIT;
SQL
$migration->same_after('a key changes in a chain, with other columns', <<'SQL');
BEGIN;
UPDATE items SET id = 20001, v = 'a' WHERE id = 8;
UPDATE items SET id = 20002 WHERE id = 20001;
UPDATE items SET id = 8, v = v || 'b' WHERE id = 20002;
INSERT INTO items VALUES (20001, 'new');
COMMIT;
SQL
$migration->same_after('values of another unique column are swapped', <<'SQL');
UPDATE codes SET code = CASE id WHEN 1 THEN 'c2' ELSE 'c1' END WHERE id IN (1, 2);
UPDATE codes SET code = 'c' || (id % 100 + 1);
BEGIN;
DELETE FROM codes WHERE id = 10;
INSERT INTO codes SELECT 1000, 'c11';
COMMIT;
SQL
$migration->same_after('an exclusion constraint is met row by row', <<'SQL');
BEGIN;
DELETE FROM slots WHERE id = 1;
UPDATE slots SET during = int4range(10, 20) WHERE id = 2;
UPDATE slots SET during = int4range(20, 30) WHERE id = 3;
INSERT INTO slots VALUES (1, int4range(30, 40));
COMMIT;
SQL
$migration->same_after('quoted names', <<'SQL');
UPDATE "Odd ""Names" SET "select" = "select" + 1000, "Key ""1" = "Key ""1" || '"' WHERE "select" % 2 = 0;
DELETE FROM "Odd ""Names" WHERE "select" % 3 = 0;
SQL
$migration->same_after('equal keys with other digits', <<'SQL');
UPDATE numeric_keys SET k = k + 0.000, v = -v WHERE v % 2 = 0;
DELETE FROM numeric_keys WHERE k = 3.5;
INSERT INTO numeric_keys VALUES (3.5000, 0);
SQL
$migration->same_after('keys of types that have no equality of their own', <<'SQL');
UPDATE row_keys SET k = ((k).n + 0.00, (k).t), v = -v WHERE v % 2 = 0;
DELETE FROM row_keys WHERE v % 5 = 0;
INSERT INTO row_keys VALUES ((5.0, 'p5'), 0);
UPDATE row_array_keys SET v = -v WHERE v % 2 = 0;
UPDATE row_array_keys SET k = k || k WHERE v % 3 = 0;
DELETE FROM row_array_keys WHERE v % 5 = 0;
UPDATE domain_array_keys SET k = k || 7::positive, v = -v WHERE v % 2 = 0;
DELETE FROM domain_array_keys WHERE v % 5 = 0;
UPDATE point_keys SET k = point(v + 1000, 0.2), v = -v WHERE v % 2 = 0;
DELETE FROM point_keys WHERE v % 5 = 0;
SQL
$migration->same_after('cascades arrive as the changes that they make', <<'SQL');
UPDATE parents SET id = id + 100 WHERE id <= 25;
DELETE FROM parents WHERE id > 120 OR id BETWEEN 26 AND 30;
SQL

is($migration->{applier}->stop, 0, 'the applier ends cleanly');

# Sixteen times the limit of a batch is the room for a transaction of deferrable constraints; this one takes more, so that
# it is cut where its constraint does not hold. The target does not look: see docs/applier.md.
my $applier = $migration->follow('--workers', 2, '--', '--batch-rows', 1, '--linger', 0);
$migration->same_after('a transaction is cut where a deferrable constraint does not hold', <<'SQL');
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE codes SET code = 'c' || (id % 100 + 50) WHERE id <= 100;
UPDATE codes SET code = 'd' || id WHERE id % 3 = 0;
COMMIT;
SQL
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
