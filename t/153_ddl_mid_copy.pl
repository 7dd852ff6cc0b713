# DDL while tables are copied in cycles: on tables that are copied, in work, and not yet copied, on parts of one, on the parent of
# partitions; tables that are dropped, renamed and made meanwhile. All end right.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source', conf => 'fsync = off');
my $target = start_target('target', conf => 'fsync = off');
$source->sql('postgres', <<'SQL');
CREATE TABLE parts (id int PRIMARY KEY, v text, n int);
INSERT INTO parts SELECT g, md5(g::text), g FROM generate_series(1, 60000) g;
CREATE TABLE last (id int PRIMARY KEY, v text, n int);
INSERT INTO last SELECT g, 'v' || g, g FROM generate_series(1, 500) g;
CREATE TABLE retyped (id int PRIMARY KEY, n int);
INSERT INTO retyped SELECT g, g FROM generate_series(1, 500) g;
CREATE TABLE dropped (id int PRIMARY KEY, v text);
INSERT INTO dropped SELECT g, 'd' FROM generate_series(1, 500) g;
CREATE TABLE renamed (id int PRIMARY KEY, v text);
INSERT INTO renamed SELECT g, 'r' FROM generate_series(1, 500) g;
CREATE TABLE ev (id int NOT NULL, day int NOT NULL, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (1) TO (2);
CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM (2) TO (3);
INSERT INTO ev SELECT g, 1 + g % 2, g FROM generate_series(1, 1000) g;
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 500);
CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent);
INSERT INTO child SELECT g, g FROM generate_series(1, 500) g;
CREATE TABLE blocked (id int PRIMARY KEY, v text);
INSERT INTO blocked SELECT g, repeat('b', 60) FROM generate_series(1, 6000) g;
CREATE INDEX parts_n ON parts (n);
CREATE INDEX last_v ON last (v);
ANALYZE;
SQL
my $migration = migration($source, $target, ddl => 'capture');

# Tables are copied one after the other, the largest first; one in the middle cannot be read, so that what happens meanwhile happens
# to tables that are copied, and to such that are not.
my ($copy, $go) = $migration->copy_up_to('data', '--lanes', 4, '--jobs', 1, '--cycle', 1, '--part-size', 1);
my $blocker = PenstockTest::Blocker->start($source, 'postgres', 'LOCK TABLE blocked IN ACCESS EXCLUSIVE MODE');
$go->();
wait_until('the copy to be held up', sub {
    !$copy->is_running
      || $source->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE ONLY%'}) > 0;
});
note($target->sql('postgres', q{SELECT string_agg(concat(table_name, ' ', copy_state), ', ') FROM penstock.relation}));
my $statements = <<'SQL';
ALTER TABLE last ADD c int DEFAULT 7
UPDATE last SET c = id WHERE id < 100
ALTER TABLE last RENAME v TO w
ALTER TABLE parts ADD x text DEFAULT 'x'
UPDATE parts SET x = 'y', n = n + 1 WHERE id % 100 = 0
INSERT INTO parts SELECT g, 'new', g, 'new' FROM generate_series(60001, 60100) g
ALTER TABLE parts DROP COLUMN v
ALTER TABLE retyped ALTER n TYPE bigint
UPDATE retyped SET n = 5000000000 WHERE id < 10
DROP TABLE dropped
ALTER TABLE renamed RENAME TO "re named"
UPDATE "re named" SET v = 'u' WHERE id < 10
CREATE TABLE made (id int PRIMARY KEY, v text)
INSERT INTO made SELECT g, 'm' FROM generate_series(1, 100) g
CREATE TABLE dropped (id int PRIMARY KEY, other int)
INSERT INTO dropped VALUES (1, 1)
ALTER TABLE ev ADD w int DEFAULT 3
CREATE TABLE ev_3 PARTITION OF ev FOR VALUES FROM (3) TO (4)
INSERT INTO ev SELECT g, 3, g FROM generate_series(1, 100) g
UPDATE ev SET w = 4 WHERE id < 50
ALTER TABLE ev DETACH PARTITION ev_1
UPDATE ev_1 SET w = 5 WHERE id < 50
CREATE TABLE ev_4 (id int NOT NULL, day int NOT NULL, v int, w int DEFAULT 3, PRIMARY KEY (id, day))
INSERT INTO ev_4 SELECT g, 4, g FROM generate_series(1, 100) g
ALTER TABLE ev ATTACH PARTITION ev_4 FOR VALUES FROM (4) TO (5)
UPDATE ev SET w = 6 WHERE id < 20
CREATE VIEW seen AS SELECT id, n FROM retyped
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'
DROP INDEX parts_n
ALTER TABLE child DROP CONSTRAINT child_p_fkey
SQL
foreach my $statement (split /\n/, $statements) {
    $source->sql('postgres', $statement);
    $source->sql('postgres', "INSERT INTO parent SELECT max(id) + 1 FROM parent");
}
$blocker->end;
is($copy->wait(100), 0, 'the copy ends well') or diag($copy->log_tail(15));
my $applier = $migration->follow;
eval { $migration->wait_until_caught_up; 1 } or diag($@, $applier->log_tail(5));
same_rows($source, $target, 'postgres', 'in the end');

# A partition that was made while its parent's indexes were yet to be made has none, and one that was attached has its own; which is
# said, with what mends it.
my @drift = @{ $migration->drift };
is(scalar @drift, 3, 'three definitions differ') or diag(explain(\@drift));
my @mends = map { /^(?:index public\.ev_3_pkey|index public\.ev_4_pkey: part of \S+) is missing on the target; to mend it: (.*)/ ? $1 : () } @drift;
is(scalar @mends, 2, 'the partitions lack their part of an index, and nothing is to be dropped') or diag(explain(\@drift));
$target->sql('postgres', join('; ', @mends));
is_deeply($migration->drift, [], 'and none once that is run') or diag(explain($migration->drift));
note($target->sql('postgres', 'SELECT count(*) FROM penstock.snapshot'), ' snapshots; DDL ',
    $target->sql('postgres', q{SELECT string_agg(concat(n, ' ', state), ', ') FROM (SELECT state, count(*) AS n FROM penstock.ddl GROUP BY 1) c}));
is($applier->stop, 0, 'the applier ends');
done_testing();
