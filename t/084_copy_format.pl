# Rows travel in binary wherever the binary form means the same on both sides: a column of an enum, a domain, a range or an
# extension's type does not make the whole table text, which for large values of bytea cannot even be sent.
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
CREATE TABLE as_text (id int PRIMARY KEY, m mood[], p pair);
INSERT INTO as_text SELECT i, enum_range(NULL::mood), ROW('fine'::mood, i)::pair FROM generate_series(1, 10) i;
SQL
my $migration = migration($source, $target);
$migration->ok('copy');
foreach my $table (qw(wide as_text)) {
    my $sql = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM $table t";
    is($target->sql('postgres', $sql), $source->sql('postgres', $sql), $table);
}
my $log = slurp_file($target->logfile);
like($log, qr/COPY "public"\."wide" .*FORMAT binary/, 'in binary where that means the same');
like($log, qr/COPY "public"\."as_text" .*FORMAT text/, 'in text where the form has the OID of a type in it');

done_testing();
