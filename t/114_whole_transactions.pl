# With one lane, whoever reads the target sees the source's transactions whole: never one half of a transfer, never a row of
# one table without its fellow in the other, never a part of a large transaction; however small batches may be.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

$source->sql('postgres', <<'SQL');
CREATE TABLE accounts (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO accounts SELECT i, 0 FROM generate_series(1, 100) AS i;
CREATE TABLE here (id serial PRIMARY KEY, v int);
CREATE TABLE there (v int);
CREATE TABLE large (id int PRIMARY KEY, v int);
CREATE TABLE finished (id int PRIMARY KEY);
SQL
$migration->ok('copy', '--lanes', 1);

# Looks again and again until the load's last row is there. The large transaction leaves no row, or all of them.
my $reader = <<'SQL';
CREATE FUNCTION look() RETURNS text LANGUAGE plpgsql AS $$
DECLARE looks int := 0; moved int := 0; halves int := 0; seen text; last text := ''; bad record;
BEGIN
    LOOP
        SELECT (SELECT sum(v) FROM accounts) AS sum, (SELECT count(*) FROM here) AS here, (SELECT count(*) FROM there) AS there,
               (SELECT count(*) FROM large) AS large, EXISTS (SELECT FROM finished) AS finished INTO bad;
        looks := looks + 1;
        seen := bad.here || '/' || bad.large;
        moved := moved + (seen <> last)::int;
        last := seen;
        halves := halves + (bad.sum <> 0 OR bad.here <> bad.there OR bad.large NOT IN (0, 1500))::int;
        EXIT WHEN bad.finished;
    END LOOP;
    RETURN format('looks=%s moved=%s halves=%s', looks, moved, halves);
END $$
SQL
$target->sql('postgres', $reader);
my $script = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
PostgreSQL::Test::Utils::append_to_file($script, <<'PGBENCH');
\set a random(1, 50)
\set b random(51, 100)
\set v random(-1000, 1000)
BEGIN;
UPDATE accounts SET v = v - :v WHERE id = :a;
INSERT INTO here (v) VALUES (:v);
UPDATE accounts SET v = v + :v WHERE id = :b;
INSERT INTO there VALUES (:v);
COMMIT;
PGBENCH

foreach my $rows (1, 40) {
    $target->sql('postgres', 'TRUNCATE finished');
    my $applier = $migration->follow('--workers', 3, '--', '--batch-rows', $rows, '--linger', 1);
    my $looking = background('look', 'psql', '-XAt', '-c', 'SELECT look()', $target->uri('postgres'));
    my $load = run_program($source->installed_command('pgbench'), '--no-vacuum', '--client=3', '--transactions=100', "--file=$script",
        $source->uri('postgres'));
    is($load->{status}, 0, 'the load ran');
    $source->sql('postgres', <<'SQL');
INSERT INTO large SELECT i, i FROM generate_series(1, 1500) AS i;
UPDATE large SET v = v + 1;
BEGIN;
DELETE FROM large WHERE id <= 1000;
INSERT INTO here (v) SELECT i FROM generate_series(1, 500) AS i;
DELETE FROM large;
INSERT INTO there SELECT i FROM generate_series(1, 500) AS i;
COMMIT;
INSERT INTO finished VALUES (1);
SQL
    is($looking->wait, 0, "batches of $rows: the reader saw the end");
    my ($looks, $moved, $halves) = $looking->log_text =~ /looks=(\d+) moved=(\d+) halves=(\d+)/;
    is($halves, 0, "batches of $rows: no half of a transaction in $looks looks");
    cmp_ok($moved, '>', 1, "batches of $rows: they were taken while things moved, $moved times");
    $source->sql('postgres', 'DELETE FROM finished');
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', "batches of $rows");
    is($applier->stop, 0, 'the applier ends cleanly');
}
my ($table) = $migration->ok('status', '--tables')->{stdout} =~ /^(.* public\.accounts .*)$/m;
like($table, qr/ 0 +public\.accounts  \(the migration has one lane\)/, 'status shows the one lane');
done_testing();
