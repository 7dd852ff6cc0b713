# What differs is made what it is at the source, row by row, while both sides are written: nothing of the stream is lost or done
# twice, every repaired row is listed, and what becomes wrong again is said.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');

$source->sql('postgres', <<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE counters (id int PRIMARY KEY, n bigint NOT NULL DEFAULT 0, note text, f float8);
CREATE TABLE parts (id bigint, k text, v text, PRIMARY KEY (id, k));
CREATE TABLE odd ("the key" numeric, m mood, "a 'b'" text, b bytea, PRIMARY KEY ("the key", m));
CREATE TABLE keyless (a int, b text);
CREATE TABLE heap (a int, b text);
CREATE TABLE identity (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, u int UNIQUE);
CREATE TABLE crossed (id int PRIMARY KEY, u int UNIQUE, pad text);
CREATE SEQUENCE counter;
SELECT setval('counter', 41);
INSERT INTO counters (id, f) SELECT i, 0.1 + i / 3.0 FROM generate_series(1, 300) AS i;
INSERT INTO parts SELECT i, 'k' || i % 7, repeat('x', 300) FROM generate_series(1, 20000) AS i;
INSERT INTO crossed SELECT i, i, repeat('x', 300) FROM generate_series(1, 15000) AS i;
INSERT INTO odd SELECT i / 4.0, 'ok', 'a''b\', decode(md5(i::text), 'hex') FROM generate_series(1, 50) AS i;
INSERT INTO keyless SELECT i % 4, 'b' FROM generate_series(1, 40) AS i;
INSERT INTO heap SELECT i % 2000, repeat('h', 50) FROM generate_series(1, 6000) AS i;
INSERT INTO identity (u) SELECT i FROM generate_series(1, 20) AS i;
ANALYZE;
SQL

my $migration = migration($source, $target);
$migration->ok('copy', '--part-size', 1);
$migration->follow;
$migration->wait_until_caught_up;

my $script = "$PostgreSQL::Test::Utils::tmp_check/count.sql";
write_file($script, <<'SQL');
\set a random(1, 200)
\set p random(1, 13999)
BEGIN;
UPDATE counters SET n = n + 1 WHERE id = :a;
UPDATE parts SET v = md5(random()::text) WHERE id = :p;
UPDATE parts SET k = 'new ' || :a WHERE id = :p + 1 AND :a <= 20;
INSERT INTO keyless VALUES (:a % 4, 'b');
COMMIT;
SQL

sub verify
{
    my ($status, @options) = @_;
    my $result = $migration->exits($status, 'verify', '--json', @options);
    return $result->{stdout} =~ /^\{/ ? decode_json($result->{stdout}) : { stderr => $result->{stderr} };
}

my $damage = <<'SQL';
UPDATE counters SET n = n + 1000, f = f + 1e-15 WHERE id % 50 = 0;
DELETE FROM counters WHERE id > 290;
INSERT INTO counters VALUES (7777, 1, 'not from the source');
UPDATE parts SET v = 'wrong' WHERE id % 97 = 0;
DELETE FROM parts WHERE id BETWEEN 15000 AND 15100;
UPDATE odd SET "a 'b'" = NULL, b = '' WHERE "the key" > 12;
DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE a = 1 LIMIT 3);
INSERT INTO keyless SELECT 2, 'b' FROM generate_series(1, 4);
UPDATE identity SET u = -u WHERE id IN (3, 4);
UPDATE identity SET u = 3 WHERE id = 4;
SELECT setval('counter', 7);
SQL

subtest 'while both sides are written' => sub {
    $target->sql('postgres', "SET session_replication_role = replica; $damage");
    my $load = $source->pgbench('postgres', '--client=4', '--rate=200', "--file=$script");
    my $document = verify(0, '--repair');
    ok($document->{equal}, 'equal when it was compared again') or diag(encode_json($document));
    # The stream has mended some that it wrote meanwhile.
    cmp_ok($document->{repaired}, '>=', 10 + 1 + 60 + 101 + 3 + 3 + 4 + 2, 'each row is counted')
      or diag(encode_json($document));
    cmp_ok($target->sql('postgres', "SELECT count(DISTINCT (object, key)) FROM penstock.verify_difference
        WHERE pass = $document->{pass} AND repaired IS NOT NULL"), '>=', 10 + 1 + 60 + 101 + 3 + 2 + 2, 'and listed on the target');
    is($target->sql('postgres', "SELECT string_agg(DISTINCT repaired, ' ' ORDER BY repaired) FROM penstock.verify_difference
        WHERE pass = $document->{pass}"), 'deleted inserted replaced set', 'with what was done');
    ok($load->is_running, 'the clients are still at work');
    $load->stop;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', 'nothing of the stream was lost or done twice');
    is($target->sql('postgres', 'SELECT last_value FROM counter'), 41, 'the sequence is set');
    ok(verify(0)->{equal}, 'and there is nothing left to repair');
};

subtest 'a piece in which very many rows are wrong is copied anew' => sub {
    $target->sql('postgres', <<'SQL');
SET session_replication_role = replica;
UPDATE parts SET v = 'all wrong' WHERE id <= 12000;
DELETE FROM parts WHERE id > 19000;
INSERT INTO parts SELECT i, 'too many', 'v' FROM generate_series(1, 3000) AS i;
DELETE FROM heap WHERE a < 1500;
INSERT INTO heap SELECT 5000, 'too many' FROM generate_series(1, 100);
SQL
    my $load = $source->pgbench('postgres', '--client=2', '--rate=50', "--file=$script");
    my $document = verify(0, '--repair', '--rows-only', '--hold', '50');
    ok($document->{equal}, 'equal when it was compared again') or diag(encode_json($document));
    $load->stop;
    # The stream has mended some of parts meanwhile.
    my $listed = sub { $target->sql('postgres', "SELECT count(*) FROM penstock.verify_difference WHERE pass = $document->{pass}
        AND object = 'public.$_[0]' AND repaired = '$_[1]'") };
    is($listed->('heap', 'inserted'), 4500, 'each row of a table without a key that was missing is listed');
    is($listed->('heap', 'deleted'), 100, 'and each that was too many');
    is($listed->('parts', 'inserted'), 1000, 'of one with a key, too');
    is($listed->('parts', 'deleted'), 3000, 'those that were too many');
    cmp_ok($listed->('parts', 'replaced'), '>', 11000, 'and those that were wrong');
    is($document->{repaired}, $target->sql('postgres', "SELECT count(*) FROM penstock.verify_difference
        WHERE pass = $document->{pass} AND repaired IS NOT NULL"), 'all are counted');
    is($target->sql('postgres', 'SELECT count(*) FROM penstock.relation WHERE recopy_lsn IS NOT NULL'), 0, 'nothing is left to be copied again');
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', 'nothing of the stream was lost or done twice');
};

subtest 'what is unique in a row of another piece is no obstacle' => sub {
    cmp_ok($target->sql('postgres', "SELECT cardinality(part_cuts) FROM penstock.relation WHERE table_name = 'crossed'"), '>', 1, 'there are pieces');
    $target->sql('postgres', <<'SQL');
SET session_replication_role = replica;
UPDATE crossed SET u = -id WHERE id IN (5, 14000, 7000, 7001);
UPDATE crossed SET u = 14005 - id WHERE id IN (5, 14000);
UPDATE crossed SET u = 14001 - id WHERE id IN (7000, 7001);
SQL
    my $load = $source->pgbench('postgres', '--client=2', '--rate=50', "--file=$script");
    my $document = verify(0, '--repair', '--rows-only');
    ok($document->{equal}, 'two pairs of rows that had each other\'s value are what they are at the source');
    is($document->{repaired}, 4, 'and nothing else was touched');
    $load->stop;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', 'with writers at work');
};

subtest 'what becomes wrong again is said, and nothing more is done' => sub {
    $target->sql('postgres', <<'SQL');
CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note = 'bent'; RETURN NEW; END $$;
CREATE TRIGGER bend BEFORE INSERT ON counters FOR EACH ROW EXECUTE FUNCTION bend();
ALTER TABLE counters ENABLE ALWAYS TRIGGER bend;
UPDATE counters SET n = -1 WHERE id = 5;
SQL
    my $found = verify(3, '--repair', '--rows-only');
    like($found->{stderr}, qr/row \(5\) of public\.counters was repaired, and is wrong again/, 'the row is named');
    $target->sql('postgres', 'DROP TRIGGER bend ON counters');
    ok(verify(0, '--repair', '--rows-only')->{equal}, 'without the cause, it is repaired');
};

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
