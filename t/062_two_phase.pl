# A prepared transaction arrives when it is committed, as a plain one; one that is rolled back never does.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

$source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) AS i');
$migration->ok('copy');
$migration->follow;

$source->sql('postgres', <<'SQL');
BEGIN;
UPDATE t SET v = v + 1000 WHERE id <= 50;
SAVEPOINT s;
DELETE FROM t WHERE id = 60;
ROLLBACK TO s;
INSERT INTO t VALUES (200, 1);
PREPARE TRANSACTION 'stays';
BEGIN;
DELETE FROM t WHERE id = 70;
PREPARE TRANSACTION 'goes';
INSERT INTO t VALUES (300, 1);
SQL
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'prepared');
is($target->sql('postgres', 'SELECT count(*) FROM t WHERE id = 200'), '0', 'nothing of it is there yet');

$source->restart;
$source->sql('postgres', "COMMIT PREPARED 'stays'; ROLLBACK PREPARED 'goes'");
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'committed and rolled back after a restart of the source');
is($target->sql('postgres', 'SELECT count(*) FROM t WHERE id = 200'), '1', 'it is there now');

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
