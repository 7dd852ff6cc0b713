# Rows travel in binary wherever the binary form means the same on both sides, or OIDs in it can be changed on the way: a column of an
# enum, a domain, a range, an array, a composite or an extension's type does not make the whole table text, which for large values
# of bytea cannot even be sent. What looks at rows on their way in (a domain's CHECK) has the database's search_path; what a time is written
# as there (IST may be another zone) is no matter.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => 'log_statement = all');

# The types have other OIDs on the target.
$target->sql('postgres', 'CREATE TYPE before AS ENUM (\'x\'); DROP TYPE before');
$source->sql('postgres', <<'SQL');
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('fine', 'so "so"', 'don''t ask');
CREATE DOMAIN moods AS mood;
CREATE TYPE span AS RANGE (subtype = float8);
CREATE TYPE pair AS (m mood, n int);
CREATE TABLE wide (id int PRIMARY KEY, m mood, d moods, s span, h hstore, c citext, one "char", b bytea);
INSERT INTO wide SELECT i, (enum_range(NULL::mood))[1 + i % 3], (enum_range(NULL::mood))[1 + i % 3], span(i, i + 0.1), hstore('k' || i, NULL),
       'Ab' || i, i::"char", decode(md5(i::text), 'hex') FROM generate_series(-100, 100) i;
CREATE DOMAIN pairs AS pair[];
CREATE TYPE deep AS (p pair, ps pairs, s span, note text, gone int, one "char");
ALTER TYPE deep DROP ATTRIBUTE gone;
CREATE TYPE moods_range AS RANGE (subtype = mood);
CREATE TABLE made (id int PRIMARY KEY, m mood[], p pair, ps pairs, d deep, ds deep[], r moods_range, rs moods_range[], h hstore[], w wide, i int[], n numeric, b bytea);
INSERT INTO made SELECT i, ARRAY[enum_range(NULL::mood), enum_range(NULL::mood)], ROW('fine', i)::pair, ARRAY[ROW('fine', i)::pair, NULL, ROW(NULL, NULL)::pair],
       ROW(ROW('fine', i), '{}'::pairs, span(i, NULL), 'x', '~'::"char" )::deep, '[3:4]={NULL,NULL}'::deep[], moods_range('fine', 'don''t ask', '[]'),
       ARRAY[moods_range('fine', NULL), 'empty'::moods_range], ARRAY[hstore('a', i::text)], (SELECT w FROM wide w WHERE id = i), ARRAY[1, NULL, i], i / 3.0, decode(md5(i::text), 'hex')
  FROM generate_series(1, 10) i;
INSERT INTO made (id) VALUES (11);
UPDATE made SET ds[3] = d, ds[4] = NULL WHERE id < 5;
CREATE SCHEMA app;
CREATE FUNCTION app.most() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1000';
CREATE FUNCTION app.is_fine(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 < most(); END';
ALTER DATABASE postgres SET search_path = public, app;
ALTER DATABASE postgres SET timezone = 'Asia/Kolkata';
ALTER DATABASE postgres SET datestyle = 'German';
CREATE DOMAIN amount AS int CHECK (app.is_fine(VALUE));
SET search_path = public, app;
CREATE TABLE checked (id int PRIMARY KEY, a amount);
INSERT INTO checked SELECT g, g FROM generate_series(1, 10) g;
CREATE TABLE empty (id int PRIMARY KEY, m mood[]);
CREATE TABLE as_text (id int PRIMARY KEY, m mood[], r regclass[], x regtype);
INSERT INTO as_text SELECT i, enum_range(NULL::mood), ARRAY['wide'::regclass], 'mood'::regtype FROM generate_series(1, 10) i;
CREATE DOMAIN question AS tsquery CHECK (numnode(VALUE) < 100);
CREATE TYPE asked AS (q tsquery, n int);
CREATE TABLE mixed (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, one "char", q tsquery, s question, r regclass[], x regclass, a asked, m mood[], d deep, b bytea, "odd ""name" regtype);
INSERT INTO mixed (id, one, q, s, r, x, a, m, d, b, "odd ""name") SELECT i, i::"char", CASE WHEN i % 2 = 0 THEN 'a & b'::tsquery ELSE '' END, 'c | d', ARRAY['wide'::regclass, 0], 0,
       ROW('', i)::asked, ARRAY['fine']::mood[], ROW(ROW('fine', i), '{}'::pairs, span(i, NULL), E'x\\y\n', i::"char")::deep, decode(md5(i::text), 'hex'), 'mood'::regtype FROM generate_series(-128, 127) i;
INSERT INTO mixed (id, a) VALUES (1000, NULL), (1001, ROW(NULL, NULL)::asked);
CREATE TABLE long (id int PRIMARY KEY, q tsquery, b bytea); ALTER TABLE long ALTER b SET STORAGE EXTERNAL;
INSERT INTO long SELECT i, 'a'::tsquery, decode(repeat(md5(i::text), 65536), 'hex') FROM generate_series(1, 70) i;
-- A cast by a function that says something else than the input function, out of text and into it.
CREATE FUNCTION wrong(text) RETURNS asked LANGUAGE sql AS $$ SELECT ROW('wrong', -1)::asked $$;
CREATE FUNCTION wrong(asked) RETURNS text LANGUAGE sql AS $$ SELECT '("wrong",-1)' $$;
CREATE CAST (text AS asked) WITH FUNCTION wrong(text); CREATE CAST (asked AS text) WITH FUNCTION wrong(asked) AS IMPLICIT;
SQL
my $migration = migration($source, $target);
$migration->ok('copy');
# In LATIN1 each byte is a character: what is text in UTF-8 alone would not be compared otherwise.
foreach my $table (qw(wide made checked empty as_text mixed long)) {
    my $sql = "SELECT count(*), md5(string_agg(md5(textsend(textin(record_out(t)))), ',' ORDER BY id)) FROM $table t";
    is($target->sql('postgres', $sql), $source->sql('postgres', $sql), $table);
}
my $log = slurp_file($target->logfile);
like($log, qr/COPY "public"\."wide" .*FORMAT binary/, 'in binary where that means the same');
like($log, qr/COPY "public"\."made" .*FORMAT binary/, 'also where OIDs are changed');
like($log, qr/COPY "public"\."as_text" .*FORMAT text/, 'in text where values are OIDs');
like($log, qr/COPY penstock\.staging_\d+ .*"one".*FORMAT binary/, 'in both where a neighbour cannot be text');
my @moved = $log =~ /(INSERT INTO "public"\."long" )/g;
is(scalar @moved, 2, 'a piece at a time');
is($target->sql('postgres', q{SELECT count(*) FROM pg_class WHERE relname LIKE 'staging%'}), 0, 'nothing is left between');

done_testing();
