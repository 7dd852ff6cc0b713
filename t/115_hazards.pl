# Everything that makes applying batches of changes hard, on real servers: tables, keys and columns of every awkward kind, on
# a target that differs from the source as far as it may. Each hazard is a script that runs several times; what it wrote is
# applied as one batch, in batches of a few changes, and a change at a time, by several workers and by one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Compare qw(row_differences);

my $source = start_source('source');
my $target = start_target('target', conf => 'deadlock_timeout = 20');
my $migration = migration($source, $target);

# name, tables; schema, for the source; bend, what the target changes after the copy; script; query, and what it says on the
# target then.
my @hazards = (
    {
        name => 'merged updates with unchanged large values',
        tables => ['docs'],
        schema => <<'SQL',
CREATE TABLE docs (id int PRIMARY KEY, n int, a text, b text);
ALTER TABLE docs ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
INSERT INTO docs SELECT i, i, repeat(md5(i::text), 200), repeat(md5((-i)::text), 200) FROM generate_series(1, 12) AS i;
SQL
        script => <<'SQL',
BEGIN;
UPDATE docs SET a = repeat(md5((n + 1)::text), 210) WHERE id <= 8;
UPDATE docs SET n = n + 1;
UPDATE docs SET b = repeat(md5((n + 2)::text), 220) WHERE id > 4;
UPDATE docs SET n = n + 1;
COMMIT;
UPDATE docs SET n = n + 1 WHERE id = 1;
UPDATE docs SET a = 'short', n = n + 1 WHERE id = 1;
UPDATE docs SET id = id + 100 WHERE id = 2;
UPDATE docs SET n = n + 1 WHERE id = 102;
UPDATE docs SET id = id - 100, b = 'short' WHERE id = 102;
SQL
    },
    {
        name => 'insert, delete, insert of one key',
        tables => ['revived'],
        schema => 'CREATE TABLE revived (id int PRIMARY KEY, v int, w text);',
        script => <<'SQL',
BEGIN;
INSERT INTO revived VALUES (1, 1, 'first');
DELETE FROM revived WHERE id = 1;
INSERT INTO revived (id, v) VALUES (1, 2);
COMMIT;
DELETE FROM revived WHERE id = 1;
INSERT INTO revived VALUES (1, 3, 'third'), (2, 3, 'other');
DELETE FROM revived;
INSERT INTO revived VALUES (2, 4, 'fourth');
INSERT INTO revived VALUES (3, 4, 'never seen');
DELETE FROM revived WHERE id > 1;
SQL
    },
    {
        name => 'keys that change lanes',
        tables => ['moving'],
        schema => 'CREATE TABLE moving (id int PRIMARY KEY, v int); INSERT INTO moving SELECT i, i FROM generate_series(1, 40) AS i;',
        script => join('',
            "UPDATE moving SET id = id + 1000, v = v + 1;\nBEGIN;\nUPDATE moving SET v = -v;\n",
            "INSERT INTO moving VALUES (5, 5);\nUPDATE moving SET id = id - 1000 WHERE id > 1000 AND id <> 1005;\nCOMMIT;\n",
            (map { "UPDATE moving SET id = $_ + 1, v = v + 1 WHERE id = $_;\n" } 2001 .. 2010),
            "UPDATE moving SET id = 2001 WHERE id = 5;\nUPDATE moving SET id = 5 WHERE id = 1005;\n",
            (map { "UPDATE moving SET id = $_ + 1, v = v + 1 WHERE id = $_;\n" } 2001 .. 2010),
            "DELETE FROM moving WHERE id = 2011;\n"),
    },
    {
        name => 'a unique value that moves between rows',
        tables => ['unique_values'],
        schema => 'CREATE TABLE unique_values (id int PRIMARY KEY, u int UNIQUE); INSERT INTO unique_values SELECT i, i FROM generate_series(1, 20) AS i;',
        script => <<'SQL',
BEGIN;
UPDATE unique_values SET u = -1 WHERE id = 1;
UPDATE unique_values SET u = (SELECT -u - 100 FROM unique_values WHERE id = 3) WHERE id = 2;
UPDATE unique_values SET u = 100 WHERE id = 1;
COMMIT;
UPDATE unique_values SET u = NULL WHERE id = 4;
UPDATE unique_values SET u = 4 WHERE id = 5;
UPDATE unique_values SET u = 5 WHERE id = 4;
UPDATE unique_values SET u = NULL WHERE id IN (4, 5);
UPDATE unique_values SET u = id WHERE id IN (4, 5);
BEGIN;
DELETE FROM unique_values WHERE id = 6;
INSERT INTO unique_values VALUES (106, 6);
COMMIT;
DELETE FROM unique_values WHERE id = 106;
INSERT INTO unique_values VALUES (6, 6);
UPDATE unique_values SET id = 107 WHERE id = 7;
UPDATE unique_values SET id = 7 WHERE id = 107;
UPDATE unique_values SET u = 1, id = 1 WHERE id = 1;
UPDATE unique_values SET u = 2 WHERE id = 2;
SQL
    },
    {
        name => 'a key swap, in one transaction and in three',
        tables => ['swapped'],
        schema => q{CREATE TABLE swapped (id int PRIMARY KEY, v text); INSERT INTO swapped SELECT i, 'v' || i FROM generate_series(1, 10) AS i;},
        script => <<'SQL',
BEGIN;
UPDATE swapped SET id = 99 WHERE id = 1;
UPDATE swapped SET id = 1 WHERE id = 2;
UPDATE swapped SET id = 2, v = v || '.' WHERE id = 99;
COMMIT;
UPDATE swapped SET id = 99 WHERE id = 3;
UPDATE swapped SET id = 3 WHERE id = 4;
UPDATE swapped SET id = 4 WHERE id = 99;
SQL
    },
    {
        name => 'id = id + 1 over a table',
        tables => ['shifted'],
        schema => 'CREATE TABLE shifted (id int PRIMARY KEY, v int);',
        script => <<'SQL',
TRUNCATE shifted;
INSERT INTO shifted SELECT i, i FROM generate_series(60, 1, -1) AS i;
UPDATE shifted SET id = id + 1;
BEGIN;
UPDATE shifted SET id = -id;
UPDATE shifted SET id = 1 - id, v = v + 1;
COMMIT;
SQL
    },
    {
        name => 'identity full: equal rows, json, nulls',
        tables => ['doubles'],
        schema => <<'SQL',
CREATE TABLE doubles (a int, j json, p point, t text);
ALTER TABLE doubles REPLICA IDENTITY FULL;
INSERT INTO doubles SELECT i % 3, '{"a":  1}', '(1,2)', NULL FROM generate_series(1, 12) AS i;
SQL
        script => <<'SQL',
INSERT INTO doubles VALUES (1, '{"a": 1}', NULL, 'x'), (1, '{"a": 1}', NULL, 'x'), (1, '{"a":1}', NULL, 'x');
DELETE FROM doubles WHERE ctid = (SELECT min(ctid) FROM (SELECT ctid FROM doubles WHERE a = 1 AND t IS NULL LIMIT 1) AS d);
UPDATE doubles SET j = '[]' WHERE ctid = (SELECT ctid FROM doubles WHERE a = 1 AND t = 'x' AND j::text = '{"a": 1}' LIMIT 1);
UPDATE doubles SET t = coalesce(t, '') || '.' WHERE a = 2;
BEGIN;
INSERT INTO doubles VALUES (7, '1', '(0,0)', 'y'), (7, '1', '(0,0)', 'y');
UPDATE doubles SET a = 8 WHERE ctid = (SELECT max(ctid::text)::tid FROM doubles WHERE a = 7);
DELETE FROM doubles WHERE a = 7;
INSERT INTO doubles VALUES (0, '{"a":  1}', '(1,2)', NULL), (1, '{"a":  1}', '(1,2)', NULL);
COMMIT;
SQL
    },
    {
        name => 'no key: inserts',
        tables => ['keyless'],
        schema => 'CREATE TABLE keyless (a int, b text);',
        script => q{INSERT INTO keyless SELECT 1, 'x' FROM generate_series(1, 30); INSERT INTO keyless VALUES (1, 'x');},
    },
    {
        name => 'identity always, as the key and beside it',
        tables => [qw(always_key always_beside)],
        schema => <<'SQL',
CREATE TABLE always_key (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int);
CREATE TABLE always_beside (k text PRIMARY KEY, id int GENERATED ALWAYS AS IDENTITY, v int);
SQL
        script => <<'SQL',
INSERT INTO always_key (v) SELECT generate_series(1, 10);
UPDATE always_key SET v = v + 1;
INSERT INTO always_key OVERRIDING SYSTEM VALUE VALUES (100000, 1), (100001, 1);
DELETE FROM always_key WHERE id >= 100000 OR v = 3;
INSERT INTO always_beside (k, v) SELECT 'k' || (SELECT count(*) FROM always_beside) + i, i FROM generate_series(1, 10) AS i;
UPDATE always_beside SET v = v + 1;
UPDATE always_beside SET id = DEFAULT WHERE v = 4;
UPDATE always_beside SET k = k || '.' WHERE v = 5;
SQL
    },
    {
        name => 'columns that the target computes, in another order, and more of them',
        tables => [qw(computed bent)],
        schema => <<'SQL',
CREATE TABLE computed (id int PRIMARY KEY, base int, twice int, t text);
CREATE TABLE bent (id int PRIMARY KEY, a int, b text, gone int, c text);
ALTER TABLE bent DROP COLUMN gone;
SQL
        bend => <<'SQL',
ALTER TABLE computed DROP COLUMN twice, ADD COLUMN twice int GENERATED ALWAYS AS (base * 2) STORED;
ALTER TABLE bent DROP COLUMN a, ADD COLUMN extra int NOT NULL DEFAULT 7, ADD COLUMN a int, ADD COLUMN stamp serial;
SQL
        script => <<'SQL',
INSERT INTO computed SELECT i + (SELECT count(*) FROM computed), i, i * 2, 'x' FROM generate_series(1, 10) AS i;
UPDATE computed SET base = base + 1, twice = (base + 1) * 2 WHERE id % 2 = 0;
UPDATE computed SET t = t || '.', id = -id WHERE id % 5 = 0;
INSERT INTO bent SELECT i + (SELECT count(*) FROM bent), i, 'b' || i, NULL FROM generate_series(1, 10) AS i;
UPDATE bent SET a = NULL, c = 'c' WHERE id % 2 = 0;
UPDATE bent SET id = -id WHERE id % 5 = 0;
SQL
        query => 'SELECT bool_and(extra = 7 AND stamp IS NOT NULL) FROM bent',
        says => 't',
    },
    {
        name => 'a partitioned target, and partitions of which the target has other ones',
        tables => [qw(now_parted days)],
        schema => <<'SQL',
CREATE TABLE now_parted (id int PRIMARY KEY, v int);
INSERT INTO now_parted SELECT i, i FROM generate_series(1, 20) AS i;
CREATE TABLE days (id int, day int, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE days_low PARTITION OF days FOR VALUES FROM (0) TO (10);
CREATE TABLE days_high PARTITION OF days FOR VALUES FROM (10) TO (20);
INSERT INTO days SELECT i, i % 20, i FROM generate_series(1, 40) AS i;
SQL
        bend => <<'SQL',
ALTER TABLE now_parted RENAME TO was;
CREATE TABLE now_parted (id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE now_parted_low PARTITION OF now_parted FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE now_parted_high PARTITION OF now_parted FOR VALUES FROM (10) TO (MAXVALUE);
INSERT INTO now_parted SELECT * FROM was;
DROP TABLE was;
ALTER TABLE days DETACH PARTITION days_high;
ALTER TABLE days_high RENAME TO was;
CREATE TABLE days_high PARTITION OF days FOR VALUES FROM (10) TO (20) PARTITION BY HASH (id);
CREATE TABLE days_high_0 PARTITION OF days_high FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE days_high_1 PARTITION OF days_high FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO days SELECT * FROM was;
DROP TABLE was;
SQL
        script => <<'SQL',
UPDATE now_parted SET v = v + 1;
BEGIN;
UPDATE now_parted SET id = id + 100 WHERE id < 15;
UPDATE now_parted SET v = -v;
UPDATE now_parted SET id = id - 100 WHERE id > 100;
COMMIT;
UPDATE days SET v = v + 1;
UPDATE days SET day = (day + 10) % 20 WHERE id % 3 = 0;
BEGIN;
DELETE FROM days WHERE id = 5;
INSERT INTO days VALUES (5, 12, 0);
UPDATE days SET day = 3 WHERE id = 5;
COMMIT;
SQL
    },
    {
        name => 'triggers that fire for the applier, and one that does not',
        tables => ['watched'],
        schema => 'CREATE TABLE watched (id int PRIMARY KEY, v int);',
        bend => <<'SQL',
ALTER TABLE watched ADD COLUMN stamp text, ADD COLUMN replica int;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.stamp := TG_OP; RETURN NEW; END';
CREATE FUNCTION replica() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.replica := NEW.v; RETURN NEW; END';
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this must not fire'; END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER replica BEFORE INSERT OR UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION replica();
CREATE TRIGGER never BEFORE INSERT OR UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION never();
ALTER TABLE watched ENABLE ALWAYS TRIGGER stamp, ENABLE REPLICA TRIGGER replica;
SQL
        script => <<'SQL',
INSERT INTO watched SELECT i + (SELECT count(*) FROM watched), i FROM generate_series(1, 10) AS i;
UPDATE watched SET v = v + 1;
SQL
        query => q{SELECT bool_and(stamp IN ('INSERT', 'UPDATE') AND replica = v) FROM watched},
        says => 't',
    },
    {
        name => 'equal keys of other bytes',
        tables => [qw(numeric_keys float_keys citext_keys bpchar_keys)],
        schema => <<'SQL',
CREATE EXTENSION citext;
CREATE TABLE numeric_keys (k numeric PRIMARY KEY, v int);
CREATE TABLE float_keys (k float8 PRIMARY KEY, v float4);
CREATE TABLE citext_keys (k citext PRIMARY KEY, v int);
CREATE TABLE bpchar_keys (k char(6), l bpchar, v int, PRIMARY KEY (k, l));
SQL
        script => <<'SQL',
INSERT INTO numeric_keys VALUES (1.0, 1), (2.5, 1);
UPDATE numeric_keys SET k = 1.00, v = 2 WHERE k = 1;
UPDATE numeric_keys SET v = 3 WHERE k = 1.000;
DELETE FROM numeric_keys WHERE k = 2.50;
INSERT INTO numeric_keys VALUES (2.500, 4);
DELETE FROM numeric_keys WHERE v = 3 OR k = (SELECT max(k) FROM numeric_keys);
INSERT INTO float_keys VALUES (0, 0.1), (0.1::float8 + 0.2, 0.3);
UPDATE float_keys SET k = '-0', v = '-0' WHERE k = 0;
UPDATE float_keys SET v = 1e-7 WHERE k = 0;
DELETE FROM float_keys WHERE k = 0;
INSERT INTO float_keys VALUES ('-0', 'NaN');
UPDATE float_keys SET k = k - 1;
UPDATE float_keys SET k = k * 1.1;
INSERT INTO citext_keys VALUES ('Key', 1), ('other', 1);
UPDATE citext_keys SET k = 'KEY', v = 2 WHERE k = 'key';
UPDATE citext_keys SET v = 3 WHERE k = 'kEY';
DELETE FROM citext_keys WHERE k = 'OTHER';
INSERT INTO citext_keys VALUES ('oTHER', 4);
DELETE FROM citext_keys;
DELETE FROM bpchar_keys;
INSERT INTO bpchar_keys VALUES ('ab', 'x', 1), ('abc', 'x ', 1);
UPDATE bpchar_keys SET k = 'ab ', l = 'x   ', v = 2 WHERE k = 'ab';
UPDATE bpchar_keys SET v = 3 WHERE l = 'x';
DELETE FROM bpchar_keys WHERE k = 'ab';
INSERT INTO bpchar_keys VALUES ('ab   ', 'x  ', 4);
DELETE FROM bpchar_keys WHERE v = 3;
UPDATE bpchar_keys SET l = l || v || (SELECT count(*) FROM bpchar_keys) || '   ';
SQL
    },
    {
        name => 'arrays of arrays, and arrays and domains as keys',
        tables => [qw(arrays array_keys domain_keys)],
        schema => <<'SQL',
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN email AS citext CHECK (VALUE ~ '@');
CREATE TABLE arrays (id int PRIMARY KEY, m int[][], t text[], d positive[]);
CREATE TABLE array_keys (k int[], l text[], v int, PRIMARY KEY (k, l));
CREATE TABLE domain_keys (k positive, e email, v positive, PRIMARY KEY (k, e));
SQL
        script => <<'SQL',
INSERT INTO arrays SELECT i + (SELECT count(*) FROM arrays), ARRAY[ARRAY[i, NULL], ARRAY[3, i]], '{{a,"b,c"},{NULL,"NULL"}}', '{1,2}' FROM generate_series(1, 6) AS i;
INSERT INTO arrays SELECT i + (SELECT count(*) FROM arrays), '{}', '[0:1]={x,y}', NULL FROM generate_series(1, 4) AS i;
UPDATE arrays SET m = m || m, t = NULL, d = '{3}' WHERE id % 2 = 0;
UPDATE arrays SET m = '{{{1},{2}},{{3},{4}}}' WHERE id % 3 = 0;
INSERT INTO array_keys SELECT ARRAY[ARRAY[i, 1], ARRAY[(SELECT count(*) FROM array_keys), 2]], ARRAY['x', NULL], i FROM generate_series(1, 8) AS i;
UPDATE array_keys SET v = v + 1;
UPDATE array_keys SET k = k || ARRAY[ARRAY[v, v]], l = '{}' WHERE v % 2 = 0;
DELETE FROM array_keys WHERE v = 5;
INSERT INTO domain_keys SELECT i + (SELECT count(*) FROM domain_keys), 'A@' || i, i FROM generate_series(1, 8) AS i;
UPDATE domain_keys SET v = v + 1;
UPDATE domain_keys SET k = k + 1000, e = lower(e::text) WHERE v % 2 = 0;
DELETE FROM domain_keys WHERE v = 5;
SQL
    },
    {
        name => 'truncate of several tables, with other partitions on the target',
        tables => [qw(emptied emptied_parts emptied_child)],
        schema => <<'SQL',
CREATE TABLE emptied (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v int);
CREATE TABLE emptied_child (id serial PRIMARY KEY, p int REFERENCES emptied);
CREATE TABLE emptied_parts (id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE emptied_low PARTITION OF emptied_parts FOR VALUES FROM (0) TO (10);
CREATE TABLE emptied_high PARTITION OF emptied_parts FOR VALUES FROM (10) TO (100);
INSERT INTO emptied_parts SELECT i, i FROM generate_series(1, 20) AS i;
SQL
        bend => <<'SQL',
ALTER TABLE emptied_parts DETACH PARTITION emptied_high;
ALTER TABLE emptied_high RENAME TO was;
CREATE TABLE emptied_high PARTITION OF emptied_parts FOR VALUES FROM (10) TO (100) PARTITION BY LIST (id);
CREATE TABLE emptied_tenth PARTITION OF emptied_high FOR VALUES IN (10);
CREATE TABLE emptied_rest PARTITION OF emptied_high DEFAULT;
INSERT INTO emptied_parts SELECT * FROM was;
DROP TABLE was;
SELECT setval('emptied_id_seq', 1000);
SQL
        script => <<'SQL',
INSERT INTO emptied (v) SELECT generate_series(1, 10);
INSERT INTO emptied_child (p) SELECT max(id) FROM emptied;
BEGIN;
INSERT INTO emptied (v) VALUES (99);
UPDATE emptied_parts SET v = v + 1;
TRUNCATE emptied, emptied_child, emptied_parts RESTART IDENTITY;
INSERT INTO emptied (v) SELECT generate_series(1, 5);
INSERT INTO emptied_parts SELECT i, -i FROM generate_series(1, 20) AS i;
COMMIT;
INSERT INTO emptied_child (p) VALUES (1);
TRUNCATE emptied CASCADE;
TRUNCATE emptied_high;
INSERT INTO emptied_parts VALUES (10, 10), (11, 11);
INSERT INTO emptied (v) SELECT generate_series(1, 3);
SQL
        query => 'SELECT last_value < 1000 FROM emptied_id_seq',
        says => 't',
    },
);

# Rows of a table whose trigger on the target takes two locks, in an order that its key decides: workers deadlock.
my $tally_schema = 'CREATE TABLE crossed (id serial PRIMARY KEY, v int);';
my $tally_bend = <<'SQL';
CREATE TABLE public.tally (id int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO tally VALUES (0, 0), (1, 0);
CREATE FUNCTION tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.tally SET n = n + 1 WHERE id = NEW.id % 2;
    UPDATE public.tally SET n = n + 1 WHERE id = 1 - NEW.id % 2;
    RETURN NEW;
END $$;
CREATE TRIGGER tally BEFORE INSERT ON crossed FOR EACH ROW EXECUTE FUNCTION tally();
ALTER TABLE crossed ENABLE ALWAYS TRIGGER tally;
SQL

$source->sql('postgres', join("\n", map { $_->{schema} } @hazards) . $tally_schema);
$migration->ok('copy', '--lanes', 8);
$target->sql('postgres', join("\n", "SET client_min_messages = warning;", (map { $_->{bend} // '' } @hazards), $tally_bend));

# The scripts run while nobody applies, so that batches are as large as they may be.
sub run_hazards
{
    my ($name, @settings) = @_;
    subtest $name => sub {
        $source->sql('postgres', $_->{script}) foreach @hazards;
        my $end = $source->sql('postgres', 'SELECT pg_current_wal_insert_lsn()');
        $migration->ok('follow', @settings, '--until', $end);
        my %differs = map { /^public\.(\w+)/ ? ($1 => $_) : ('' => $_) } row_differences($source, $target, 'postgres');
        foreach my $hazard (@hazards) {
            my @bad = grep { defined } map { delete $differs{$_} } @{$hazard->{tables}};
            ok(!@bad, $hazard->{name}) or diag(@bad);
            is($target->sql('postgres', $hazard->{query}), $hazard->{says}, "$hazard->{name}: what the target adds") if $hazard->{query};
        }
        ok(!%differs, 'and nothing else differs') or diag(values %differs);
    };
    return;
}

run_hazards('one batch for each worker', '--workers', 3, '--', '--linger', 100);
run_hazards('one batch', '--workers', 1, '--', '--linger', 100);
run_hazards('small batches, several workers', '--workers', 4, '--', '--batch-rows', 7, '--linger', 0);
run_hazards('a change at a time', '--workers', 2, '--', '--batch-rows', 1);

subtest 'workers that deadlock try again' => sub {
    my $applier = $migration->follow('--workers', 4, '--', '--batch-rows', 50, '--linger', 0);
    wait_until('a deadlock', sub {
        $source->sql('postgres', 'INSERT INTO crossed (v) SELECT generate_series(1, 400)');
        $migration->wait_until_caught_up;
        return $target->log_tail(1000) =~ /deadlock detected/;
    });
    ok($applier->is_running, 'the applier goes on');
    wait_until('it to be counted', sub { $migration->applier_says("(statistics->>'retries')::int > 0") eq 't' });
    same_rows($source, $target, 'postgres', 'every row is there once');
    is($target->sql('postgres', 'SELECT bool_and(n = (SELECT count(*) FROM crossed)) FROM tally'), 't', 'and its trigger fired once');
    is($applier->stop, 0, 'the applier ends cleanly');
};

done_testing();
