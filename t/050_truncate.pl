# TRUNCATE of several tables is one event, in its place between the changes around it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

$source->sql('postgres', <<'SQL');
CREATE TABLE a (id serial PRIMARY KEY, v int);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b);
CREATE TABLE p (id int, day int, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (id);
CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN (1, 2, 3);
CREATE TABLE p2b PARTITION OF p2 DEFAULT;
CREATE TABLE parent (id int PRIMARY KEY, v int);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
CREATE TABLE keyless (v int);
INSERT INTO a (v) SELECT generate_series(1, 100);
INSERT INTO b SELECT i, i FROM generate_series(1, 100) AS i;
INSERT INTO c SELECT i, i FROM generate_series(1, 100) AS i;
INSERT INTO p SELECT i, i % 20, i FROM generate_series(1, 100) AS i;
INSERT INTO parent SELECT i, i FROM generate_series(1, 10) AS i;
INSERT INTO child SELECT i, i FROM generate_series(11, 20) AS i;
INSERT INTO keyless SELECT generate_series(1, 10);
SQL
$migration->ok('copy');
same_rows($source, $target, 'postgres', 'after the copy');
$migration->follow;

$migration->same_after('several tables with a foreign key between them', <<'SQL');
BEGIN;
INSERT INTO c VALUES (1000, 1);
TRUNCATE c, b, keyless;
INSERT INTO b VALUES (1, 1), (2, 2);
INSERT INTO keyless VALUES (1), (1);
COMMIT;
SQL
$migration->same_after('cascade takes the tables that refer to it', <<'SQL');
INSERT INTO c VALUES (1, 1);
TRUNCATE a RESTART IDENTITY CASCADE;
INSERT INTO a (v) SELECT generate_series(1, 50);
INSERT INTO b SELECT i, i FROM generate_series(1, 50) AS i;
SQL
$migration->same_after('a leaf partition', 'TRUNCATE p1');
$migration->same_after('a partitioned table in the middle', 'TRUNCATE p2; INSERT INTO p SELECT i, i % 20, -i FROM generate_series(1, 60) AS i');
$migration->same_after('a partitioned table at the root', <<'SQL');
BEGIN;
UPDATE p SET v = v + 1;
TRUNCATE p;
INSERT INTO p SELECT i, i % 20, i FROM generate_series(1, 30) AS i;
UPDATE p SET day = (day + 10) % 20;
COMMIT;
SQL
$migration->same_after('only the parent', 'TRUNCATE ONLY parent');
$migration->same_after('a parent with its children', 'INSERT INTO parent VALUES (1, 1); TRUNCATE parent; INSERT INTO child VALUES (5, 5)');
# Small tables may be emptied by DELETE, but not where that would do something else than TRUNCATE.
$target->sql('postgres', <<'SQL');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a delete came'; END $$;
CREATE TRIGGER refuse BEFORE DELETE ON keyless FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE keyless ENABLE ALWAYS TRIGGER refuse;
SQL
$migration->same_after('a small table whose trigger would see a delete',
    'INSERT INTO keyless VALUES (7); TRUNCATE keyless; INSERT INTO keyless VALUES (8)');
$target->sql('postgres', 'DROP TRIGGER refuse ON keyless');
$migration->same_after('a small table, again and again', join ';', ('INSERT INTO keyless VALUES (9)', 'TRUNCATE keyless') x 20);
$migration->same_after('a table that has grown', <<'SQL');
INSERT INTO keyless SELECT generate_series(1, 50000);
TRUNCATE keyless;
INSERT INTO keyless VALUES (10);
SQL
is($target->sql('postgres', "SELECT pg_relation_size('keyless') <= 8192"), 't', 'its room is given back');
$migration->same_after('one that was rolled back', <<'SQL');
BEGIN;
SAVEPOINT s;
TRUNCATE a CASCADE;
ROLLBACK TO s;
INSERT INTO a (v) VALUES (1);
COMMIT;
BEGIN;
TRUNCATE p;
ROLLBACK;
SQL
$migration->same_after('many, in short transactions', join('', map { "TRUNCATE keyless; INSERT INTO keyless VALUES ($_);" } 1 .. 50));

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
