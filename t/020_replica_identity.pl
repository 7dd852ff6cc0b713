# Updates and deletes find their rows under every replica identity.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

$source->sql('postgres', <<'SQL');
CREATE TABLE by_key (id int, part text, v int, PRIMARY KEY (part, id));
CREATE TABLE by_index (id int NOT NULL, code text NOT NULL, v int);
CREATE UNIQUE INDEX by_index_code ON by_index (code);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code;
CREATE TABLE by_full_key (id int PRIMARY KEY, v int, f float8, n numeric);
ALTER TABLE by_full_key REPLICA IDENTITY FULL;
CREATE TABLE by_row (v int, w text, j json);
ALTER TABLE by_row REPLICA IDENTITY FULL;
CREATE TABLE inserts_only (v int, w text);
ALTER TABLE inserts_only REPLICA IDENTITY NOTHING;
CREATE TABLE keyless_inserts (v int, w text);

INSERT INTO by_key SELECT i, 'p' || i % 3, i FROM generate_series(1, 200) AS i;
INSERT INTO by_index SELECT i, 'c' || i, i FROM generate_series(1, 200) AS i;
INSERT INTO by_full_key SELECT i, i, i / 3.0, i / 7.0 FROM generate_series(1, 200) AS i;
INSERT INTO by_row SELECT i % 20, NULLIF('w' || i % 10, 'w3'), '{"a": 1}' FROM generate_series(1, 200) AS i;
INSERT INTO inserts_only SELECT i % 5, 'x' FROM generate_series(1, 100) AS i;
INSERT INTO keyless_inserts SELECT i % 5, 'x' FROM generate_series(1, 100) AS i;
SQL

$migration->ok('copy');
same_rows($source, $target, 'postgres', 'after the copy');
$migration->follow;

foreach my $table (qw(by_key by_index by_full_key)) {
    $source->sql('postgres', <<"SQL");
UPDATE $table SET v = v + 1000 WHERE id % 2 = 0;
UPDATE $table SET v = NULL WHERE id % 10 = 0;
DELETE FROM $table WHERE id % 7 = 0;
UPDATE $table SET v = 1 WHERE id < 50;
SQL
}
$source->sql('postgres', <<'SQL');
INSERT INTO inserts_only SELECT i % 5, 'y' FROM generate_series(1, 100) AS i;
INSERT INTO keyless_inserts SELECT i % 5, 'y' FROM generate_series(1, 100) AS i;
SQL
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'default, index and full with a key; inserts without identity');

# Of equal rows, one change touches one.
$source->sql('postgres', <<'SQL');
DELETE FROM by_row WHERE ctid IN (SELECT min(ctid::text)::tid FROM by_row GROUP BY v, w);
UPDATE by_row SET v = v + 100 WHERE ctid IN (SELECT max(ctid::text)::tid FROM by_row WHERE w IS NULL GROUP BY v);
UPDATE by_row SET w = NULL WHERE v = 5;
UPDATE by_row SET j = '{"a":  1}' WHERE v = 7;
SQL
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'full without a key, with equal rows and nulls');

# The identity may change while the stream runs.
$source->sql('postgres', <<'SQL');
ALTER TABLE inserts_only REPLICA IDENTITY FULL;
UPDATE inserts_only SET w = 'now full' WHERE v = 1;
ALTER TABLE by_key REPLICA IDENTITY FULL;
UPDATE by_key SET v = -v;
ALTER TABLE by_key REPLICA IDENTITY DEFAULT;
DELETE FROM by_key WHERE v < -1000;
SQL
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'after changes of the identity');

# An update that cannot say which row it means must stop the applier, not vanish.
$source->sql('postgres', 'UPDATE keyless_inserts SET w = 1 WHERE v = 0');
my $applier = $migration->{applier};
is($applier->wait, 3, 'an update without identity ends the applier with status 3');
like($applier->log_text, qr/keyless_inserts/, 'the message names the table');
like($applier->log_text, qr/REPLICA IDENTITY/i, 'and the cure');

done_testing();
