# DDL does not travel: what is defined in another way on the two sides is named by check while the migration runs, and the cutover
# refuses to begin. What is the same is never called different, whatever the majors write it like.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
$_->sql('postgres', 'CREATE ROLE app; CREATE ROLE reader') foreach $source, $target;
$source->sql('postgres', <<'SQL');
CREATE EXTENSION hstore;
CREATE SCHEMA "Odd % Schema" AUTHORIZATION app;
COMMENT ON SCHEMA "Odd % Schema" IS 'odd';
CREATE TYPE mood AS ENUM ('fine', 'don''t ask');
CREATE DOMAIN percent AS numeric(5, 2) NOT NULL DEFAULT 1 CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE span AS RANGE (subtype = float8);
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION twice(n int, OUT r int) LANGUAGE sql IMMUTABLE STRICT COST 7 SET search_path = public AS 'SELECT 2 * n';
CREATE PROCEDURE nothing() LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE PROCEDURE with_arguments(a int, INOUT b text, c numeric(8, 2) DEFAULT 1) LANGUAGE plpgsql AS $$ BEGIN END $$;
COMMENT ON PROCEDURE with_arguments(int, text, numeric) IS 'has a comment';
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
REVOKE ALL ON FUNCTION twice(int) FROM PUBLIC;
CREATE TABLE "Odd % Schema"."T ""x""" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood DEFAULT 'fine', d percent, h hstore, s span,
    p pair, a numeric(10, 2)[] NOT NULL DEFAULT '{}', c text COLLATE "C", v varchar(20), at timestamptz DEFAULT now(), i interval day);
CREATE TABLE base (id bigserial PRIMARY KEY, t text, n numeric(10, 2), CONSTRAINT positive CHECK (n > 0 AND t <> ''), UNIQUE (t) DEFERRABLE,
    EXCLUDE USING btree (n WITH =));
CREATE TABLE refers (id int PRIMARY KEY, b bigint REFERENCES base ON DELETE CASCADE) WITH (fillfactor = 50, autovacuum_enabled = false);
ALTER TABLE refers ADD CONSTRAINT later FOREIGN KEY (b) REFERENCES base NOT VALID;
CREATE TABLE ev (id int NOT NULL, day int NOT NULL, v int) PARTITION BY RANGE (day);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (1) TO (2);
CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM (2) TO (3);
CREATE TABLE ev_3 PARTITION OF ev DEFAULT;
CREATE INDEX ON ev (v);
ALTER TABLE ev ADD PRIMARY KEY (id, day);
CREATE TABLE spare (id int NOT NULL, day int NOT NULL, v int, PRIMARY KEY (id, day));
CREATE TABLE plainer (n numeric(10, 2), t text);
CREATE TABLE mother (id int, note text);
CREATE TABLE child (extra int) INHERITS (mother);
CREATE TABLE audited (id int PRIMARY KEY, t text);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER fire BEFORE INSERT OR UPDATE OF t ON audited FOR EACH ROW WHEN (NEW.id > 0) EXECUTE PROCEDURE fire();
CREATE TRIGGER of_partitions AFTER INSERT ON ev FOR EACH ROW EXECUTE PROCEDURE fire();
CREATE TRIGGER disabled AFTER DELETE ON audited EXECUTE PROCEDURE fire();
ALTER TABLE audited DISABLE TRIGGER disabled, ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON audited FOR SELECT TO reader, app USING (t = current_user);
CREATE RULE quiet AS ON DELETE TO mother DO INSTEAD NOTHING;
CREATE STATISTICS base_statistics ON t, n FROM base;
CREATE INDEX base_expression ON base (lower(t) text_pattern_ops, n DESC NULLS LAST) INCLUDE (id) WHERE n < 5;
CREATE UNLOGGED TABLE cart (id int PRIMARY KEY, v int);
CREATE SEQUENCE s_step; CREATE SEQUENCE s_max MAXVALUE 1000 CYCLE; CREATE SEQUENCE s_int AS int INCREMENT -3; CREATE SEQUENCE s_dropped;
CREATE VIEW seen AS SELECT b.id, extract(year FROM a.at) AS year, CASE WHEN b.n IN (1, 2) THEN 'x' ELSE b.t || '-' END AS x,
       (SELECT count(*) FILTER (WHERE e.v > 1) FROM ev e WHERE e.id = b.id) AS c, row_number() OVER (ORDER BY b.n)
  FROM base b LEFT JOIN "Odd % Schema"."T ""x""" a USING (id) WHERE b.t ~~ 'a%' AND position('x' IN b.t) > 0 GROUP BY b.id, a.at, b.n, b.t;
CREATE MATERIALIZED VIEW summed AS SELECT day, sum(v) FROM ev GROUP BY 1;
GRANT SELECT (id), UPDATE (t) ON base TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE s_step TO app;
COMMENT ON COLUMN base.t IS 'text';
COMMENT ON CONSTRAINT positive ON base IS 'more';
ALTER TABLE base OWNER TO app;
ALTER TABLE audited REPLICA IDENTITY FULL;
ALTER DATABASE postgres SET TimeZone = 'Europe/Vienna';
INSERT INTO cart SELECT g, g FROM generate_series(1, 10) g;
INSERT INTO ev SELECT g, 1 + g % 3, g FROM generate_series(1, 30) g;
SQL
my $migration = migration($source, $target, ddl => 'off');
$migration->ok('copy');
my $applier = $migration->follow;
$migration->wait_until_caught_up;

# What check finds: {"kind object" => detail}, several details of one object joined.
sub drift
{
    my $outcomes = decode_json($migration->run('check', '--json')->{stdout});
    my ($drift) = grep { $_->{id} eq 'drift' } @{$outcomes};
    my %found;
    foreach my $finding (@{$drift->{findings}}) {
        $found{$finding->{object}} = join '; ', grep { defined } $found{$finding->{object}}, $finding->{detail};
    }
    is($drift->{error}, undef, 'check compares the two sides');
    return \%found;
}

is_deeply(drift(), {}, 'behind the copy nothing differs');
my @dry_run = ('cutover', '--proxy', 'none', '--dry-run', '--max-lag', '1000000000');
unlike($migration->run(@dry_run)->{stderr}, qr/differ in/, 'and the preflight does not complain');

# --- DDL of an ordinary day, at the source alone
$source->sql('postgres', <<'SQL');
ALTER TABLE cart SET LOGGED;
ALTER TABLE ev ATTACH PARTITION spare FOR VALUES FROM (4) TO (5);
ALTER TABLE ev DETACH PARTITION ev_2;
DROP TABLE ev_1;
ALTER SEQUENCE s_step INCREMENT 50 CACHE 10;
ALTER SEQUENCE s_max MAXVALUE 100000 NO CYCLE;
ALTER SEQUENCE s_int AS bigint;
CREATE SEQUENCE s_new START 42;
DROP SEQUENCE s_dropped;
ALTER TABLE refers VALIDATE CONSTRAINT later;
DROP INDEX base_expression;
ALTER TABLE audited ENABLE TRIGGER disabled;
REVOKE SELECT ON mother FROM reader;
ALTER TYPE mood ADD VALUE 'new';
CREATE OR REPLACE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
ALTER VIEW seen OWNER TO app;
COMMENT ON TABLE child IS 'new';
ALTER POLICY own ON audited USING (true);
SQL
my $result = $migration->exits(3, @dry_run);
like($result->{stderr}, qr/the two sides differ in \d+ definitions: .*--accept-drift/s, 'the cutover refuses before anybody is held');
like($result->{stderr}, qr/persistence is "LOGGED" at the source/, 'and names what differs');
unlike($migration->run(@dry_run, '--accept-drift')->{stderr}, qr/the two sides differ in/, 'unless the operator accepts it');

# Columns of another type are named, too; the preflight does not even come that far, such a table has to be copied again. An applier
# would stop at it.
is($applier->stop, 0, 'the applier ends');
$source->sql('postgres', 'ALTER TABLE plainer ALTER n TYPE numeric(12, 3), ALTER t SET NOT NULL');
my $found = drift();
my %expected = (
    'table public.cart'                 => qr/persistence is "LOGGED" at the source, "UNLOGGED" on the target/,
    'table public.spare'                => qr/partition of public\.ev \(FOR VALUES FROM \(4\) TO \(5\)\) is missing on the target/,
    'table public.ev_2'                 => qr/partition of public\.ev \(.*\) is on the target alone/,
    'table public.ev_1'                 => qr/is on the target alone/,
    'sequence public.s_step'            => qr/INCREMENT 50 .*CACHE 10" at the source/,
    'sequence public.s_max'             => qr/MAXVALUE 100000 CACHE 1" at the source.* CYCLE" on the target/,
    'sequence public.s_int'             => qr/bigint/,
    'sequence public.s_new'             => qr/is missing on the target/,
    'sequence public.s_dropped'         => qr/is on the target alone/,
    'table public.plainer'              => qr/column n is "numeric\(12,3\)" at the source.*column t is "text NOT NULL"/,
    'constraint public.refers later'    => qr/NOT VALID" on the target/,
    'index public.base_expression'      => qr/on the target alone/,
    'trigger public.audited disabled'   => qr/enabled is "yes" at the source, "no" on the target/,
    'table public.mother'               => qr/grants is /,
    'type public.mood'                  => qr/labels is .*'new'/,
    'function public.fire()'            => qr/body is .*OLD/,
    'table public.seen'                 => qr/owner is "app" at the source/,
    'table public.child'                => qr/comment \(new\) is missing on the target/,
    'policy public.audited own'         => qr/USING \(true\)/,
);
like($found->{$_} // 'not found', $expected{$_}, "$_ is named") foreach sort keys %expected;
my $rest = join ', ', grep { !exists $expected{$_} } sort keys %{$found};
is($rest, join(', ', map({ "constraint public.$_" } 'ev_2 ev_2_pkey', 'spare spare_pkey'),
        map { "index public.$_" } qw(ev_1_pkey ev_1_v_idx ev_2_pkey ev_2_v_idx spare_pkey spare_v_idx)), 'and what hangs on them, no more');

# --- Without owners and grants there is nothing to say about them.
$_->sql('postgres', 'CREATE DATABASE bare') foreach $source, $target;
$source->sql('bare', 'CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO app; GRANT SELECT ON t TO reader; ALTER DATABASE bare OWNER TO app');
$migration = migration($source, $target, database => 'bare', name => 'bare');
$migration->ok('copy', '--no-owner', '--no-privileges');
is_deeply(drift(), {}, 'with --no-owner and --no-privileges owners and grants are not compared');

# --- The statements that are said mend it, also where the target's database has another name; a locale may be spelt in two ways.
$target->sql('postgres', 'ALTER DATABASE bare RENAME TO bare_2');
$source->sql('bare', $_) foreach split /\n/, <<'SQL';
ALTER DATABASE bare SET statement_timeout = '11s'; ALTER DATABASE bare SET search_path = public, "Odd, one"
ALTER ROLE app IN DATABASE bare SET work_mem = '7MB'; ALTER DATABASE bare SET lc_monetary = 'C.UTF-8'
COMMENT ON DATABASE bare IS 'it''s'; ALTER DATABASE bare SET timezone = 'Europe/Vienna'; ALTER TABLE t REPLICA IDENTITY FULL
SQL
$target->sql('bare_2', q{ALTER DATABASE bare_2 SET lc_monetary = 'C.utf8'; ALTER DATABASE bare_2 SET timezone = 'UTC'; ALTER DATABASE bare_2 SET work_mem = '9MB'});
sub findings
{
    my ($drift) = grep { $_->{id} eq 'drift' } @{ decode_json($migration->run('check', '--json', '--target', $target->uri('bare_2'))->{stdout}) };
    is($drift->{error}, undef, 'check compares the two sides');
    return @{ $drift->{findings} };
}
my @findings = findings();
is_deeply([ grep { !defined $_->{fix} } @findings ], [], 'each has its statement');
is(@findings, 6, 'settings, a comment and an identity differ') or diag explain \@findings;
$target->sql('bare_2', $_->{fix}) foreach @findings;
is_deeply([ findings() ], [], 'which mends it');

done_testing();
