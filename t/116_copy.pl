# Long runs of inserts go by COPY, and nothing but the speed shows it: whatever the types and whatever the target's table
# looks like, with conflicts and policies, and whoever is killed in the middle of one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => q{log_statement = 'mod'});
my $migration = migration($source, $target);

# Every COPY in the target's log so far, by table.
sub copies
{
    my %count;
    $count{$_}++ foreach slurp_file($target->logfile) =~ /statement: COPY "public"\."(\w+)" \([^)]*\) FROM STDIN \(FORMAT binary\)/g;
    return \%count;
}

# follow(OPTION …): every run of two inserts or more is a long one.
sub follow
{
    my (@options) = @_;
    return $migration->follow('--workers', 1, @options, '--', '--copy-rows', 2, '--linger', 50);
}

$source->sql('postgres', <<'SQL');
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s ü');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN good_mood AS mood CHECK (value <> 'sad');
CREATE TABLE types (id int PRIMARY KEY, b bool, ch "char", n name, i2 int2, i8 int8, o oid, f4 float4, f8 float8,
    num numeric, num2 numeric(12, 2), m money, t text, v varchar(20), c char(5), by bytea, j json, jb jsonb, d date, ti time,
    ttz timetz(2), ts timestamp(3), tstz timestamptz, iv interval, u uuid, ip inet, ci cidr, mac macaddr, mac8 macaddr8,
    bits bit(5), vbits varbit, p point, l line, ls lseg, bx box, pa path, po polygon, cir circle, mo mood, pos positive,
    good good_mood, ct citext);
CREATE TABLE arrays (id int PRIMARY KEY, a int[], t text[], r int4range);
CREATE TABLE identity (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
CREATE TABLE computed (id int PRIMARY KEY, base int, twice int);
CREATE TABLE reordered (id int PRIMARY KEY, a int, b text);
CREATE TABLE parted (id int, k int, v text, PRIMARY KEY (id, k));
CREATE TABLE wider (id int PRIMARY KEY, v int);
CREATE TABLE triggered (id int PRIMARY KEY, v text);
CREATE TABLE ruled (id int PRIMARY KEY, v text);
CREATE TABLE keyless (v int, w text);
CREATE TABLE mixed (id int PRIMARY KEY, v text);
CREATE TABLE large (id int PRIMARY KEY, v bytea);
CREATE TABLE plain (id int PRIMARY KEY, v text);
CREATE TABLE kept (id int PRIMARY KEY, v text);
SQL
$migration->ok('copy');
$target->sql('postgres', <<'SQL');
ALTER TABLE computed DROP COLUMN twice, ADD COLUMN twice int GENERATED ALWAYS AS (base * 2) STORED;
ALTER TABLE reordered DROP COLUMN a, ADD COLUMN a int, ADD COLUMN place text DEFAULT 'here' NOT NULL, ADD COLUMN n serial;
ALTER TABLE wider ALTER COLUMN v TYPE bigint;
DROP TABLE parted;
CREATE TABLE parted (k int, v text, id int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES IN (0);
CREATE TABLE parted_others PARTITION OF parted DEFAULT;
CREATE TABLE fired (id int);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN IF NEW.v = 'unreadable' THEN RAISE 'not understood' USING ERRCODE = '08P01'; END IF; INSERT INTO public.fired VALUES (NEW.id); RETURN NEW; END$$;
CREATE TRIGGER fire BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION fire();
ALTER TABLE triggered ENABLE ALWAYS TRIGGER fire;
CREATE TABLE seen (id int);
CREATE RULE see AS ON INSERT TO ruled DO ALSO INSERT INTO seen VALUES (NEW.id);
ALTER TABLE ruled ENABLE ALWAYS RULE see;
SQL

subtest 'rows of every kind' => sub {
    my $applier = follow();
    $migration->same_after('all types, as values and as NULL', <<'SQL');
INSERT INTO types SELECT i, i % 2 = 0, chr(60 + i)::"char", 'n' || i, -i, i * 5000000000, i, i / 3.0, 'NaN',
    CASE i % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN 0.00 WHEN 2 THEN 1e40 ELSE -i / 7.0 END, i / 3.0, i * 1.25,
    repeat('ü', i % 3), 'it''s \ ' || i, 'c', decode(repeat('00ff', i % 3), 'hex'), '{"a":  1}', '{"b": [null, 1.10]}',
    CASE WHEN i % 2 = 0 THEN 'infinity' ELSE '0001-01-01 BC' END::date, '23:59:59.999999', '01:02:03.456+05:30',
    '2020-02-29 12:34:56.789', '-infinity', '1 year -3 days 04:05:06.7', md5(i::text)::uuid, '::1/64', '10.0.0.0/8',
    '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'10101', B'', '(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)',
    '[(0,0),(1,2),(3,4)]', '((0,0),(1,2),(3,4))', '<(1,2),3>', 'it''s ü', i, 'ok', 'Citext' FROM generate_series(1, 40) AS i;
INSERT INTO types (id) SELECT i FROM generate_series(41, 50) AS i;
INSERT INTO arrays SELECT i, CASE WHEN i % 2 = 0 THEN ARRAY[i, NULL] END, '{{a,b},{c,""}}', int4range(i, i + 2)
    FROM generate_series(1, 20) AS i;
SQL
    $migration->same_after('tables that are different on the target', <<'SQL');
INSERT INTO identity (v) SELECT 'v' || i FROM generate_series(1, 20) AS i;
INSERT INTO computed SELECT i, i, i * 2 FROM generate_series(1, 20) AS i;
INSERT INTO reordered SELECT i, -i, 'b' || i FROM generate_series(1, 20) AS i;
INSERT INTO parted SELECT i, i % 3, 'v' || i FROM generate_series(1, 20) AS i;
INSERT INTO wider SELECT i, i FROM generate_series(1, 20) AS i;
INSERT INTO triggered SELECT i, 'v' || i FROM generate_series(1, 20) AS i;
INSERT INTO ruled SELECT i, 'v' || i FROM generate_series(1, 20) AS i;
INSERT INTO keyless SELECT 1, NULL FROM generate_series(1, 20) AS i;
SQL
    is($target->sql('postgres', q{SELECT count(*) FILTER (WHERE place = 'here'), count(DISTINCT n) FROM reordered}), '20|20',
        'columns that only the target has get their defaults');
    is($target->sql('postgres', 'SELECT (SELECT count(*) FROM fired), (SELECT count(*) FROM seen)'), '20|20',
        'a trigger and a rule that are enabled ALWAYS act');
    $migration->same_after('changes before and behind the inserts of a transaction', <<'SQL');
INSERT INTO mixed SELECT i, 'first' FROM generate_series(1, 20) AS i;
BEGIN;
DELETE FROM mixed WHERE id <= 15;
INSERT INTO mixed SELECT i, 'again' FROM generate_series(1, 10) AS i;
UPDATE mixed SET v = v || '!' WHERE id IN (3, 18);
INSERT INTO mixed SELECT i, 'more' FROM generate_series(21, 40) AS i;
UPDATE mixed SET id = 100 WHERE id = 30;
INSERT INTO mixed SELECT i, 'last' FROM generate_series(41, 60) AS i;
DELETE FROM mixed WHERE id IN (5, 50);
COMMIT;
SQL
    $migration->same_after('values larger than a piece', <<'SQL');
INSERT INTO large SELECT i, (SELECT string_agg(decode(md5(n::text || i), 'hex'), '') FROM generate_series(1, i * 1500) AS n)
FROM generate_series(1, 12) AS i;
SQL
    my $copies = copies();
    ok($copies->{$_}, "$_ goes by COPY") foreach qw(types identity computed reordered parted triggered keyless mixed large);
    ok(!$copies->{$_}, "$_ does not") foreach qw(arrays wider ruled);
    wait_until('the statistics', sub { $migration->applier_says(q{(statistics ->> 'copies')::int}) >= 9 });
    is($migration->applier_says(q{statistics ->> 'fallbacks'}), 0, 'nothing had to be done twice');
    is($applier->stop, 0, 'the applier ends cleanly');
};

subtest 'rows in the way' => sub {
    $target->sql('postgres', q{INSERT INTO plain VALUES (7, 'in the way'); INSERT INTO kept VALUES (8, 'in the way')});
    my $applier = follow();
    my $before = copies()->{plain} // 0;
    $source->sql('postgres', q{INSERT INTO plain SELECT i, 'v' || i FROM generate_series(1, 20) AS i});
    is($applier->wait, 3, 'without a policy it stops');
    cmp_ok(copies()->{plain}, '>', $before, 'after a COPY');
    my ($lsn) = $applier->log_text =~ qr{insert .*"plain" \(id=7\) at ([0-9A-F]+/[0-9A-F]+), change 7: .*SQLSTATE 23505};
    ok($lsn, 'and names the row, where it is in the stream, and the SQLSTATE') or diag($applier->log_tail(3));
    is($target->sql('postgres', 'SELECT count(*) FROM plain'), 1, 'nothing of the batch is applied');

    $applier = follow('--on-conflict', 'overwrite', '--on-conflict', 'public.kept=skip');
    $source->sql('postgres', q{INSERT INTO kept SELECT i, 'v' || i FROM generate_series(1, 20) AS i});
    $migration->wait_until_caught_up;
    is($target->sql('postgres', q{SELECT table_name, key::text, sqlstate, action FROM penstock.conflict ORDER BY 1}),
        qq{kept|{"id" : "8"}|23505|skipped\nplain|{"id" : "7"}|23505|overwritten}, 'with policies it settles and lists them');
    $target->sql('postgres', q{UPDATE kept SET v = 'v8' WHERE id = 8});
    same_rows($source, $target, 'postgres', 'but for the row that was skipped');
    is($applier->stop, 0, 'the applier ends cleanly');
};

# The server says so with the SQLSTATE of a broken connection, but trying again does not help.
subtest 'a value that the target cannot read' => sub {
    my $applier = follow();
    $source->sql('postgres', q{INSERT INTO triggered SELECT i, CASE i WHEN 25 THEN 'unreadable' END FROM generate_series(21, 30) AS i});
    is($applier->wait, 3, 'the applier stops');
    like($applier->log_text, qr/insert .*"triggered" \(id=25\) at .*: not understood .*SQLSTATE 08P01/, 'and names the row');
    $target->sql('postgres', 'DROP TRIGGER fire ON triggered');
    $applier->start;
    $migration->wait_until_caught_up;
    is($applier->stop, 0, 'the applier ends cleanly');
};

# A row that another session inserted and has not committed holds a COPY up in its middle.
subtest 'killed in the middle' => sub {
    my $copier = 0; # the server process that waits in a COPY, and not one that was met before
    my $waits = sub {
        my $copying = "FROM pg_stat_activity WHERE query LIKE 'COPY %' AND wait_event_type = 'Lock' AND pid <> $copier";
        wait_until('another COPY that waits', sub { $target->sql('postgres', "SELECT count(*) $copying") == 1 });
        $copier = $target->sql('postgres', "SELECT pid $copying");
    };
    my $blocker = PenstockTest::Blocker->start($target, 'postgres', q{INSERT INTO plain VALUES (5000, 'later')});
    my $applier = follow();
    $source->sql('postgres', q{INSERT INTO plain SELECT i, 'v' || i FROM generate_series(101, 10000) AS i});
    $waits->();
    my $pid = $blocker->ask('pid');
    wait_until('the report', sub { $migration->applier_says(q{blocked -> 0 ->> 'pid'}) eq $pid });
    $target->sql('postgres', "SELECT pg_cancel_backend($copier)");
    wait_until('another try', sub { $applier->log_text =~ /canceling statement.*trying again/ });
    is($applier->stop, 0, 'SIGTERM ends the applier');
    $applier->start;
    $waits->();
    $target->sql('postgres', "SELECT pg_terminate_backend($copier)");
    wait_until('the loss', sub { $applier->log_text =~ /the target.*trying again|terminating connection/ });
    $waits->();
    $applier->kill9;
    $applier->start;
    $waits->();
    $target->crash_and_restart;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', 'cancelled, stopped, terminated, killed, crashed');
    is($applier->stop, 0, 'the applier ends cleanly');
};

subtest 'without options' => sub {
    my $applier = $migration->follow('--workers', 1, '--', '--linger', 1000);
    my $before = copies()->{plain};
    $migration->same_after('a long transaction', q{INSERT INTO plain SELECT i, 'v' || i FROM generate_series(20001, 40000) AS i});
    is(copies()->{plain} - $before, 4, 'full batches go by COPY');
    $migration->same_after('a short one', q{INSERT INTO plain SELECT i, 'v' || i FROM generate_series(40001, 42000) AS i});
    is(copies()->{plain} - $before, 4, 'what is not long does not');
    is($applier->stop, 0, 'the applier ends cleanly');
};

done_testing();
