# Tables are copied in parts by keys of every type whose order both servers and the applier agree on, while rows are written, move
# between parts and go; those that cannot be cut are named beforehand.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');

# One table for each type: what its key is made of, from a number. Those of "random" do not lie in the key's order, nor do those of "few",
# which has two parts' worth of rows and more, but not so many that it is read once for each of several parts.
my %key = (
    int2 => ['int2, n int', '($1 / 8)::int2, $1'],
    int8 => ['int8', '$1::int8 * 10000000000 - 300000000000000'],
    domain => ['number', '$1'],
    oid => ['oid', '(($1::int8 * 100000)::text)::oid'],
    uuid => ['uuid', q{concat(lpad(to_hex($1), 8, '0'), '-0000-4000-8000-', lpad(to_hex($1), 12, 'f'))::uuid}],
    date => ['date, n int', q{'0001-01-01 BC'::date + $1 / 7, $1}],
    time => ['time', q{'00:00'::time + $1 * interval '1 millisecond'}],
    timestamp => ['timestamp', q{'1960-01-01'::timestamp + $1 * interval '9 hours'}],
    timestamptz => ['timestamptz', q{'1960-01-01 00:00+02'::timestamptz + $1 * interval '9 hours'}],
    bytea => ['bytea', q{decode(concat(lpad(to_hex($1), 6, '0'), repeat('ff', $1 % 5)), 'hex')}],
    text => ['text COLLATE "C"', q{concat(chr(60 + $1 / 200), lpad($1::text, 6, '0'), '''\\', repeat(chr(252), $1 % 3))}],
    varchar => ['varchar(40) COLLATE "C"', q{lpad($1::text, 7, '0')}],
    random => ['uuid', 'md5($1::text)::uuid'],
    few => ['uuid', 'md5($1::text)::uuid'],
    numeric => ['numeric', '$1 / 8.0'],
    sorted => ['text COLLATE "en-x-icu"', q{lpad($1::text, 7, '0')}],
);
my @uncut = qw(numeric sorted); # and named for it
my @whole = (@uncut, 'few');

# t_TYPE (id …, v, filler), f_TYPE(n) makes a key; work(n, op) does something to one of the tables.
sub schema
{
    my $sql = "SET client_min_messages = warning; CREATE DOMAIN number AS int CHECK (VALUE > -1000000);\n";
    foreach my $type (sort keys %key) {
        my ($columns, $value) = @{ $key{$type} };
        my $primary = $columns =~ /, n int/ ? 'id, n' : 'id';
        my $rows = $type =~ /random|numeric|sorted/ ? 12000 : 4000;
        $sql .= "CREATE TABLE t_$type (id $columns, v int NOT NULL DEFAULT 0, filler text, PRIMARY KEY ($primary));\n";
        (my $at = $value) =~ s/\$1/i/g;
        $sql .= "INSERT INTO t_$type SELECT $at, 0, repeat('x', 700) FROM generate_series(1, $rows) AS i;\n";
        (my $new = $value) =~ s/\$1/b/g;
        my $target_columns = $primary eq 'id' ? "id = $new" : "(id, n) = (SELECT $new)";
        my $where = $primary eq 'id' ? "id = $at" : "(id, n) = ($at)";
        $where =~ s/\bi\b/a/g;
        (my $insert = $at) =~ s/\bi\b/a/g;
        $sql .= "CREATE FUNCTION work_$type(a int, b int, op int) RETURNS void LANGUAGE plpgsql AS \$work\$ BEGIN\n"
          . "IF op <= 30 THEN UPDATE t_$type SET v = v + 1 WHERE $where;\n"
          . "ELSIF op <= 60 THEN UPDATE t_$type SET $target_columns, v = v + 1 WHERE $where;\n"
          . "ELSIF op <= 75 THEN DELETE FROM t_$type WHERE $where;\n"
          . "ELSE INSERT INTO t_$type SELECT $insert, 1, 'new' ON CONFLICT DO NOTHING; END IF;\n"
          . "EXCEPTION WHEN unique_violation THEN NULL; END \$work\$;\n";
    }
    return $sql . 'ANALYZE;';
}

$source->sql('postgres', schema());

sub load
{
    my $script = "$PostgreSQL::Test::Utils::tmp_check/work.sql";
    write_file($script, join('', map { "\\set a random(1, 4400)\n\\set b random(1, 4400)\n\\set op random(1, 100)\nSELECT work_$_(:a, :b, :op);\n" } sort keys %key));
    return $source->pgbench('postgres', '--client=2', '--rate=30', "--file=$script");
}

my $migration = migration($source, $target);

subtest 'what cannot be cut is named' => sub {
    my $check = decode_json($migration->exits(0, 'check', '--no-trial', '--json', '--part-size', 1)->{stdout});
    my ($found) = grep { $_->{id} eq 'uncut' } @$check;
    is(join(' ', sort map { $_->{object} } @{ $found->{findings} }), join(' ', map { "public.t_$_" } @uncut), 'those, and no others');
    like($found->{findings}[0]{detail}, qr/^0\.0 GB, about 0 h 00 min: its key begins with id, and the order of (?:numeric|text COLLATE "en-x-icu") is/, 'with why, and how long it takes') or diag(explain($found));
};

my @options = ('--part-size', 1, '--jobs', 2, '--cycle', 1);
my $load = load();

subtest 'beside the stream, and killed' => sub {
    my ($copy, $go) = $migration->copy_up_to('data', @options);
    $migration->ok('throttle', 'rate=16MB');
    $go->();
    my $done = q{SELECT count(*) FROM penstock.job WHERE kind = 'part' AND state = 'done'};
    wait_until('some parts to be copied', sub { !$copy->is_running || $target->sql('postgres', $done) > 20 });
    $copy->kill9;
    is(background('again', $migration->command('copy', @options))->wait, 0, 'the same command goes on to the end');
    # Not for as long as it takes its bgwriter to write a record by itself, which is 15 seconds.
    my $first = $target->sql('postgres', 'SELECT end_lsn FROM penstock.snapshot ORDER BY number LIMIT 1');
    is($source->sql('postgres', "SELECT restart_lsn > '$first' FROM pg_replication_slots WHERE slot_name = 'penstock_default'"), 't',
        'the source has let go of the WAL of early cycles');
    my $applier = $migration->follow;
    $load->stop('ALRM');
    $migration->wait_until_caught_up;
    is($applier->stop, 0, 'the applier ends cleanly');
    my %parts = map { split /\|/ } split /\n/, $target->sql('postgres', q{SELECT r.table_name, count(*) FROM penstock.relation r
        JOIN penstock.job_relation jr ON jr.relation = r.id JOIN penstock.job j ON j.id = jr.job AND j.kind = 'part' GROUP BY 1});
    is(join(' ', sort keys %parts), join(' ', sort map { "t_$_" } grep { my $type = $_; !grep { $_ eq $type } @whole } keys %key),
        'every type is cut but those, and a table that would be scanned again and again');
    is($parts{t_random}, 4, 'where rows do not lie in the order of the key there are few parts');
    cmp_ok($target->sql('postgres', 'SELECT count(DISTINCT snapshot) FROM penstock.job'), '>', 2, 'under several snapshots');
    same_rows($source, $target, 'postgres', 'every row is there once, as it is at the source');
};

subtest 'verify compares by the same parts' => sub {
    my $said = decode_json($migration->ok('verify', '--json')->{stdout});
    ok($said->{equal}, 'nothing differs') or diag(explain($said));
    $target->sql('postgres', q{UPDATE t_text SET v = v + 1 WHERE id = (SELECT max(id) FROM t_text); DELETE FROM t_random WHERE id = (SELECT id FROM t_random ORDER BY id DESC LIMIT 1)});
    my $differs = decode_json($migration->exits(1, 'verify', '--json')->{stdout});
    is(join(' ', sort map { "$_->{schema}.$_->{table}" } grep { !$_->{equal} } @{ $differs->{tables} }), 'public.t_random public.t_text', 'it finds a row in each')
      or diag(explain($differs));
};

done_testing();
