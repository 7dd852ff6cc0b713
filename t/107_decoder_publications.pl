# Only the tables of publications, also while those change.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    note("PostgreSQL $major");
    $sql->('CREATE SCHEMA s; CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE s.c (id int PRIMARY KEY)');
    $sql->('CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION one FOR TABLE a; CREATE PUBLICATION "Two, too" FOR TABLE b, s.c');
    $sql->(q{CREATE PUBLICATION empty; CREATE PUBLICATION inserts FOR TABLE a WITH (publish = 'insert')});
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    my $value = 0;
    my $tables = sub {
        my ($names, @options) = @_;
        $value++;
        $sql->("INSERT INTO a VALUES ($value); INSERT INTO b VALUES ($value); INSERT INTO s.c VALUES ($value)");
        return join(' ', $slot->text(publications => $names, @options) =~ /^insert (\S+) #/mg);
    };
    is($tables->('everything'), 'public.a public.b s.c', 'for all tables');
    is($tables->('one'), 'public.a', 'a listed table');
    is($tables->('ONE, "Two, too"'), 'public.a public.b s.c', 'several publications, names as in SQL');
    is($tables->('one, everything'), 'public.a public.b s.c', 'one of them for all tables');
    is($tables->('empty'), '', 'one without tables');
    is($tables->('"Two, too"', skip_tables => 's.*'), 'public.b', 'beside other filters');

    $sql->(<<'SQL');
BEGIN;
INSERT INTO a VALUES (-1); INSERT INTO b VALUES (-1);
ALTER PUBLICATION one ADD TABLE b;
INSERT INTO a VALUES (-2); INSERT INTO b VALUES (-2);
ALTER PUBLICATION one DROP TABLE a;
INSERT INTO a VALUES (-3); INSERT INTO b VALUES (-3);
COMMIT;
INSERT INTO a VALUES (-4); INSERT INTO b VALUES (-4);
ALTER PUBLICATION one SET TABLE a;
ALTER PUBLICATION one RENAME TO single;
ALTER PUBLICATION single RENAME TO one;
INSERT INTO a VALUES (-5); INSERT INTO b VALUES (-5);
TRUNCATE a, b;
SQL
    is($slot->text(publications => 'one') =~ s/^(?:begin|commit|relation).*\n//mgr, <<'END', 'ALTER PUBLICATION holds from where it stands');
insert public.a #1 id=-1
insert public.a #2 id=-2
insert public.b #3 id=-2
insert public.b #4 id=-3
insert public.b #1 id=-4
insert public.a #1 id=-5
truncate #1 public.a
END

    $sql->('INSERT INTO a VALUES (100)');
    like($slot->error(publications => 'one, none'), qr/publication "none" does not exist.*before the slot/s, 'one that does not exist');
    like($slot->error(publications => 'inserts'), qr/publication "inserts" does not publish all operations/, 'one for some operations');
    $slot->drop;

    if ($major >= 15) {
        $sql->('CREATE PUBLICATION schema FOR TABLES IN SCHEMA s; CREATE PUBLICATION rows FOR TABLE a WHERE (id > 5); CREATE PUBLICATION columns FOR TABLE s.c (id)');
        $sql->('CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE PUBLICATION parts FOR TABLE p');
        $slot->create;
        is($tables->('schema'), 's.c', 'the tables of a schema');
        $sql->('ALTER PUBLICATION schema SET TABLES IN SCHEMA public');
        is($tables->('schema'), 'public.a public.b', 'of another schema');
        $sql->('INSERT INTO p VALUES (1)');
        like($slot->text(publications => 'parts'), qr/^insert public\.p1 #1 id=1$/m, 'the partitions of a table');
        $sql->('INSERT INTO a VALUES (1000); INSERT INTO s.c VALUES (1000)');
        like($slot->error(publications => 'rows'), qr/publication "rows" has a row filter/, 'a row filter is refused');
        like($slot->error(publications => 'columns'), qr/publication "columns" has a column list/, 'so is a column list');
    }
}

done_testing();
