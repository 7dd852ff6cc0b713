# DDL at the source comes over in its place in the stream: all kinds of it, between rows that need it, each exactly once over kills
# of the applier, until both sides are defined alike and have the same rows.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;


my $source = start_source('source');
my $target = start_target('target');
$_->sql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE reader') foreach $source, $target;
$source->sql('postgres', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY, t text, n numeric(10, 2), at timestamp);
INSERT INTO a SELECT g, 't' || g, g, '2026-01-01' FROM generate_series(1, 100) g;
CREATE TABLE ev (id int NOT NULL, day int NOT NULL, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (1) TO (2);
CREATE TABLE mother (id int PRIMARY KEY, v int);
CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (mother);
INSERT INTO child SELECT g, g, g FROM generate_series(1, 10) g;
CREATE TYPE mood AS ENUM ('fine', 'bad');
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
GRANT ALL ON SCHEMA public TO app;
SQL
my $migration = migration($source, $target, ddl => 'default');
$migration->ok('copy', '--lanes', 8);
my $applier = $migration->follow('--workers', 4);

sub same
{
    my ($name) = @_;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', $name);
    my $drift = $migration->drift;
    is_deeply($drift, [], "$name: the same definitions") or diag(explain($drift));
}

# Each line is sent by itself, rows between definitions.
my @ordinary = split /\n/, <<'SQL';
ALTER TABLE a ADD b int
INSERT INTO a VALUES (101, 'x', 1, now(), 7)
ALTER TABLE a ADD c text NOT NULL DEFAULT 'constant', ADD d timestamptz DEFAULT now()
UPDATE a SET c = 'other', b = id WHERE id % 2 = 0
ALTER TABLE a RENAME b TO bb
ALTER TABLE a ALTER t TYPE varchar(50), ALTER n TYPE numeric(12, 2)
ALTER TABLE a ALTER bb TYPE bigint USING coalesce(bb, 0) + 1
DELETE FROM a WHERE id = 3
ALTER TABLE a DROP COLUMN t
ALTER TABLE a ADD COLUMN t text DEFAULT 'anew'
UPDATE a SET t = 'set' WHERE id < 10
CREATE TABLE made (id serial PRIMARY KEY, a_id int REFERENCES a, m mood DEFAULT 'fine')
INSERT INTO made (a_id) SELECT id FROM a WHERE id <= 20 AND id <> 3
CREATE INDEX CONCURRENTLY made_a ON made (a_id)
CREATE UNIQUE INDEX made_both ON made (a_id, m)
ALTER TYPE mood ADD VALUE 'new' BEFORE 'bad'
UPDATE made SET m = 'new' WHERE id < 5
DROP INDEX CONCURRENTLY made_a
CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM (2) TO (3)
INSERT INTO ev SELECT g, 1 + g % 2, g FROM generate_series(1, 50) g
CREATE TABLE ev_3 (LIKE ev INCLUDING ALL)
INSERT INTO ev_3 VALUES (1, 3, 3)
ALTER TABLE ev ATTACH PARTITION ev_3 FOR VALUES FROM (3) TO (4)
ALTER TABLE ev ADD w int DEFAULT 3
ALTER TABLE ev DETACH PARTITION ev_1
UPDATE ev_1 SET v = v + 1
ALTER TABLE mother ADD w text
UPDATE child SET w = 'w' WHERE id < 5
CREATE VIEW seen AS SELECT id, m FROM made
CREATE OR REPLACE VIEW seen AS SELECT id, m, a_id FROM made
CREATE MATERIALIZED VIEW summed AS SELECT day, sum(v) FROM ev GROUP BY 1
REFRESH MATERIALIZED VIEW summed
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.c := 'stamped; "quoted" '; RETURN new; END $$
CREATE TRIGGER stamp BEFORE UPDATE ON a FOR EACH ROW EXECUTE PROCEDURE stamp()
UPDATE a SET bb = 5 WHERE id = 50
CREATE SCHEMA other AUTHORIZATION app CREATE TABLE inside (id int PRIMARY KEY)
INSERT INTO other.inside VALUES (1), (2)
ALTER TABLE made SET SCHEMA other
INSERT INTO other.made (a_id) VALUES (90)
ALTER SCHEMA other RENAME TO "Other Schema"
UPDATE "Other Schema".made SET m = 'bad' WHERE a_id = 90
CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100)
ALTER TABLE a ADD p percent
CREATE SEQUENCE steps INCREMENT 10
ALTER SEQUENCE steps OWNED BY a.id
ALTER TABLE a ENABLE ROW LEVEL SECURITY
CREATE POLICY own ON a USING (c = current_user)
GRANT SELECT (id), UPDATE (c) ON a TO reader
ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO reader
COMMENT ON TABLE a IS 'it''s; a "comment"'
CREATE RULE quiet AS ON DELETE TO mother DO INSTEAD NOTHING
CREATE STATISTICS a_stat ON n, c FROM a
ALTER TABLE a REPLICA IDENTITY FULL
UPDATE a SET n = n + 1 WHERE id < 20
ALTER TABLE a ADD CONSTRAINT positive CHECK (id > 0), ALTER at SET NOT NULL, ALTER c SET DEFAULT 'later'
ALTER TABLE a SET (fillfactor = 70)
DROP POLICY own ON a
ALTER TABLE a RENAME TO renamed
UPDATE renamed SET n = n + 1 WHERE id < 20
CREATE TABLE a (id int PRIMARY KEY, other text)
INSERT INTO a VALUES (1, 'of the new a')
CREATE TABLE as_select WITH (fillfactor = 60) AS SELECT id, bb, n * 2 AS twice, c COLLATE "C" AS c FROM renamed
SELECT id, t INTO into_table FROM renamed WHERE id < 30
CREATE TABLE no_rows AS SELECT id, t FROM renamed WITH NO DATA
CREATE TABLE from_temp AS SELECT g AS id, g::text AS t FROM generate_series(1, 3000) g
CREATE TABLE acct (id int PRIMARY KEY)
CREATE TABLE audit (id int)
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (new.id); RETURN NULL; END $$
CREATE TRIGGER audit AFTER INSERT ON acct FOR EACH ROW EXECUTE PROCEDURE audit()
ALTER TABLE acct ENABLE ALWAYS TRIGGER audit
INSERT INTO acct VALUES (1), (2)
ALTER TABLE acct DISABLE TRIGGER ALL
INSERT INTO acct VALUES (3)
ALTER TABLE acct ENABLE REPLICA TRIGGER audit
INSERT INTO acct VALUES (4)
CREATE EXTENSION hstore
CREATE TABLE with_h (id int PRIMARY KEY, h hstore)
INSERT INTO with_h VALUES (1, 'a=>1')
DROP TABLE "Other Schema".made CASCADE
ALTER TABLE "Other Schema".inside OWNER TO reader
SQL
$source->sql('postgres', $_) foreach @ordinary;
same('one by one');

# By another role, under another path and other settings, in one string, in a block, in a function, in savepoints.
sub one_string
{
    my ($sql) = @_;
    my $result = run_program($source->installed_command('psql'), '-X', '-v', 'ON_ERROR_STOP=1', '-c', $sql, $source->uri('postgres'));
    die $result->{stderr} if $result->{status} != 0;
}
one_string(q{SET ROLE app; SET search_path = "Other Schema", public; CREATE TABLE p1 (id int PRIMARY KEY, at timestamptz DEFAULT '2026-05-05 12:00');
    INSERT INTO p1 VALUES (1); ALTER TABLE p1 ADD x int; UPDATE p1 SET x = 3; CREATE INDEX ON p1 (x); SELECT 1});
one_string(q{SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'; CREATE TABLE tz (id int PRIMARY KEY, d timestamptz DEFAULT '03/02/2026 00:00');
    INSERT INTO tz VALUES (1); ALTER TABLE tz ADD e date DEFAULT '05/04/2026'});
$source->sql('postgres', q{DO $$ BEGIN FOR i IN 1..3 LOOP EXECUTE format('CREATE TABLE loop_%s (id int PRIMARY KEY)', i);
    EXECUTE format('INSERT INTO loop_%s VALUES (%s)', i, i); END LOOP; ALTER TABLE loop_1 ADD t text DEFAULT 'it''s "q"'; END $$});
$source->sql('postgres', q{CREATE FUNCTION makes(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, v int)', name); EXECUTE format('INSERT INTO %I VALUES (1, 1)', name); END $$});
$source->sql('postgres', q{SELECT makes('by "function"')});
$source->sql('postgres', q{BEGIN; CREATE TABLE s1 (id int PRIMARY KEY); SAVEPOINT x; ALTER TABLE s1 ADD gone int; CREATE TABLE s2 (id int);
    ROLLBACK TO x; INSERT INTO s1 VALUES (1); SAVEPOINT y; ALTER TABLE s1 ADD stays int; RELEASE y; INSERT INTO s1 VALUES (2, 2); COMMIT});
same('in strings, blocks, functions and savepoints');
is($target->sql('postgres', q{SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'p1'}), 'app', 'owners are as at the source');
is($target->sql('postgres', q{SELECT count(*) FROM penstock.ddl WHERE state NOT IN ('applied', 'left out')}), '0', 'nothing waits');

# A commit that is in the stream, and that nobody sees at the source yet because a synchronous standby does not answer: what it made has
# not gone.
my $hold = sub { $source->sql('postgres', $_) foreach "ALTER SYSTEM $_[0] synchronous_standby_names$_[1]", 'SELECT pg_reload_conf()'; return };
$hold->('SET', q{ = 'nobody'});
wait_until('the setting', sub { $source->sql('postgres', 'SHOW synchronous_standby_names') eq 'nobody' });
my $waits = background('waits', 'psql', '-X', '-q', '-c', 'CREATE TABLE unseen AS SELECT g AS id, g::text AS t FROM generate_series(1, 100) g', $source->uri('postgres'));
wait_until('the commit to wait', sub { $source->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'}) eq '1' });
wait_until('the applier to look for the table', sub { $source->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'penstock applier resolver'}) eq '1' });
is($source->sql('postgres', q{SELECT to_regclass('unseen') IS NULL}), 't', 'the applier has what nobody sees yet');
$hold->('RESET', '');
is($waits->wait, 0, 'the commit is done');
same('with a commit that was seen late');

# Killed at any moment, each statement is there once.
for my $round (1 .. 6) {
    $source->sql('postgres', "ALTER TABLE renamed ADD r$round int; INSERT INTO renamed (id, at, r$round) VALUES (1000 + $round, now(), $round);"
          . "CREATE TABLE k$round (id int PRIMARY KEY); INSERT INTO k$round VALUES ($round); ALTER TABLE k$round RENAME TO kk$round");
    $applier->kill9;
    $applier = $migration->follow('--workers', 1 + $round % 4);
}
same('over kills');
is($applier->stop, 0, 'the applier ends');

# While a table has to be asked for, what comes behind it is read and asked for, too: up to a definition, which may change the answer.
$applier = $migration->follow('--workers', 2);
wait_until('the stream', sub { $applier->log_text =~ /streaming from/ });
my $lock = PenstockTest::Blocker->start($target, 'postgres', 'LOCK TABLE penstock.relation');
$source->sql('postgres', $_) foreach 'INSERT INTO kk1 VALUES (10)', 'INSERT INTO kk2 VALUES (10)', 'ALTER TABLE kk3 ADD later int',
    'INSERT INTO kk3 VALUES (10, 10)', 'INSERT INTO kk4 VALUES (10)', 'ALTER TABLE kk4 RENAME TO kk4_was', 'CREATE TABLE kk4 (id int PRIMARY KEY, t text)',
    q{INSERT INTO kk4 VALUES (10, 'of the new one')}, 'INSERT INTO kk4_was VALUES (11)', 'DROP TABLE kk5', 'INSERT INTO kk6 VALUES (10)';
wait_until('the wait to be shown', sub { ($migration->applier_says('blocked') // '') =~ /"relation": ?"penstock\.relation"/ }, 60);
$lock->end;
same('with definitions behind a table that had to be asked for');
is($applier->stop, 0, 'the applier ends');
done_testing();
