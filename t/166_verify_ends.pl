# Every type at its ends, in every shape that a value can have: by itself, in arrays with other lower bounds, in domains, composites,
# ranges, and in these of each other. What is equal is equal, and two values that differ in nothing but a bit, a zero, a space or a
# spelling are found in each shape, as that row and that column and nothing else.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $major = $ENV{PENSTOCK_VERIFY_18} && -e "$ENV{PENSTOCK_SERVERS}/pg18/PACKAGE" ? 18 : 14;
# The names of money's and float's settings differ, and how each side writes dates, intervals and bytes.
my $source = start_source('source', conf => "extra_float_digits = -5\nbytea_output = escape\nintervalstyle = iso_8601\n");
my $target = start_target('target', major => $major, conf => "intervalstyle = sql_standard\ndatestyle = 'German'\n");
note("from 11 to $major");

my $nan = q{('inf'::%s - 'inf'::%1$s)}; # has its sign set, where the one that is read from text has not
sub float_values
{
    my ($type, $least, $most, $near) = @_;
    return [ "'-0'", '0', "'NaN'", sprintf($nan, $type), "'inf'", "'-inf'", "'$least'", "'$most'", "'-$most'", '0.1', "'$near'" ];
}

# Name of the type, its values as SQL, pairs of values that are next to each other; 0: it has no order, so no ranges.
my @types = (
    [ 'float8', float_values('float8', '4.9406564584124654e-324', '1.7976931348623157e308', '0.10000000000000002'),
        [ [ '0.1', '0.10000000000000002' ], [ '0', "'-0'" ], [ "'NaN'", "'inf'" ], [ '4.9406564584124654e-324', '0' ] ] ],
    [ 'float4', float_values('float4', '1.4e-45', '3.40282347e38', '0.10000001'), [ [ '0.1', '0.10000001' ], [ '0', "'-0'" ] ] ],
    [ 'numeric', [ '0', '0.000', '1.0', '1.00', "'NaN'", '1e500', '-1e-500', '1e131071', '1e-1000', '12345.6789' ],
        [ [ '1.0', '1.00' ], [ '0', '0.0' ], [ '100', '100.0' ], [ '1e-300', '0e-300' ], [ '99999999999999999999', '99999999999999999998' ] ] ],
    [ 'int2', [ -32768, 32767 ], [ [ 0, 1 ] ] ],
    [ 'int8', [ "'-9223372036854775808'", '9223372036854775807' ], [ [ '9223372036854775807', '9223372036854775806' ] ] ],
    [ 'oid', [ '0', "'4294967295'" ], [ [ "'4294967295'", "'4294967294'" ] ] ],
    [ 'bool', [ 'true', 'false' ], [ [ 'true', 'false' ] ] ],
    [ 'money', [ "'-92233720368547758.08'", "'92233720368547758.07'" ], [ [ "'0.00'", "'0.01'" ] ] ],
    [ 'text', [ q{''}, q{' '}, q{E'\t\n\\\\ "'}, q{'NULL'}, q{U&'\+01034D'}, q{'{}'}, q{'(,)'}, q{repeat('long', 3000)} ],
        [ [ q{''}, q{' '} ], [ q{'a'}, q{'a '} ], [ q{'NULL'}, q{'null'} ], [ q{U&'\00e4'}, q{U&'a\0308'} ], [ q{E'\n'}, q{E'\r\n'} ] ] ],
    [ 'varchar(12)', [ q{''}, q{'v   '} ], [ [ q{'v'}, q{'v '} ] ] ],
    [ 'bpchar', [ q{''}, q{'a   '}, q{' '} ], [ [ q{'a'}, q{'a '} ] ] ],
    [ '"char"', [ q{''}, q{'x'} ], [ [ q{'a'}, q{'b'} ] ] ],
    [ 'name', [ q{''}, q{repeat('n', 63)} ], [ [ q{'n'}, q{'n '} ] ] ],
    [ 'bytea', [ q{'\x'}, q{'\x00'}, q{'\x5c27'} ], [ [ q{'\x00'}, q{'\x0000'} ], [ q{'\x'}, q{'\x00'} ] ] ],
    [ 'bit varying', [ q{''}, q{B'0'}, q{B'101010101'} ], [ [ q{B'1'}, q{B'10'} ] ] ],
    [ 'date', [ q{'4713-01-01 BC'}, q{'5874897-12-31'}, q{'infinity'}, q{'-infinity'} ], [ [ q{'0001-01-01'}, q{'0001-01-01 BC'} ] ] ],
    [ 'timestamp', [ q{'4713-01-01 00:00 BC'}, q{'294276-12-31 23:59:59.999999'}, q{'infinity'}, q{'-infinity'} ],
        [ [ q{'2000-01-01'}, q{'2000-01-01 00:00:00.000001'} ], [ q{'294276-12-31 23:59:59.999999'}, q{'infinity'} ] ] ],
    [ 'timestamptz', [ q{'4713-01-01 00:00+00 BC'}, q{'294276-12-31 23:59:59.999999+00'}, q{'infinity'} ],
        [ [ q{'1900-01-01 00:00+00'}, q{'1900-01-01 00:00:00.000001+00'} ] ] ],
    [ 'time', [ q{'00:00'}, q{'24:00'}, q{'23:59:59.999999'} ], [ [ q{'24:00'}, q{'00:00'} ] ] ],
    [ 'timetz', [ q{'00:00+15:59:59'}, q{'24:00-15:59:59'} ], [ [ q{'12:00+01'}, q{'11:00+00'} ] ] ],
    [ 'interval', [ q{'-178000000 years'}, q{'178000000 years'}, q{'1 mon -1 day 00:00:00.000001'}, q{'-2147483647:59:59.999999'} ],
        [ [ q{'1 mon'}, q{'30 days'} ], [ q{'24:00'}, q{'1 day'} ], [ q{'12 mons -1 day'}, q{'11 mons 29 days'} ] ] ],
    [ 'uuid', [ q{'00000000-0000-0000-0000-000000000000'}, q{'ffffffff-ffff-ffff-ffff-ffffffffffff'} ],
        [ [ q{'ffffffff-ffff-ffff-ffff-ffffffffffff'}, q{'ffffffff-ffff-ffff-ffff-fffffffffffe'} ] ] ],
    [ 'inet', [ q{'0.0.0.0'}, q{'::/0'}, q{'::ffff:1.2.3.4'}, q{'1.2.3.4/31'} ], [ [ q{'1.2.3.4'}, q{'1.2.3.4/31'} ], [ q{'::1.2.3.4'}, q{'1.2.3.4'} ] ] ],
    [ 'cidr', [ q{'10/8'}, q{'::/128'} ], [ [ q{'10/8'}, q{'10/9'} ] ] ],
    [ 'macaddr8', [ q{'08:00:2b:01:02:03:04:05'} ], [ [ q{'08:00:2b:01:02:03:04:05'}, q{'08:00:2b:01:02:03:04:06'} ] ] ],
    [ 'pg_lsn', [ q{'0/0'}, q{'FFFFFFFF/FFFFFFFF'} ], [ [ q{'0/1'}, q{'1/0'} ] ] ],
    [ 'json', [ q{'{"b" : 1,  "a":1.0, "a":2}'}, q{'""'}, q{'  null '} ], [ [ q{'[1]'}, q{'[ 1]'} ], [ q{'1.0'}, q{'1.00'} ], [ q{'null'}, 'NULL' ] ], 0 ],
    [ 'jsonb', [ q{'{"b": 1.10, "a": [1e3, null, {}]}'}, q{'"\u0001"'}, q{'1e1000'} ], [ [ q{'1.0'}, q{'1.00'} ], [ q{'null'}, 'NULL' ], [ q{'{}'}, q{'[]'} ] ] ],
    [ 'xml', [ q{'<a>&lt;</a>'}, q{''}, q{'<?xml version="1.0"?><a/>'} ], [ [ q{'<a/>'}, q{'<a></a>'} ], [ q{'<a b="1"/>'}, q{'<a  b="1"/>'} ] ], 0 ],
    [ 'tsvector', [ q{''}, q{'a:1A,16383 ''b c'':2'} ], [ [ q{'a:1'}, q{'a:1B'} ], [ q{'a'}, q{'a:1'} ] ] ],
    [ 'tsquery', [ q{''}, q{'a <3> b & !(c:*AB | d)'} ], [ [ q{'a & b'}, q{'a <-> b'} ] ] ],
    [ 'txid_snapshot', [ q{'10:20:10,14,15'} ], [ [ q{'10:20:10'}, q{'10:20:11'} ] ], 0 ],
    [ 'point', [ q{'(-0,1e-300)'}, q{'(inf,-inf)'} ], [ [ q{'(0.1,0)'}, q{'(0.1,-0)'} ], [ q{'(0.1,0)'}, q{'(0.10000000000000002,0)'} ] ], 0 ],
    [ 'line', [ q{'{1,0.1,-3}'} ], [ [ q{'{1,0.1,-3}'}, q{'{1,0.10000000000000002,-3}'} ] ], 0 ],
    [ 'lseg', [ q{'[(0.1,0.2),(1e-300,1e300)]'} ], [ [ q{'[(0.1,0.2),(1,1)]'}, q{'[(1,1),(0.1,0.2)]'} ] ], 0 ],
    [ 'box', [ q{'(1,1),(0,0)'} ], [ [ q{'(1,1),(0,0)'}, q{'(1,1),(0,-0)'} ] ], 0 ],
    [ 'path', [ q{'[(0.1,0),(1,2)]'}, q{'((0.1,0),(1,2))'} ], [ [ q{'[(0,0),(1,2)]'}, q{'((0,0),(1,2))'} ] ], 0 ],
    [ 'polygon', [ q{'((0.1,0),(1,2),(3,4))'} ], [ [ q{'((0,0),(1,2),(3,4))'}, q{'((1,2),(3,4),(0,0))'} ] ], 0 ],
    [ 'circle', [ q{'<(0.1,0.2),0.3>'} ], [ [ q{'<(0,0),0.1>'}, q{'<(0,0),0.10000000000000002>'} ] ], 0 ],
    [ 'numrange', [ q{'empty'}, q{'[1.0,1.10]'}, q{'(,)'} ], [ [ q{'[1.0,2)'}, q{'[1.00,2)'} ], [ q{'empty'}, q{'(,)'} ] ] ],
    [ 'tstzrange', [ q{'[-infinity,infinity]'}, q{'(,infinity)'} ], [ [ q{'(,)'}, q{'(,infinity)'} ] ] ],
    [ 'mood', [ q{'sad'}, q{'it''s "so, so"'} ], [ [ q{'sad'}, q{'ok'} ], [ q{'null'}, 'NULL' ] ] ],
    [ 'citext', [ q{'Ab '} ], [ [ q{'A'}, q{'a'} ], [ q{'a'}, q{'a '} ] ] ],
    [ 'hstore', [ q{'a=>NULL, "b c"=>"\""'} ], [ [ q{'a=>NULL'}, q{'a=>"NULL"'} ] ] ],
    [ 'ltree', [ q{''}, q{'a.b_c.1'} ], [ [ q{'a.b'}, q{'a.B'} ] ] ],
    [ 'isbn', [ q{'0-393-04002-X'} ], [ [ q{'0-393-04002-X'}, q{'0-393-04003-8'} ] ] ],
    [ 'ext.cube', [ q{'(0.1,-0)'}, q{'(1e-300,2),(3,4)'}, q{'()'} ], [ [ q{'(0.1)'}, q{'(0.10000000000000002)'} ], [ q{'(0)'}, q{'(-0)'} ], [ q{'(0)'}, q{'(0,0)'} ] ] ],
);

# How a value, <v>, is put into each shape of its type, number <n>. Those of ranges are for types with an order.
my @shapes = (
    [ 's', '<v>' ],
    [ 'a', 'array_fill(<v>, ARRAY[2,1], ARRAY[-1,3])' ],
    [ 'd', '(<v>)::dom_<n>' ],
    [ 'da', 'ARRAY[(<v>)::dom_<n>, NULL]' ],
    [ 'c', q{ROW(<v>, 'ok', ARRAY[<v>])::comp_<n>} ],
    [ 'ca', q{ARRAY[NULL, ROW(NULL, NULL, NULL)::comp_<n>, ROW(<v>, 'sad', '{}')::comp_<n>]} ],
    [ 'n', q{ROW(ROW(<v>, NULL, NULL)::comp_<n>, (<v>)::dom_<n>, ARRAY[ROW(<v>, 'ok', NULL)::comp_<n>])::nest_<n>} ],
    [ 'dc', q{ROW(<v>, 'ok', NULL)::comp_<n>::domcomp_<n>} ],
    [ 'r', q{rng_<n>(<v>, <v>, '[]')}, 1 ],
    [ 'ra', q{ARRAY[rng_<n>(<v>, NULL), 'empty', NULL]}, 1 ],
    [ 'rc', q{crng_<n>(ROW(<v>, 'ok', NULL)::comp_<n>, NULL, '[)')}, 1 ],
);

sub shapes_of { my ($type) = @_; return grep { !$_->[2] || ($type->[3] // 1) } @shapes; }

# The value, of its type, in a shape.
sub shaped
{
    my ($type, $n, $shape, $value) = @_;
    return $shape->[1] =~ s/<v>/(${value})::$type->[0]/gr =~ s/<n>/$n/gr;
}

sub make_type
{
    my ($type, $n) = @_;
    my $has_order = $type->[3] // 1;
    my $sql = "CREATE DOMAIN dom_$n AS $type->[0]; CREATE TYPE comp_$n AS (v $type->[0], m mood, l $type->[0]\[]);"
        . "CREATE TYPE nest_$n AS (c comp_$n, d dom_$n, l comp_$n\[]); CREATE DOMAIN domcomp_$n AS comp_$n;";
    $sql .= "CREATE TYPE rng_$n AS RANGE (subtype = $type->[0]); CREATE TYPE crng_$n AS RANGE (subtype = comp_$n);" if $has_order;
    $sql .= "CREATE TABLE t_$n (id int PRIMARY KEY, what text, s $type->[0], a $type->[0]\[], d dom_$n, da dom_$n\[], c comp_$n,"
        . " ca comp_$n\[], n nest_$n, dc domcomp_$n" . ($has_order ? ", r rng_$n, ra rng_$n\[], rc crng_$n" : '') . ');'
        . "CREATE TABLE plain_$n (id int PRIMARY KEY, s $type->[0], a $type->[0]\[]);";
    return $sql;
}

my (@rows, @plants, @expected); # the rows of each type; and all
foreach my $n (0 .. $#types) {
    my ($type, $id) = ($types[$n], 0);
    my @names = map { $_->[0] } shapes_of($type);
    my $insert = sub {
        my ($what, $value) = @_;
        $id++;
        push @{ $rows[$n] }, "INSERT INTO t_$n (id, what, " . join(', ', @names) . ") SELECT $id, '$what', "
            . join(', ', map { shaped($type, $n, $_, $value) } shapes_of($type)),
            "INSERT INTO plain_$n SELECT id, s, a FROM t_$n WHERE id = $id";
    };
    $insert->('value', $_) foreach @{ $type->[1] }, 'NULL';
    foreach my $pair (@{ $type->[2] }) {
        foreach my $shape (shapes_of($type)) {
            $insert->('pair', $pair->[0]);
            push @plants, "UPDATE t_$n SET $shape->[0] = " . shaped($type, $n, $shape, $pair->[1]) . " WHERE id = $id";
            push @expected, "t_$n ($id) $shape->[0]: $type->[0], $pair->[0] against $pair->[1]";
            next unless $shape->[0] =~ /^(s|a)$/;
            push @plants, "UPDATE plain_$n SET $shape->[0] = " . shaped($type, $n, $shape, $pair->[1]) . " WHERE id = $id";
            push @expected, "plain_$n ($id) $shape->[0]: $type->[0], $pair->[0] against $pair->[1]";
        }
    }
}

my $set = 'SET extra_float_digits = 3; SET xmloption = content; SET intervalstyle = postgres; SET bytea_output = hex;'
    . q{SET datestyle = 'ISO'; SET lc_monetary = 'C';};
$source->sql('postgres', "CREATE SCHEMA ext; CREATE EXTENSION cube SCHEMA ext;"
    . join('', map { "CREATE EXTENSION $_;" } qw(citext hstore ltree isn))
    . q{CREATE TYPE mood AS ENUM ('sad', 'ok', 'null', 'it''s "so, so"');} . join('', map { make_type($types[$_], $_) } 0 .. $#types));
$source->sql('postgres', $set . join(';', @$_)) foreach @rows;

my $migration = migration($source, $target);
$migration->ok('copy', '--force'); # "char" within other types is a problem, for what is not ASCII
my $applier = $migration->follow;
# The same once more, by the stream.
$source->sql('postgres', $set . join(';', map { ("INSERT INTO t_$_ SELECT 1000 + id, 'streamed', " . join(', ', map { $_->[0] } shapes_of($types[$_]))
    . " FROM t_$_ WHERE what = 'value'", "INSERT INTO plain_$_ SELECT 1000 + id, s, a FROM t_$_ WHERE what = 'value'") } 0 .. $#types));

sub found
{
    my ($status) = @_;
    my $document = decode_json($migration->exits($status, 'verify', '--json', '--limit', 1000)->{stdout});
    return map { my $table = $_; ((map { "$table->{table} $_->{key} " . ($_->{column} // '(row)') } @{$table->{rows}}),
        ($table->{problem} ? "$table->{table}: $table->{problem}" : ())) } @{$document->{tables}};
}

is(join("\n", found(0)), '', 'no false alarm');

subtest 'neighbours are told apart' => sub {
    $migration->wait_until_caught_up;
    $target->sql('postgres', $set . join(';', @plants));
    my %found = map { $_ => 1 } found(1);
    my @missed = grep { my ($where) = /^(.*?): /; !delete $found{$where} } @expected;
    is(join("\n", @missed), '', 'in each shape: ' . @expected . ' planted');
    is(join("\n", sort keys %found), '', 'and nothing else');
};

is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
