# A table is not its name, and a column is not: what is dropped and made anew, swapped by rename, or given another type at the
# source never gets silently mixed with the rows that were copied. And tables that come and go stop nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $sql = sub { $source->sql('postgres', $_[0]) };
my $both = sub { $_->sql('postgres', $_[0]) foreach $source, $target };
$sql->(<<'SQL');
CREATE TABLE report (day int, v int);
CREATE TABLE price (id int PRIMARY KEY, v int);
CREATE TABLE price_next (id int PRIMARY KEY, v int);
CREATE TABLE keyed (id int PRIMARY KEY, v int);
CREATE TABLE columns (id int PRIMARY KEY, a int, b int);
CREATE TABLE cents (id int PRIMARY KEY, v int);
CREATE TABLE widened (id int PRIMARY KEY, v varchar(3), n numeric(4,2), t varchar(5));
CREATE TABLE named (id int PRIMARY KEY);
CREATE TABLE packed (id int PRIMARY KEY, v int, big text);
INSERT INTO report SELECT g, g FROM generate_series(1, 10) AS g;
INSERT INTO price SELECT g, g FROM generate_series(1, 10) AS g;
INSERT INTO keyed SELECT g, g FROM generate_series(1, 10) AS g;
INSERT INTO columns SELECT g, g, -g FROM generate_series(1, 10) AS g;
INSERT INTO cents SELECT g, g * 100 FROM generate_series(1, 10) AS g;
INSERT INTO widened VALUES (1, 'a', 1.25, 't');
INSERT INTO packed SELECT g, g, repeat('x', 100) FROM generate_series(1, 500) AS g;
SQL
my $migration = migration($source, $target, ddl => 'off');
$migration->ok('copy', '--lanes', 4);
my $applier;

# It stops, and what was copied stays as it was; then it is copied again.
sub stops
{
    my ($name, $pattern, $changes, $on_target) = @_;
    my ($table) = $pattern =~ /public\\\.(\w+)/;
    my $before = $target->sql('postgres', "SELECT * FROM $table");
    $applier = $migration->follow;
    $sql->($changes);
    is($applier->wait, 3, "$name: the applier stops");
    like($applier->log_text, qr/$pattern.*hint .*penstock copy/s, "$name: why, and what to do");
    is($target->sql('postgres', "SELECT * FROM $table"), $before, "$name: nothing is mixed");
    like($migration->exits(3, 'cutover', '--proxy=none', '--yes')->{stderr}, qr/to be copied: [^\n]*public\.$table/, "$name: and no cutover");
    $target->sql('postgres', $on_target) if $on_target;
    $migration->ok('copy');
    $applier = $migration->follow;
    $migration->same_after("$name: copied again, it goes on", "UPDATE packed SET v = v + 1 WHERE id <= 10");
    is($applier->stop, 0, "$name: the applier ends cleanly");
    return;
}

stops('made anew', 'table public\.report of the source is another one than the table that was copied',
    'UPDATE packed SET v = v + 1; DROP TABLE report; CREATE TABLE report AS SELECT g AS day, g * 2 AS v FROM generate_series(1, 12) AS g');

my $swap = 'ALTER TABLE price RENAME TO price_old; ALTER TABLE price_next RENAME TO price; ALTER TABLE price_old RENAME TO price_next';
$applier = $migration->follow;
$migration->same_after('rows of the one that is swapped in later', 'INSERT INTO price_next SELECT g, g * 100 FROM generate_series(1, 20) AS g');
is($applier->stop, 0, 'the applier ends cleanly');
stops('swapped by rename', 'table public\.price(?:_next)? of the source is another one .*; this is the one that was copied as public\.price',
    "BEGIN; $swap; TRUNCATE price_next; COMMIT; UPDATE price SET v = v + 1 WHERE id <= 5", "BEGIN; $swap; COMMIT");

stops('a column made anew', 'column "a" of table public\.columns is not as it was',
    'ALTER TABLE columns DROP a; ALTER TABLE columns ADD a int; INSERT INTO columns VALUES (11, 11, 11)',
    'ALTER TABLE columns DROP a; ALTER TABLE columns ADD a int');
my $names = 'ALTER TABLE columns RENAME a TO c; ALTER TABLE columns RENAME b TO a; ALTER TABLE columns RENAME c TO b';
stops('columns that swap names', 'column "a" of table public\.columns is not as it was',
    "BEGIN; $names; INSERT INTO columns VALUES (12, 1, 2); COMMIT", $names);

# Of a table that was written anew the stream says so by itself: it is left out, and nothing stops.
my $cents = $target->sql('postgres', 'SELECT * FROM cents');
$applier = $migration->follow;
$sql->('ALTER TABLE cents ALTER v TYPE numeric(12,2) USING v / 100.0; UPDATE cents SET v = 2.50 WHERE id = 2; UPDATE packed SET v = v + 1 WHERE id <= 10');
$migration->wait_until_caught_up;
like($applier->log_text, qr/column "v" of table public\.cents is not as it was.* left out until it has been copied again/, 'another type: what is left out, and why');
is($target->sql('postgres', 'SELECT * FROM cents'), $cents, 'another type: nothing is mixed');
is($applier->stop, 0, 'another type: the applier goes on until it is told to end');
$target->sql('postgres', 'ALTER TABLE cents ALTER v TYPE numeric(12,2)');
$migration->ok('copy');
$applier = $migration->follow;
$migration->same_after('another type: copied again, it goes on', 'UPDATE cents SET v = 3.75 WHERE id = 3');
is($applier->stop, 0, 'another type: the applier ends cleanly');

# What changes no value goes on: longer types, new columns, a new name of the table's key.
$applier = $migration->follow;
$both->('ALTER TABLE widened ALTER v TYPE varchar(10), ALTER n TYPE numeric(6,2), ALTER t TYPE text');
$migration->same_after('longer types', q{INSERT INTO widened VALUES (2, 'abcdefghij', 1234.25, 'longer than it was'); UPDATE widened SET v = 'aaaaa' WHERE id = 1});
$target->sql('postgres', q{ALTER TABLE widened ADD x int DEFAULT 7});
$migration->same_after('a new column', q{ALTER TABLE widened ADD x int DEFAULT 7; INSERT INTO widened VALUES (3, 'b', 2, 'c', 8)});
is($applier->stop, 0, 'the applier ends cleanly');
stops('a new column made anew', 'column "x" of table public\.widened is not as it was',
    'ALTER TABLE widened DROP x; ALTER TABLE widened ADD x int DEFAULT 9; UPDATE widened SET n = 0',
    'ALTER TABLE widened DROP x; ALTER TABLE widened ADD x int DEFAULT 9');

# Told to leave it out, the applier goes on, after a kill too.
$applier = $migration->follow('--on-undecodable=recopy');
$sql->('BEGIN; DROP TABLE keyed; CREATE TABLE keyed (id int PRIMARY KEY, v int); INSERT INTO keyed SELECT g, -g FROM generate_series(100, 110) AS g; COMMIT');
$sql->('UPDATE packed SET v = v + 1 WHERE id <= 10');
$migration->wait_until_caught_up;
like($applier->log_text, qr/table public\.keyed of the source is another one .* left out until it has been copied again/, 'it says what it leaves out');
$applier->kill9;
$applier = $migration->follow('--on-undecodable=recopy');
$sql->('INSERT INTO keyed VALUES (1, 1)');
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT min(id), max(id) FROM keyed'), '1|10', 'the rows of the old one are as they were');
is($applier->stop, 0, 'the applier ends cleanly');
$migration->ok('copy');
$applier = $migration->follow;
$migration->same_after('copied again', 'INSERT INTO keyed VALUES (2, 2)');

# Tables that come and go: as pg_repack makes them, by hand; and one that the migration had begun to wait for.
# The applier does not run meanwhile: one that comes to such a table while it is there takes it for one to be moved.
is($applier->stop, 0, 'the applier ends cleanly');
$sql->(<<'SQL');
CREATE TABLE log_1 (n bigserial PRIMARY KEY, id int, old packed);
CREATE TABLE table_1 AS SELECT * FROM packed;
ALTER TABLE table_1 ADD PRIMARY KEY (id);
INSERT INTO log_1 (id, old) SELECT id, p FROM packed p WHERE id <= 3;
BEGIN;
LOCK TABLE packed IN ACCESS EXCLUSIVE MODE;
WITH a AS (SELECT oid, relfilenode FROM pg_class WHERE oid = 'packed'::regclass), b AS (SELECT oid, relfilenode FROM pg_class WHERE oid = 'table_1'::regclass)
UPDATE pg_class c SET relfilenode = CASE c.oid WHEN a.oid THEN b.relfilenode ELSE a.relfilenode END FROM a, b WHERE c.oid IN (a.oid, b.oid);
WITH a AS (SELECT oid, relfilenode FROM pg_class WHERE oid = 'packed_pkey'::regclass), b AS (SELECT oid, relfilenode FROM pg_class WHERE oid = 'table_1_pkey'::regclass)
UPDATE pg_class c SET relfilenode = CASE c.oid WHEN a.oid THEN b.relfilenode ELSE a.relfilenode END FROM a, b WHERE c.oid IN (a.oid, b.oid);
COMMIT;
DROP TABLE table_1; DROP TABLE log_1;
UPDATE packed SET v = v + 1 WHERE id <= 20; INSERT INTO packed VALUES (1000, 1, 'new'); DELETE FROM packed WHERE id = 50;
SQL
$applier = $migration->follow;
$migration->same_after('a table was rewritten by a tool', 'UPDATE packed SET v = v + 1 WHERE id <= 10');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
