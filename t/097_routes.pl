# Rows that belong into another partition on the target than at the source, because the hash of an enum is that of its OID, travel
# through the partitioned table: copied, followed, moved, truncated and compared.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $sql = sub { $source->sql('postgres', $_[0]) };
my $leaf = sub { join "\n", map { my ($server, $table) = ($_, $_[0]); $server->sql('postgres', "SELECT string_agg(DISTINCT c::text, ',' ORDER BY c::text) FROM ${table}_0") } $source, $target };

# Labels with other OIDs than the target will give them.
$sql->("CREATE TYPE before AS ENUM ('a', 'b', 'c'); DROP TYPE before");
$sql->(<<'SQL');
CREATE TYPE color AS ENUM ('red', 'green', 'blue', 'black', 'white', 'cyan', 'pink', 'grey');
CREATE TABLE item (id int, c color NOT NULL, v int) PARTITION BY HASH (c);
CREATE TABLE keyed (id int, c color NOT NULL, v int, PRIMARY KEY (id, c)) PARTITION BY HASH (c);
CREATE TABLE wide (id int, c color, v int) PARTITION BY HASH (c);
CREATE TABLE deep (id int, day int NOT NULL, c color NOT NULL, v int) PARTITION BY RANGE (day);
CREATE TABLE deep_day PARTITION OF deep FOR VALUES FROM (1) TO (5) PARTITION BY HASH (c);
CREATE TABLE deep_rest PARTITION OF deep FOR VALUES FROM (5) TO (9);
ALTER TABLE deep_rest ADD PRIMARY KEY (id);
DO $$ BEGIN FOR i IN 0..3 LOOP
  EXECUTE format('CREATE TABLE item_%s (v int, gone int, c color NOT NULL, id int PRIMARY KEY)', i);
  EXECUTE format('ALTER TABLE item_%s DROP COLUMN gone', i);
  EXECUTE format('ALTER TABLE item ATTACH PARTITION item_%s FOR VALUES WITH (modulus 4, remainder %s)', i, i);
  EXECUTE format('CREATE TABLE keyed_%s PARTITION OF keyed FOR VALUES WITH (modulus 4, remainder %s)', i, i);
  EXECUTE format('CREATE TABLE wide_%s PARTITION OF wide FOR VALUES WITH (modulus 4, remainder %s)', i, i);
  EXECUTE format('ALTER TABLE wide_%s REPLICA IDENTITY FULL', i);
  EXECUTE format('CREATE TABLE deep_%s PARTITION OF deep_day FOR VALUES WITH (modulus 4, remainder %s)', i, i);
  EXECUTE format('ALTER TABLE deep_%s ADD PRIMARY KEY (id)', i);
END LOOP; END $$;
INSERT INTO item SELECT g, (enum_range(NULL::color))[1 + g % 8], g FROM generate_series(1, 200) g;
INSERT INTO keyed SELECT * FROM item;
INSERT INTO wide SELECT * FROM item;
INSERT INTO deep SELECT id, 1 + id % 8, c, v FROM item;
SQL
my $migration = migration($source, $target);
like($migration->run('check')->{stdout}, qr/public\.item *: HASH \(c\)/, 'check names such tables');
$sql->('CREATE SCHEMA penstock; CREATE TABLE penstock.mine (id int)');
like($migration->exits(3, 'copy')->{stderr}, qr/schema penstock of its own, with mine in it.*RENAME/s, 'a schema that has our name is no schema that goes missing');
$sql->('ALTER SCHEMA penstock RENAME TO ours');
$migration->ok('copy');
isnt(($leaf->('item') =~ /^(.*)$/mg)[0], ($leaf->('item') =~ /^(.*)$/mg)[1], 'the test is one: rows are in other partitions');

# Partitions are compared through their root: same_rows would find each row in another one.
my $same = sub {
    my ($name) = @_;
    foreach my $table (qw(item keyed wide deep)) {
        my @hash = map { $_->sql('postgres', "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id, c::text, v)) FROM (SELECT id, c, v FROM $table) t") } $source, $target;
        is($hash[1], $hash[0], "$name: $table");
    }
};
$same->('copied');
my $applier = $migration->follow;
foreach my $table (qw(item keyed wide deep)) {
    my $columns = $table eq 'deep' ? 'id, day, c, v' : 'id, c, v';
    my $values = $table eq 'deep' ? 'g, 1 + g % 8, (enum_range(NULL::color))[1 + g % 8], g' : 'g, (enum_range(NULL::color))[1 + g % 8], g';
    $sql->("INSERT INTO $table ($columns) SELECT $values FROM generate_series(1001, 1050) g; UPDATE $table SET v = v + 1 WHERE id < 50; DELETE FROM $table WHERE id BETWEEN 60 AND 70");
    $sql->("UPDATE $table SET c = 'red' WHERE id BETWEEN 100 AND 110; UPDATE $table SET c = 'blue', v = 7 WHERE id BETWEEN 100 AND 105");
    $sql->("BEGIN; UPDATE $table SET c = 'pink' WHERE id = 120; UPDATE $table SET c = 'green', v = 9 WHERE id = 120; DELETE FROM $table WHERE id = 120; INSERT INTO $table ($columns) SELECT $values FROM generate_series(120, 120) g; COMMIT");
}
$migration->wait_until_caught_up;
$same->('followed');
is($target->sql('postgres', q{SELECT DISTINCT lane_reason FROM penstock.relation WHERE lane_reason IS NOT NULL AND table_name LIKE 'item%'}),
    'its rows go through item, and may belong into other partitions there', 'and all are in one lane');

$sql->('TRUNCATE keyed; INSERT INTO keyed VALUES (1, $$red$$, 1); TRUNCATE deep; INSERT INTO deep VALUES (1, 1, $$red$$, 1), (2, 7, $$red$$, 2)');
$migration->wait_until_caught_up;
$same->('truncated through the root');

$sql->('TRUNCATE item_0; INSERT INTO item VALUES (5000, $$grey$$, 1), (5001, $$red$$, 1)');
$migration->wait_until_caught_up;
like($migration->ok('status')->{stdout}, qr/public\.item_0.*truncated by itself/, 'one partition that was truncated by itself has to be copied again');
is($applier->stop, 0, 'the applier ends cleanly');
$migration->ok('copy');
$applier = $migration->follow;
$sql->('UPDATE item SET v = v + 1');
$migration->wait_until_caught_up;
$same->('copied again, all together');

subtest 'compared, and repaired, through the root' => sub {
    my $verify = sub { decode_json($migration->exits(shift, 'verify', '--rows-only', '--json', @_)->{stdout}) };
    $target->sql('postgres', q{SET session_replication_role = replica; UPDATE keyed SET v = -1; UPDATE item SET v = -1 WHERE id IN (5000, 5001);
        DELETE FROM wide WHERE id = 80; INSERT INTO wide SELECT * FROM wide WHERE id IN (81, 82)});
    is(join(' ', map { "$_->{table}:" . @{ $_->{rows} } } @{ $verify->(1)->{tables} }), 'item:4 keyed:1 wide:3', 'rows are listed by the name of the partitioned table');
    is(join(' ', map { $_->{table} } @{ $verify->(1, '--only', "public.keyed_$_")->{tables} }), 'keyed', "it is found in the name of leaf $_, too") foreach 0, 3;
    like($migration->ok('status')->{stdout}, qr/STILL DIFFERENT: table public\.item, table public\.keyed, table public\.wide$/m, 'status says it');
    is($verify->(0, '--repair')->{repaired}, 8, 'repaired');
    $same->('repaired');
};

my $result = $migration->ok('cutover', '--proxy=none', '--yes', '--verify', '--no-reverse');
like($result->{stdout}, qr/^  public\.item  \d+ \/ \d+  equal$/m, 'the tables are compared');
unlike($result->{stdout}, qr/DIFFERENT|no answer|item_0/, 'and not their partitions one by one');
done_testing();
