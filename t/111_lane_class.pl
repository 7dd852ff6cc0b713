# How a table's changes spread over lanes is decided once and kept: a constraint that is added on the target while the
# applier is away, with lanes at different points, must not bring changes up again in other lanes. The class follows as
# soon as every lane stands at one point, and penstock status shows it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

$source->sql('postgres', <<'SQL');
CREATE TABLE moved (id int PRIMARY KEY, v int);
CREATE TABLE noted (n int);
CREATE TABLE still (id int PRIMARY KEY);
INSERT INTO moved SELECT i, i FROM generate_series(1, 100) AS i;
SQL
$migration->ok('copy');

sub class_of
{
    my ($name) = @_;
    my $document = decode_json($migration->ok('status', '--json', '--tables')->{stdout});
    my ($table) = grep { $_->{table} eq "public.$name" } @{ $document->{tables} };
    return $table->{lane_class};
}

sub changes
{
    $source->sql('postgres', <<'SQL');
UPDATE moved SET v = v + 1000;
INSERT INTO noted SELECT generate_series(1, 50);
INSERT INTO moved SELECT i, -i FROM generate_series((SELECT max(id) + 1 FROM moved), (SELECT max(id) + 50 FROM moved)) AS i;
SQL
    return;
}

is(class_of('moved'), undef, 'nothing is decided before the first change');
my $applier = $migration->follow('--workers', 3);
changes();
$migration->wait_until_caught_up;
is(class_of('moved'), 'spread', 'a key alone spreads');
is(class_of('noted'), 'whole', 'a table without a key does not');
is(class_of('still'), undef, 'a table without changes is not decided');

my $text = $migration->ok('status', '--tables')->{stdout};
like($text, qr/ all   public\.moved  \(its key is all that is unique in it\)/, 'people see the class');
like($text, qr/ public\.noted  \(it has no replica identity\)/, 'and why');
like($text, qr/^batches +\d+ of \d+ changes each, \d+ rows written by \d+ statements, \d+ of them COPY$/m, 'and what became of the changes');

# The applier is killed while lanes are at different points: worker 0 waits for a row that somebody has locked.
my $locker = $target->background_psql('postgres', on_error_die => 1);
$locker->query_safe('BEGIN; SELECT FROM moved WHERE id = 1 FOR UPDATE');
changes() foreach 1 .. 20;
wait_until('lanes at different points', sub {
    $target->sql('postgres', 'SELECT count(DISTINCT commit_lsn) > 1 FROM penstock.lane') eq 't'
        and $target->sql('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'") eq 't';
});
$applier->kill9;
$locker->quit;
wait_until('the workers to be gone', sub {
    $target->sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'penstock worker%'") eq '0';
});
$target->sql('postgres', 'CREATE UNIQUE INDEX moved_v ON moved (v, id); CREATE UNIQUE INDEX moved_u ON moved ((v || $$ $$ || id))');

$migration->follow('--workers', 2);
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'nothing came up twice in other lanes');
changes();
$migration->wait_until_caught_up;
is(class_of('moved'), 'whole', 'the class has followed the new constraint');
same_rows($source, $target, 'postgres', 'and the rows are right');
$target->sql('postgres', 'DROP INDEX moved_u');
is($migration->{applier}->stop, 0, 'the applier ends cleanly');
$migration->follow('--workers', 3);
changes();
$migration->wait_until_caught_up;
is(class_of('moved'), 'spread', 'it follows back');
same_rows($source, $target, 'postgres', 'with the rows right');
is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
