# cutover --verify has an answer for every table: what cannot be read on one side is named with the reason, and all others
# are compared; bytes that are no UTF-8 are compared and shown like any others.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
foreach my $server ($source, $target) {
    $server->sql('postgres', q{CREATE DATABASE app ENCODING 'SQL_ASCII' TEMPLATE template0});
    $server->sql('postgres', q{CREATE ROLE app LOGIN});
}
$source->sql('app', <<'SQL');
SET client_encoding = 'SQL_ASCII';
CREATE TABLE bytes (t text PRIMARY KEY, v int); INSERT INTO bytes VALUES (convert_from('\xe9e8ff', 'SQL_ASCII'), 1), ('plain', 2);
DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, %1$I text)', convert_from('\xe974e9', 'SQL_ASCII')); END $$;
CREATE TABLE dropped (id int PRIMARY KEY); INSERT INTO dropped VALUES (1);
CREATE TABLE odd (id int PRIMARY KEY, v int); INSERT INTO odd VALUES (1, 1);
CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1);
CREATE TABLE "zz last" (id int PRIMARY KEY, filler text); INSERT INTO "zz last" SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 3000) g;
SQL

sub insert_summer
{
    my ($id) = @_;
    $source->sql('app', "SET client_encoding = 'SQL_ASCII'; DO \$\$ BEGIN EXECUTE format("
          . "'INSERT INTO %I VALUES ($id, \$1)', convert_from('\\xe974e9', 'SQL_ASCII')) USING convert_from('\\xe9', 'SQL_ASCII'); END \$\$");
    return;
}
insert_summer(1);

my $migration = migration($source, $target, database => 'app', ddl => 'off');
like($migration->run('check', '--json')->{stdout}, qr/\A\[/, 'check has its say, whatever names are there');
$migration->ok('copy');
$migration->follow;
$source->sql('app', q{SET client_encoding = 'SQL_ASCII'; UPDATE bytes SET v = v + 1; INSERT INTO bytes VALUES (convert_from('\xc3', 'SQL_ASCII'), 3)});
insert_summer(2);
$migration->wait_until_caught_up;

like($migration->ok('status', '--json')->{stdout}, qr/\A\{.*"applier"/s, 'status has its say, whatever names are there');

# One is gone from the source, one cannot be read on the target, one differs there, in a key that is no UTF-8.
$source->sql('app', 'DROP TABLE dropped');
$target->sql('app', 'DROP TABLE odd; CREATE VIEW odd AS SELECT id, 1 / (id - id) AS v FROM (VALUES (1)) AS o (id)');
$target->sql('app', q{SET client_encoding = 'SQL_ASCII'; UPDATE bytes SET v = 0 WHERE v = 3});

my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $result = $migration->exits(1, $migration->cutover_words($proxy), '--yes', '--verify', '--no-reverse', '--accept-drift');
like($result->{stdout}, qr/^  public\.dropped  .*no answer: \n +missing at the source/m, 'a table that is gone from the source is named');
like($result->{stdout}, qr/^  public\.odd  .*no answer: \n +.*division by zero/m, 'a table that cannot be read is named with the reason');
like($result->{stdout}, qr/^  public\.bytes  .*DIFFERENT\n +\(.+\)  differs$/m, 'the others are compared: one differs');
like($result->{stdout}, qr/^  public\.small  1 \/ 1  equal$/m, 'a small one is equal');
like($result->{stdout}, qr/^  public\.\S+t\S+  2 \/ 2  equal$/m, 'one with a name that is no UTF-8 is equal');
like($result->{stdout}, qr/^  public\.zz last  3000 \/ 3000  equal$/m, 'a large one is equal');
like($result->{stdout}, qr/6 tables, \d+ rows: 1 different, 2 without an answer/, 'and they are counted');
done_testing();
