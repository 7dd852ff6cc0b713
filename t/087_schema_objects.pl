# One object that the target refuses does not end the copy: it is named in the server's words, the rest goes on, and a second
# copy tries just what is left. Nothing that somebody else made is ever dropped. A migrated database is as open as its source.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => "max_locks_per_transaction = 10\nmax_connections = 20");
my ($result, $migration);

# databases(NAME, SQL): the database on both sides, the source's filled; its migration.
sub databases
{
    my ($name, $sql) = @_;
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    $source->sql($name, $sql);
    return migration($source, $target, database => $name, name => $name);
}

sub refused
{
    my ($database) = @_;
    return $target->sql($database,
        "SELECT string_agg(kind || ' ' || object_name, ', ' ORDER BY kind, object_name) FROM penstock.schema_object"
          . " WHERE state = 'refused'");
}

# --- Objects of every sort that fail, and only they.
$migration = databases('broken', <<'SQL');
CREATE EXTENSION pg_stat_statements;
CREATE VIEW slow AS SELECT query, total_time FROM pg_stat_statements;
-- An operator that the target's grammar does not have
CREATE VIEW postfix AS SELECT 5 ! AS n;
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent);
INSERT INTO parent VALUES (1);
SET session_replication_role = replica;
INSERT INTO child VALUES (1, 1), (2, 99);
RESET session_replication_role;
-- Functions without a search_path of their own, in an index and in a materialized view
CREATE FUNCTION helper(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$;
CREATE FUNCTION outer_name(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT helper($1) $$;
CREATE TABLE words (id int PRIMARY KEY, body text);
INSERT INTO words VALUES (1, 'a fat cat');
CREATE INDEX words_name ON words (outer_name(body));
CREATE MATERIALIZED VIEW word_count AS SELECT * FROM ts_stat('SELECT to_tsvector(''simple'', body) FROM words');
-- Checks that look outside of their row: at another table, at the clock
CREATE TABLE dict (code text PRIMARY KEY);
INSERT INTO dict VALUES ('a'), ('b');
CREATE FUNCTION in_dict(text) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM dict WHERE code = $1) $$;
CREATE TABLE item (id int PRIMARY KEY, code text CHECK (in_dict(code)), pad text);
INSERT INTO item SELECT g, 'a', repeat('x', 1000) FROM generate_series(1, 200) g;
CREATE TABLE offer (id int PRIMARY KEY, until timestamptz, CONSTRAINT still_open CHECK (until > now()));
ALTER TABLE offer DROP CONSTRAINT still_open;
INSERT INTO offer VALUES (1, 'yesterday');
ALTER TABLE offer ADD CONSTRAINT still_open CHECK (until > now()) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'still_open';
-- A partition on a server that nobody reaches, under a root that is analyzed
CREATE EXTENSION postgres_fdw;
CREATE SERVER archive FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'nothing');
CREATE USER MAPPING FOR postgres SERVER archive OPTIONS (user 'x', password 'hush-hush');
CREATE TABLE sale (id int NOT NULL, year int NOT NULL) PARTITION BY LIST (year);
CREATE TABLE sale_now PARTITION OF sale FOR VALUES IN (2024);
CREATE FOREIGN TABLE sale_old PARTITION OF sale FOR VALUES IN (2019) SERVER archive;
INSERT INTO sale SELECT g, 2024 FROM generate_series(1, 100) g;
SQL
$result = $migration->exits(3, 'copy');
is(refused('broken'), 'CHECK CONSTRAINT offer still_open, FK CONSTRAINT child child_p_fkey, VIEW postfix, VIEW slow', 'what is refused, and no more');
like($result->{stderr}, qr/FK CONSTRAINT public\.child child_p_fkey: the target refuses it: .*Key \(p\)=\(99\) is not present/,
    'the object is named with the detail');
like($result->{stderr}, qr/all rows are copied, but the target refuses 4 objects.*VIEW public\.slow.*penstock copy again/s,
    'the end says how it stands and what to do');
like($target->sql('broken', "SELECT words FROM penstock.schema_object WHERE object_name = 'slow'"), qr/total_time/, 'the words stay');
is($target->sql('broken', $_), $source->sql('broken', $_), $_)
  foreach map { "SELECT count(*), md5(string_agg($_\::text, ',' ORDER BY $_\::text)) FROM $_" } qw(parent child words dict item offer sale_now);
is($target->sql('broken', "SELECT count(*) FROM word_count"), '3', 'a view that needs a search_path is filled');
is($target->sql('broken', "SET enable_seqscan = off; SELECT id FROM words WHERE outer_name(body) = 'A FAT CAT'"), '1', 'so is an index');
is($target->sql('broken', "SELECT convalidated FROM pg_constraint WHERE conname = 'item_code_check'"), 't',
    'a check that looks at another table is made behind the rows');
is($target->sql('broken', "SELECT count(*) FROM pg_stats WHERE tablename = 'sale_now'"), '2', 'partitions are analyzed beside a foreign one');
unlike($target->sql('broken', "SELECT string_agg(encode(coalesce(statements, ''), 'escape'), ' ') FROM penstock.schema_object"),
    qr/hush/, 'no password is written down');
is($target->sql('broken', 'SELECT phase FROM penstock.migration'), 'copied', 'penstock follow may begin');

# --- A second copy tries just what is left, as the operator chooses; the applier may be at work.
my $applier = $migration->follow;
$migration->wait_until_caught_up;
$source->sql('broken', "DELETE FROM child WHERE id = 2; DROP VIEW slow; DROP VIEW postfix");
$migration->wait_until_caught_up;
$result = $migration->exits(0, 'copy', '--not-valid', '*still_open');
is(refused('broken'), '', 'nothing is left');
is($target->sql('broken', "SELECT convalidated FROM pg_constraint WHERE conname = 'child_p_fkey'"), 't', 'the key that fits now');
is($target->sql('broken', "SELECT convalidated FROM pg_constraint WHERE conname = 'still_open'"), 'f', 'the check, NOT VALID');
$result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/nothing left to copy/, 'and a third has nothing to do');
is($applier->stop, 0, 'the applier was not disturbed');

# --- A table that cannot be made: everything that is wrong is named at once, and nothing of it stays.
$migration = databases('gone', <<'SQL');
CREATE TABLE one (id int PRIMARY KEY, a point, b box, CONSTRAINT near CHECK (a @ b));
CREATE TABLE two (id int PRIMARY KEY, a point, b box, CONSTRAINT near CHECK (a @ b));
CREATE TABLE three (id int PRIMARY KEY);
SQL
$result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/refuses 2 objects that rows need: TABLE public\.one: operator does not exist.*TABLE public\.two/s,
    'every table that is refused is named in one run');
is($target->sql('gone', "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), '0', 'nothing of it stays');

# --- Nothing is dropped that we did not make.
$target->sql('gone', 'CREATE TABLE three (id int); INSERT INTO three SELECT generate_series(1, 1000)');
$source->sql('gone', 'ALTER TABLE one DROP CONSTRAINT near; ALTER TABLE two DROP CONSTRAINT near');
$result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/not empty.*public\.three/s, 'a table that somebody made meanwhile stops it');
is($target->sql('gone', 'SELECT count(*) FROM three'), '1000', 'and stays as it is');
$target->sql('gone', 'DROP TABLE three');
$migration->ok('copy');

# --- More than one transaction can lock: killed in between, what was made is known, and passed over.
$migration = databases('many', join '', map { "CREATE TABLE t_$_ (id int PRIMARY KEY);" } 1 .. 900);
$source->sql('many', 'CREATE INDEX ON t_1 (id)');
my $run = background('killed_in_schema', $migration->command('copy'));
wait_until('objects that are written down',
    sub { !$run->is_running || $target->sql('many', "SELECT 1 FROM pg_tables WHERE tablename = 't_1'") });
$run->kill9;
$target->sql('many', 'CREATE TABLE t_900 (id int, mine text)') if $target->sql('many', "SELECT to_regclass('t_900') IS NULL") eq 't';
$result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/TABLE public\.t_900: relation "t_900" already exists.*is written down/s, 'what is in the way is named');
is($target->sql('many', "SELECT count(*) FROM pg_attribute WHERE attrelid = 't_900'::regclass AND attname = 'mine'"), '1', 'and stays');
$target->sql('many', 'DROP TABLE t_900');
$migration->ok('copy', '--jobs', 4);
is($target->sql('many', "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indrelid WHERE relname LIKE 't\\_%'"), '901',
    'all tables have their indexes');

# --- Rights: of schema public, and of the database.
$_->sql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE reader LOGIN') foreach $source, $target;
$migration = databases('rights', <<'SQL');
ALTER SCHEMA public OWNER TO app;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO reader;
COMMENT ON SCHEMA public IS 'it''s the shop';
ALTER DATABASE rights OWNER TO app;
REVOKE CONNECT ON DATABASE rights FROM PUBLIC;
GRANT CONNECT ON DATABASE rights TO reader;
GRANT CREATE ON DATABASE rights TO reader WITH GRANT OPTION;
ALTER DATABASE rights CONNECTION LIMIT 77;
COMMENT ON DATABASE rights IS 'production';
ALTER DATABASE rights SET TimeZone = 'Europe/Vienna';
ALTER DATABASE rights SET search_path = public, "$user", "Odd, one";
ALTER ROLE reader IN DATABASE rights SET statement_timeout = '5s';
CREATE TABLE t (id int PRIMARY KEY);
SQL
$migration->ok('copy');
foreach my $query (
    'SELECT nspowner::regrole FROM pg_namespace WHERE nspname = \'public\'',
    'SELECT a.* FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = \'public\'',
    "SELECT obj_description('public'::regnamespace, 'pg_namespace')",
    'SELECT datdba::regrole, datconnlimit, shobj_description(oid, \'pg_database\') FROM pg_database WHERE datname = current_database()',
    'SELECT a.* FROM pg_database, aclexplode(datacl) a WHERE datname = current_database()',
    'SELECT setrole::regrole, unnest(setconfig) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()',
    'SHOW search_path',
  )
{
    my $normal = $query =~ /aclexplode/
      ? $query =~ s/a\.\*/grantor::regrole, grantee::regrole, privilege_type, is_grantable/r . ' ORDER BY 2, 3'
      : $query =~ /unnest/ ? "$query ORDER BY 1, 2" : $query;
    is($target->sql('rights', $normal), $source->sql('rights', $normal), $normal);
}
is($target->sql('rights', "SELECT has_schema_privilege('reader', 'public', 'CREATE')"), 'f', 'a migrated database is not more open than its source');

done_testing();
