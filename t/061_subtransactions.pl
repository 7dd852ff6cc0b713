# What subtransactions leave behind arrives; what they roll back does not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

$source->sql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v int, big text);
CREATE TABLE log (v int);
INSERT INTO t SELECT i, i FROM generate_series(1, 100) AS i;
-- n subtransactions; those where bad divides the number fail and are rolled back by their exception handler.
CREATE FUNCTION in_steps(first int, n int, bad int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN first .. first + n - 1 LOOP
        BEGIN
            INSERT INTO t VALUES (i, i);
            UPDATE t SET v = v + 1 WHERE id = i;
            IF i % bad = 0 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN
            INSERT INTO log VALUES (i);
        END;
    END LOOP;
END $$;
SQL
$migration->ok('copy');
$migration->follow;

$migration->same_after('savepoints, nested, released and rolled back', <<'SQL');
BEGIN;
UPDATE t SET v = 0 WHERE id = 1;
SAVEPOINT a;
UPDATE t SET v = 1 WHERE id = 1;
SAVEPOINT b;
UPDATE t SET v = 2 WHERE id = 1;
DELETE FROM t WHERE id = 2;
ROLLBACK TO b;
INSERT INTO t VALUES (1000, 1);
RELEASE a;
SAVEPOINT a;
UPDATE t SET id = id + 5000 WHERE id < 10;
SAVEPOINT c;
DELETE FROM t;
ROLLBACK TO c;
UPDATE t SET v = v + 1;
COMMIT;
SQL
$migration->same_after('more subtransactions than a snapshot holds', 'SELECT in_steps(10000, 500, 3)');
$migration->same_after('all of them rolled back', 'SELECT in_steps(20000, 200, 1)');
$migration->same_after('rolled back at the end', 'BEGIN; SELECT in_steps(30000, 200, 3); ROLLBACK; INSERT INTO log VALUES (-1)');
$migration->same_after('a subtransaction large enough to spill', <<'SQL');
BEGIN;
INSERT INTO log SELECT generate_series(1, 10);
SAVEPOINT a;
INSERT INTO t SELECT i, i FROM generate_series(100000, 120000) AS i;
SAVEPOINT b;
UPDATE t SET v = -v WHERE id >= 100000;
ROLLBACK TO b;
DELETE FROM t WHERE id >= 100000 AND id % 2 = 0;
COMMIT;
SQL

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
