# Large values that an update leaves alone are not in the stream; the target's stay as they are.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

# random_text(n): n hexadecimal digits that do not compress well enough to stay in the row.
$source->sql('postgres', <<'SQL');
CREATE FUNCTION random_text(n int) RETURNS text LANGUAGE sql VOLATILE AS
    $$ SELECT string_agg(md5(random()::text), '') FROM generate_series(1, n / 32) $$;
CREATE TABLE documents (id int PRIMARY KEY, n int, a text, b text, c bytea);
ALTER TABLE documents ALTER c SET STORAGE EXTERNAL;
CREATE TABLE full_documents (LIKE documents INCLUDING ALL);
ALTER TABLE full_documents REPLICA IDENTITY FULL;
CREATE TABLE large_keys (k text PRIMARY KEY, n int, a text);
INSERT INTO documents
SELECT i, i, random_text(20000), random_text(6400), random_text(9600)::bytea FROM generate_series(1, 40) AS i;
INSERT INTO full_documents SELECT * FROM documents;
INSERT INTO large_keys SELECT 'k' || i, i, random_text(20000) FROM generate_series(1, 20) AS i;
SQL
$migration->ok('copy');
same_rows($source, $target, 'postgres', 'after the copy');
$migration->follow;

foreach my $table (qw(documents full_documents)) {
    $source->sql('postgres', "UPDATE $table SET n = n + 1");
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', "$table: unchanged");

    $source->sql('postgres', "UPDATE $table SET a = random_text(30000) WHERE id <= 10");
    $source->sql('postgres', "UPDATE $table SET b = NULL, c = '' WHERE id BETWEEN 11 AND 20");
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', "$table: changed");

    # One transaction, one row: set a, leave it, set b, leave both.
    $source->sql('postgres', <<"SQL");
BEGIN;
UPDATE $table SET a = random_text(25000) WHERE id <= 20;
UPDATE $table SET n = n + 1 WHERE id <= 20;
UPDATE $table SET b = random_text(9000) WHERE id <= 20;
UPDATE $table SET n = n + 1 WHERE id <= 20;
INSERT INTO $table SELECT id + 100, n, random_text(20000), b, c FROM $table WHERE id <= 5;
UPDATE $table SET n = n * 2 WHERE id > 100;
UPDATE $table SET id = id + 1000 WHERE id BETWEEN 1 AND 5;
UPDATE $table SET n = -n WHERE id > 1000;
DELETE FROM $table WHERE id = 1001;
COMMIT;
SQL
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', "$table: both in one transaction");
}

$source->sql('postgres', "UPDATE large_keys SET k = 'other' || k");
$source->sql('postgres', 'UPDATE large_keys SET n = 0, k = k || k WHERE n % 2 = 0');
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'a changed key beside an unchanged large value');

$source->sql('postgres', "INSERT INTO documents VALUES (5000, 0, repeat('x', 30000000), random_text(4000000), NULL)");
$source->sql('postgres', 'UPDATE documents SET n = 1 WHERE id = 5000');
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'values of many megabytes');

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
