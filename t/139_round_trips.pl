# A copy from far away: what a small table costs there is a way there and back for its rows, and nothing else that grows with the
# number of tables, neither of the schema, nor of indexes and foreign keys, nor of statistics.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Forwarder;

my $source = start_source('source');
my $target = start_target('target');
my ($few, $many) = (10, 70);

# A key of its own, an index, a foreign key to a table that all point to; and for each third of them no rows.
sub tables
{
    my ($count) = @_;
    return <<"SQL";
CREATE TABLE all_point_to (id int PRIMARY KEY);
INSERT INTO all_point_to VALUES (1);
DO \$\$ BEGIN FOR i IN 1 .. $count LOOP
    EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text, w int REFERENCES all_point_to)', i);
    EXECUTE format('CREATE INDEX ON t%s (w)', i);
    IF i % 3 > 0 THEN EXECUTE format('INSERT INTO t%s VALUES (1, ''a'', 1), (2, ''b'', 1)', i); END IF;
END LOOP; END \$\$
SQL
}

# Who has nothing to do looks for work again and again, and somebody looks after all, for as long as it takes.
my $by_the_clock = qr/WITH next AS|WITH lost AS|penstock\.(?:job|throttle|copier|migration) |pg_stat_|copy_progress/;

# How often a client of ours has said something after hearing the server, by what it said; pg_dump is not ours.
sub turns
{
    my ($forwarder) = @_;
    my (%dumps, %turns);
    foreach my $turn ($forwarder->turns) {
        my ($connection, $words) = @$turn;
        $dumps{$connection} = 1 if $words =~ /penstock pg_dump/;
        next if $dumps{$connection} || $words =~ $by_the_clock;
        $words = $words =~ /^\W?.?PGCOPY|^d/ ? 'rows' : substr($words, 0, 80);
        $turns{$words =~ s/\d+/0/gr}++;
    }
    return \%turns;
}

my %said;
foreach my $tables ($few, $many) {
    my $name = "d$tables";
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    $source->sql($name, tables($tables));
    my %way = map { $_->name => PenstockTest::Forwarder->start_new($_, turns => "$ENV{TESTDIR}/turns_${name}_" . $_->name) } $source, $target;
    my $migration = migration($source, $target, database => $name, name => $name);
    $migration->ok('copy', '--jobs', 2, map { ("--$_" => $way{$_}->uri($name)) } sort keys %way);
    same_rows($source, $target, $name, "$tables tables");
    is($target->sql($name, q{SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'public'::regnamespace}), $tables, 'and their foreign keys');
    $said{$_}{$tables} = turns($way{$_}) foreach keys %way;
}

sub grown
{
    my ($name, $words) = @_;
    return (($said{$name}{$many}{$words} // 0) - ($said{$name}{$few}{$words} // 0)) / ($many - $few);
}

foreach my $name (qw(source target)) {
    my %all = map { $_ => 1 } map { keys %$_ } values %{$said{$name}};
    my $rows = delete $all{rows} ? grown($name, 'rows') : 0;
    cmp_ok($rows, '<=', $name eq 'source' ? 0 : 1, sprintf('%s: the rows of a table take %.2f ways there and back', $name, $rows));
    my @each = grep { grown($name, $_) > 0.2 } sort keys %all;
    is(scalar(@each), 0, "$name: nothing else is said for each table") or diag(map { sprintf("%.2f %s\n", grown($name, $_), $_) } @each);
    my $sum = 0;
    $sum += grown($name, $_) foreach keys %all;
    cmp_ok($sum, '<', 0.5, sprintf('%s: for all that is not rows it is %.2f for a table', $name, $sum));
}
done_testing();
