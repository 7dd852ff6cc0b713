# Changes of a table with replica identity full, in which the target finds a row only by reading all of it, are looked for
# together: one reading for all of a batch, not one for each. The rows are the same as one by one, with rows that are there
# several times, nulls, equal values of other bytes, types without equality and large values; and one that is missing stops it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', <<'SQL');
CREATE TABLE f (a int, b text, c numeric);
CREATE TABLE odd (a int, n numeric, j json, p point, big text, t timestamptz);
CREATE TABLE parted (a int, v text) PARTITION BY LIST (a);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
ALTER TABLE f REPLICA IDENTITY FULL;
ALTER TABLE odd REPLICA IDENTITY FULL;
ALTER TABLE parted_1 REPLICA IDENTITY FULL;
ALTER TABLE parted_2 REPLICA IDENTITY FULL;
ALTER TABLE odd ALTER big SET STORAGE EXTERNAL;
INSERT INTO f SELECT g, md5(g::text), g / 3.0 FROM generate_series(1, 20000) AS g;
INSERT INTO odd SELECT g % 50, CASE g % 3 WHEN 0 THEN NULL ELSE g % 5 END, CASE WHEN g % 7 <> 0 THEN '{"a": 1}'::json END,
  point(g % 10, 1), repeat(md5((g % 4)::text), 100), CASE WHEN g % 11 <> 0 THEN '2020-01-01'::timestamptz END
  FROM generate_series(1, 1000) AS g;
INSERT INTO odd VALUES (100, 1.0, NULL, NULL, NULL, NULL), (100, 1.00, NULL, NULL, NULL, NULL), (100, 1, NULL, NULL, NULL, NULL);
INSERT INTO parted SELECT 1 + g % 2, g FROM generate_series(1, 200) AS g;
SQL
my $migration = migration($source, $target);
$migration->ok('copy', '--lanes', 4);
my $applier = $migration->follow;

sub statistic
{
    my ($name) = @_;
    return $migration->applier_says("statistics ->> '$name'");
}

$migration->same_after('all rows change, half of them go', 'UPDATE f SET c = c + 1; DELETE FROM f WHERE a % 2 = 0');
wait_until('the statistics', sub { $migration->applier_says('changes') >= 30000 });
cmp_ok(statistic('statements'), '<', 1000, '30,000 changes take ' . statistic('statements') . ' statements');
is(statistic('fallbacks'), 0, 'none of them failed');

$migration->same_after('rows that are there several times', <<'SQL');
DELETE FROM odd WHERE ctid IN (SELECT ctid FROM odd WHERE a < 10 LIMIT 40);
BEGIN;
UPDATE odd SET a = a + 1000 WHERE a BETWEEN 10 AND 20;
INSERT INTO odd SELECT a + 1, n, j, p, big, t FROM odd WHERE a > 1000;
DELETE FROM odd WHERE a > 1015;
UPDATE odd SET n = 1.5 WHERE a BETWEEN 20 AND 30;
COMMIT;
SQL
$migration->same_after('equal values of other bytes', <<'SQL');
BEGIN;
DELETE FROM odd WHERE a = 100 AND n::text = '1.00';
UPDATE odd SET t = now() WHERE a BETWEEN 30 AND 40;
COMMIT;
SQL
$migration->same_after('null for value, value for null', 'UPDATE odd SET j = NULL, t = now(), p = NULL WHERE a BETWEEN 40 AND 50');
$migration->same_after('partitions', q{BEGIN; UPDATE parted SET v = v || 'x'; DELETE FROM parted WHERE v LIKE '1%'; COMMIT});

# A row of many that the target does not have stops the applier, which names it; nothing of the batch is applied.
$target->sql('postgres', 'DELETE FROM f WHERE a = 7');
my $before = $target->sql('postgres', 'SELECT count(*), sum(c) FROM f');
$source->sql('postgres', 'DELETE FROM f WHERE a < 100');
is($applier->wait, 3, 'a row that is missing stops it');
like($applier->log_text, qr/delete from "public"\."f" \(a=7, b=.*the target has no such row/, 'which one is said');
is($target->sql('postgres', 'SELECT count(*), sum(c) FROM f'), $before, 'nothing of it was applied');
$target->sql('postgres', q{INSERT INTO f SELECT 7, md5('7'), 7 / 3.0 + 1});
$applier = $migration->follow;
$migration->same_after('once it is there it goes on', 'INSERT INTO f VALUES (1, NULL, NULL)');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
