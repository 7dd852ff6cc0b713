# Do two databases hold the same? Every table is compared as a multiset of rows, each row as text.
#
# Both servers print under the same settings. Floats are compared by their bytes, because their text differs between
# PostgreSQL 11 and 12 unless it is rounded. A table's rows are reduced in the server to their count and a hash over the
# sorted hashes of the rows; only of tables that differ are rows fetched, to show the first that are on one side only.
package PenstockTest::Compare;

use strict;
use warnings;

use Exporter qw(import);
use PenstockTest::Program qw(run_program);
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT_OK = qw(same_rows same_sequences row_differences);

my $settings = join(' ',
    map { "-c $_" } 'extra_float_digits=0', 'DateStyle=ISO', 'TimeZone=UTC', 'IntervalStyle=postgres', 'lc_monetary=C',
    'bytea_output=hex', 'search_path=pg_catalog');

my $rows_shown = 10;

# Name and row expression of each table, of the source's columns in the source's order. A partitioned table stands for its
# partitions too, because the other side may have others, or none.
my $list_tables = <<'SQL';
SELECT format('%I.%I', n.nspname, c.relname), CASE c.relkind WHEN 'r' THEN 'ONLY' ELSE '' END,
       format('ROW(%s)::text', string_agg(format(CASE
           WHEN a.atttypid = 'float4'::regtype THEN 'float4send(%I)'
           WHEN a.atttypid = 'float8'::regtype THEN 'float8send(%I)'
           WHEN a.atttypid IN ('float4[]'::regtype, 'float8[]'::regtype) THEN 'array_send(%I)'
           ELSE '%I' END, a.attname), ',' ORDER BY a.attnum)
           FILTER (WHERE a.attnum IS NOT NULL))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'penstock')
  AND n.nspname !~ '^pg_toast' AND NOT EXISTS
      (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY n.nspname, c.relname, c.relkind ORDER BY 1
SQL

my $list_sequences = <<'SQL';
SELECT format('SELECT %L, last_value, is_called FROM %I.%I;', format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'penstock' ORDER BY 1
SQL

# same_rows(SOURCE, TARGET, DATABASE, NAME): one test that every table of the source has the same rows at the target.
sub same_rows
{
    my ($source, $target, $database, $name) = @_;
    my @differences = row_differences($source, $target, $database);
    my $passed = ok(!@differences, "$name: the same rows on both sides");
    diag($_) foreach @differences;
    return $passed;
}

# same_sequences(SOURCE, TARGET, DATABASE, NAME): one test that every sequence stands at the same value.
sub same_sequences
{
    my ($source, $target, $database, $name) = @_;
    my $queries = _psql($source, $database, $list_sequences);
    return is(_psql($target, $database, $queries), _psql($source, $database, $queries), "$name: sequences");
}

# What differs, a text for each table that does.
sub row_differences
{
    my ($source, $target, $database) = @_;
    my %tables = _tables($source, $database);
    my %there = _tables($target, $database);
    my @missing = grep { !exists $there{$_} } sort keys %tables;
    my @common = grep { exists $there{$_} } sort keys %tables;
    return 'the source has no table' unless %tables;
    my %row = map { $_ => $tables{$_}{row} } @common;
    my $here = _hashes($source, $database, \%tables, \%row);
    my $over_there = _hashes($target, $database, \%there, \%row);
    my @different = grep { $here->{$_} ne $over_there->{$_} } @common;
    return (
        (map { "$_ is missing at the target" } @missing),
        (map {
            "$_ differs: $here->{$_} at the source, $over_there->{$_} at the target. "
              . _first_differing_rows($row{$_}, [$source, $database, $tables{$_}], [$target, $database, $there{$_}])
        } @different)
    );
}

# Name → {from, row}.
sub _tables
{
    my ($server, $database) = @_;
    my %tables;
    foreach my $line (split /\n/, _psql($server, $database, $list_tables)) {
        my ($name, $only, $row) = split /\|/, $line, 3;
        $tables{$name} = {from => "$only $name", row => $row};
    }
    return %tables;
}

# Table → "count hash".
sub _hashes
{
    my ($server, $database, $tables, $row) = @_;
    my $queries = '';
    my @names = sort keys %$row;
    foreach my $name (@names) {
        $queries .= "SELECT format('%s rows, hash %s', count(*), md5(coalesce(string_agg(h, '' ORDER BY h), ''))) "
          . "FROM (SELECT md5($row->{$name}) AS h FROM $tables->{$name}{from}) AS rows;\n";
    }
    my %hashes;
    @hashes{@names} = split /\n/, _psql($server, $database, $queries);
    return \%hashes;
}

sub _first_differing_rows
{
    my ($row, @sides) = @_;
    my @files;
    foreach my $side (@sides) {
        my ($server, $database, $table) = @$side;
        my $query = qq{SELECT $row FROM $table->{from} ORDER BY ($row) COLLATE "C"};
        my $file = PostgreSQL::Test::Utils::tempdir() . '/rows';
        PostgreSQL::Test::Utils::append_to_file($file, _psql($server, $database, $query) . "\n");
        push @files, $file;
    }
    my @lines = grep { /^[<>]/ } split /\n/, run_program('diff', @files)->{stdout};
    my $count = @lines;
    splice(@lines, $rows_shown) if $count > $rows_shown;
    return "Of $count rows that are on one side only (< source, > target):\n"
      . join("\n", map { substr($_, 0, 500) } @lines);
}

sub _psql
{
    my ($server, $database, $sql) = @_;
    local $ENV{PGOPTIONS} = $settings;
    local $ENV{PGCLIENTENCODING} = 'UTF8';
    return $server->safe_psql($database, $sql);
}

1;
