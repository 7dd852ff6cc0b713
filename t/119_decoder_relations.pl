# Each relation is described once on a connection and again only when its definition is another: however many there are, in
# whatever order they come, and whatever else is made and dropped meanwhile.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

my $tables = 1_500;
my $columns = join(', ', map { "c$_ int" } 1 .. 20);

sub relations
{
    my ($text) = @_;
    my @described = $text =~ /^relation (\d+) /mg;
    my %oids = map { $_ => 1 } @described;
    return (scalar @described, scalar keys %oids);
}

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    note("PostgreSQL $major");
    $sql->(<<"SQL");
DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP EXECUTE format('CREATE TABLE many_%s ($columns)', i); END LOOP; END \$\$;
SQL
    $sql->(<<'SQL');
DO $$ BEGIN FOR i IN 1 .. 50 LOOP EXECUTE format('CREATE TABLE few_%s (LIKE many_1)', i); END LOOP; END $$;
CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE moody (m mood);
SQL
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');

    foreach my $round (1 .. 3) {
        $sql->(<<"SQL");
DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP EXECUTE format('INSERT INTO many_%s (c1) VALUES ($round)', i); END LOOP; END \$\$;
SQL
    }
    my $text = $slot->raw_text(compression => 'none');
    is_deeply([relations($text)], [$tables, $tables], "three rounds through $tables tables of 20 columns");
    is(scalar(() = $text =~ /^insert /mg), 3 * $tables, 'and every row is there');

    my $transaction = join('', map { "INSERT INTO few_$_ (c1) VALUES (1);" } 1 .. 50);
    my $other = 'CREATE TEMP TABLE t (a int, b text) ON COMMIT DROP; INSERT INTO t VALUES (1);';
    $sql->("BEGIN; $other $transaction COMMIT;") for 1 .. 40;
    $text = $slot->raw_text(compression => 'none');
    is_deeply([relations($text)], [50, 50], 'a temporary table in every transaction');
    is(scalar(() = $text =~ /^insert /mg), 40 * 50, 'and every row is there');

    $sql->("INSERT INTO moody VALUES ('sad')");
    $sql->("CREATE TYPE unused AS ENUM ('a'); INSERT INTO moody VALUES ('sad')");
    $sql->("ALTER TYPE unused RENAME TO spare; INSERT INTO moody VALUES ('sad')");
    $sql->("ALTER TYPE mood RENAME TO temper; INSERT INTO moody VALUES ('sad')");
    is_deeply([relations($slot->raw_text)], [2, 1], 'a type that a table uses is renamed, and one that none uses');
}

done_testing();
