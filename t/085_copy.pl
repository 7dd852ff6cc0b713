# The initial copy: an awkward schema arrives whole under live load, a copy killed at any step goes on, refusals say why.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source', conf => 'max_prepared_transactions = 5');
my $target = start_target('target');

$source->sql('postgres', <<'SQL');
CREATE ROLE app;
CREATE ROLE reader;
CREATE EXTENSION hstore;
CREATE SCHEMA "Odd % Schema";
SET search_path = "Odd % Schema", public;
CREATE TYPE mood AS ENUM ('fine', 'so "so"', 'don''t ask');
CREATE DOMAIN percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE pair AS (a int, b text);

-- 63 bytes, quotes, a percent sign, a backslash; rows in text, because of the enum
CREATE TABLE "A ""long"" name with % and \ and so on, up to sixty-three bytes !"
    ("Key" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "select" mood, p pair, h hstore, f float8, d percent);
INSERT INTO "A ""long"" name with % and \ and so on, up to sixty-three bytes !" ("select", p, h, f, d)
    SELECT (enum_range(NULL::mood))[1 + i % 3], (i, E'tab\there\\' || i)::pair, hstore('k' || i, NULL), i / 3.0, i % 100
      FROM generate_series(1, 3000) i;

-- Nothing but built-in types: rows in binary. A dropped column, a fast default, TOAST.
CREATE TABLE plain (id bigserial PRIMARY KEY, gone int, t text, n numeric, b bytea, a int[], at timestamptz, j jsonb);
ALTER TABLE plain DROP COLUMN gone, ADD COLUMN late text DEFAULT 'late';
INSERT INTO plain (t, n, b, a, at, j)
    SELECT repeat(md5(i::text), 1 + i % 200), i / 7.0, decode(md5(i::text), 'hex'), ARRAY[i, NULL, -i],
           timestamptz 'epoch' + i * interval '1 hour 1 us', jsonb_build_object('i', i)
      FROM generate_series(1, 5000) i;

CREATE TABLE part (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_rest PARTITION OF part DEFAULT PARTITION BY HASH (id);
CREATE TABLE part_rest_0 PARTITION OF part_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_rest_1 PARTITION OF part_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO part SELECT i, chr(97 + i % 4) FROM generate_series(1, 1000) i;

CREATE TABLE mother (id int, note text);
CREATE TABLE child (extra int) INHERITS (mother);
INSERT INTO mother SELECT i, 'm' FROM generate_series(1, 10) i;
INSERT INTO child SELECT i, 'c', i FROM generate_series(1, 20) i;

-- Foreign keys in a circle, a deferrable one; a trigger that would write if it fired; a rule; row security.
CREATE TABLE hen (id int PRIMARY KEY, egg int);
CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;
BEGIN; INSERT INTO egg VALUES (1, 1), (2, NULL); INSERT INTO hen VALUES (1, 1), (2, 2); COMMIT;
CREATE TABLE fired (what text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO "Odd % Schema".fired VALUES (TG_OP); RETURN NEW; END $$;
CREATE TRIGGER fire AFTER INSERT ON mother FOR EACH ROW EXECUTE PROCEDURE fire();
ALTER TABLE mother ENABLE ALWAYS TRIGGER fire;
CREATE RULE no_delete AS ON DELETE TO fired DO INSTEAD NOTHING;
ALTER TABLE fired ENABLE ROW LEVEL SECURITY;
ALTER TABLE fired FORCE ROW LEVEL SECURITY;
CREATE POLICY only_some ON fired USING (what = 'INSERT');
INSERT INTO fired VALUES ('hidden');

CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
INSERT INTO no_columns DEFAULT VALUES;
CREATE UNLOGGED TABLE loose (id int);
INSERT INTO loose VALUES (1);

CREATE VIEW seen AS SELECT id, t FROM plain WHERE id < 10;
CREATE MATERIALIZED VIEW summed AS SELECT region, count(*) FROM part GROUP BY 1;
CREATE MATERIALIZED VIEW over_it AS SELECT sum(count) FROM summed;
CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE UNIQUE INDEX summed_region ON summed (region);
CREATE INDEX plain_expression ON plain (lower(left(t, 20))) WHERE id % 2 = 0;
CREATE STATISTICS plain_statistics ON t, n FROM plain;
CREATE UNIQUE INDEX mother_identity ON mother (id);
COMMENT ON COLUMN plain.late IS 'it''s late';
ALTER TABLE plain OWNER TO app;
GRANT SELECT ("Key") ON "A ""long"" name with % and \ and so on, up to sixty-three bytes !" TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Odd % Schema" GRANT SELECT ON TABLES TO reader;

CREATE SEQUENCE "Never Called" START 7 INCREMENT -3 MINVALUE -100 MAXVALUE 100;
SELECT setval('"Never Called"', 40, false);
CREATE SEQUENCE called;
SELECT nextval('called'), nextval('called');
SQL

# What pg_dump says of a database, without what differs between majors.
sub schema_of
{
    my ($server) = @_;
    my $dump = run_program('pg_dump', '--schema-only', '--exclude-schema=penstock', $server->uri('postgres'))->{stdout};
    $dump =~ s/^(?:CREATE|ALTER) EVENT TRIGGER penstock_[^;]*;\n//mg;
    return join "\n", map { s/EXECUTE PROCEDURE/EXECUTE FUNCTION/r }
        grep { !/^--|^$|^SET default_table_access_method|^\\(un)?restrict|(?:ENABLE ALWAYS|DISABLE) TRIGGER fire;/ } split /\n/, $dump;
}

my $migration = migration($source, $target);
my $result;

# --- Refusals
$result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/missing on the target: app, reader.*--no-owner/s, 'missing roles are named before anything is made');
$target->sql('postgres', 'CREATE ROLE app; CREATE ROLE reader');

$target->sql('postgres', 'CREATE DATABASE used');
$target->sql('used', 'CREATE TABLE somebodys (id int)');
$source->sql('postgres', 'CREATE DATABASE used');
$result = migration($source, $target, database => 'used', name => 'used')->exits(3, 'copy');
like($result->{stderr}, qr/not empty.*public\.somebodys/s, 'a target with tables is refused');
$result = $migration->exits(2, 'copy', '--jobs', 'many');
$result = migration($source, $target, name => 'Not a slot')->exits(2, 'copy');
like($result->{stderr}, qr/cannot name a replication slot/, 'a name that no slot can have is a usage error');

$source->sql('used', 'SELECT lo_create(0)');
$target->sql('used', 'DROP TABLE somebodys');

$source->sql('used', "CREATE TABLE t (id int); BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'in the way'");
$result = migration($source, $target, database => 'used', name => 'used')
    ->exits(3, 'copy', '--skip-large-objects', '--slot-timeout', 2);
like($result->{stderr}, qr/have not ended in 2 s: prepared transaction 'in the way'/, 'who blocks the slot is named');
# Its session has been told to end, and does so in its own time.
wait_until('no slot to be left', sub {
    $source->sql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'penstock_used'") eq '0';
});
$source->sql('used', "COMMIT PREPARED 'in the way'");
migration($source, $target, database => 'used', name => 'used')->ok('copy', '--skip-large-objects');
is($target->sql('used', 'SELECT id FROM t'), '1', 'then the same command goes on');

# --- Killed at every step, the copy goes on to the same end.
foreach my $step (qw(schema plan data post-data sequences)) {
    my $run = background("copy_killed_in_$step", $migration->command('copy', '--jobs', 2));
    wait_until("step $step", sub {
        !$run->is_running || $target->sql('postgres',
            "SELECT 1 FROM penstock.journal WHERE step = '$step' AND event = 'begin' ORDER BY id DESC LIMIT 1");
    });
    $run->kill9;
}
$result = $migration->run('copy', '--json');
if ($result->{status} == 0) {
    my $summary = decode_json($result->{stdout});
    is($summary->{result}, 'copied', 'the summary says so');
    is($summary->{tables}, $source->sql('postgres', <<'SQL'), 'and counts the tables');
SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = '"Odd % Schema"'::regnamespace
SQL
}
else {
    like($result->{stderr}, qr/nothing left to copy/, 'the last kill came too late');
}
same_rows($source, $target, 'postgres', 'after kills at every step');
same_sequences($source, $target, 'postgres', 'sequences, called and not');
is(schema_of($target), schema_of($source), 'the schema is the same, with owners, grants and comments');
is($target->sql('postgres', q{SELECT tgenabled FROM pg_trigger WHERE tgname = 'fire'}), 'D', 'but a trigger that would fire for the stream rests');
is($target->sql('postgres', q{SELECT sum FROM "Odd % Schema".over_it}), '1000', 'materialized views are filled, in order');
is($target->sql('postgres', q{SELECT relispopulated FROM pg_class WHERE relname = 'unfilled'}), 'f', 'save the unfilled');
is($target->sql('postgres', q{SELECT count(*) FROM "Odd % Schema".fired}), '1', 'no trigger fired');
is($source->sql('postgres', 'SELECT count(*) FROM pg_replication_slots WHERE temporary'), '0', 'no temporary slot is left');
is($target->sql('postgres', 'SELECT phase FROM penstock.migration'), 'copied', 'the phase is copied');
$result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/is copied.*penstock follow/s, 'a second copy is refused');

# --- Under load: what each table was copied at is one point in time, named by its LSN.
$source->sql('postgres', 'CREATE DATABASE bench');
$target->sql('postgres', 'CREATE DATABASE bench');
run_program('pgbench', '-i', '-s', 2, '-q', $source->uri('bench'));
my $load = background('load', 'pgbench', '-n', '-c', 2, '-T', 60, $source->uri('bench'));
wait_until('load', sub { $source->sql('bench', 'SELECT 1 FROM pgbench_history LIMIT 1') });
migration($source, $target, database => 'bench', name => 'bench')->ok('copy');
$load->stop;
is($target->sql('bench', 'SELECT count(DISTINCT copy_lsn) FROM penstock.relation'), '1', 'one snapshot serves all');
is($target->sql('bench', <<'SQL'), 't', 'and the tables agree with each other');
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
   AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
SQL
is($target->sql('bench', <<'SQL'), 't', 'the stream starts before every table');
SELECT bool_and(r.copy_lsn >= m.slot_lsn) FROM penstock.relation r JOIN penstock.migration m ON m.name = r.migration
SQL

# --- A signal ends it with the status that says: run me again.
$source->sql('postgres', 'CREATE DATABASE again');
$target->sql('postgres', 'CREATE DATABASE again');
$source->sql('again', 'CREATE TABLE wide AS SELECT i AS id, repeat(md5(i::text), 30) AS t FROM generate_series(1, 300000) i');
my $again = migration($source, $target, database => 'again', name => 'again');
my $run = background('copy_signalled', $again->command('copy'));
wait_until('the data step', sub {
    $target->sql('again', "SELECT 1 FROM pg_tables WHERE schemaname = 'penstock' AND tablename = 'relation'")
        && $target->sql('again', "SELECT 1 FROM penstock.relation WHERE copy_state = 'copying'");
});
is($run->stop('INT'), 4, 'SIGINT ends it as resumable');
$again->ok('copy');
same_rows($source, $target, 'again', 'and run again it has all');

done_testing();
