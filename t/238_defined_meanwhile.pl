# A deploy in the minute of the switch: what is defined between the checks and the hold is seen behind the fence, and all is undone where
# the sides differ by then or the way back would not have it; and a table that was made anew since the switch is not taken for one
# that comes back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;

my $source = start_source('source', conf => "fsync = off\nwal_retrieve_retry_interval = 200ms");
my $target = start_target('target', conf => "fsync = off");
$source->sql('postgres', <<'SQL');
CREATE TABLE kept (id int PRIMARY KEY, words text);
CREATE TABLE still (id int PRIMARY KEY, words text);
CREATE TABLE swapped (id int PRIMARY KEY);
INSERT INTO kept SELECT i, 'row ' || i FROM generate_series(1, 100) i;
INSERT INTO still SELECT * FROM kept;
INSERT INTO swapped VALUES (1);
CREATE DATABASE watched;
SQL
$target->sql('postgres', 'CREATE DATABASE watched');
$source->sql('watched', 'CREATE TABLE kept (id int PRIMARY KEY, words text)');
my @none = ('--proxy' => 'none', '--max-lag' => '1000000000', '--yes');

my %journal;    # of each database

# Stops the command before that step, does it meanwhile, and lets the command go on: {status, said}.
sub meanwhile
{
    my ($migration, $operation, $step, $happens) = @_;
    my $command = $journal{$migration->{database}}->stand_at("$operation $step begin", $migration->command($operation, @none));
    $happens->();
    $migration->wait_until_caught_up if $operation eq 'cutover';
    $journal{$migration->{database}}->go_on;
    my $status = $command->wait;
    return {status => $status, said => $command->log_text};
}

# All is as it was: the migration, and the source's fence.
sub undone
{
    my ($migration, $result, $said, $name) = @_;
    my $database = $migration->{database};
    is($result->{status}, 3, "$name: the cutover fails");
    like($result->{said}, $said, "$name: it says why");
    like($result->{said}, qr/Undone/, "$name: and is undone") or diag($result->{said});
    is($target->sql($database, 'SELECT phase FROM penstock.migration') . $source->sql('postgres', "SELECT datconnlimit FROM pg_database WHERE datname = '$database'"),
        'copied-1', "$name: the source is open");
    return;
}

# DDL travels.
my $migration = migration($source, $target);
$migration->ok('copy');
$journal{postgres} = PenstockTest::Journal->new($target, 'postgres');
$migration->follow;
$migration->wait_until_caught_up;

my $result = meanwhile($migration, 'cutover', 'ahead', sub { $source->sql('postgres', 'ALTER TABLE kept ADD dice float8 DEFAULT random()') });
undone($migration, $result, qr/something was defined on the source since the checks: not all tables .* to be copied: public\.kept/, 'a table that has to be copied again');
is($migration->{applier}->stop, 0, 'the applier ends');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;

$result = meanwhile($migration, 'cutover', 'ahead', sub { $source->sql('postgres', 'CREATE TABLE made (id int PRIMARY KEY); INSERT INTO made VALUES (1)') });
undone($migration, $result, qr/the way back was made before these tables were: public\.made.*The same command again/s, 'a table that the way back lacks');

$result = meanwhile($migration, 'cutover', 'ahead', sub { $source->sql('postgres', 'ALTER TABLE still ADD CHECK (id > 0)') });
is($result->{status}, 0, 'what is the same on both sides by then is no reason') or diag($result->{said});
like($result->{said}, qr/definitions .*on both sides the same/, 'and was looked at');
same_rows($source, $target, 'postgres', 'the switch');

# The way back: the application's side is the target now.
sub way_back_streams { return $source->sql('postgres', 'SELECT count(*) FROM pg_stat_subscription WHERE received_lsn IS NOT NULL') eq '1' }
wait_until('the way back', \&way_back_streams);
$target->sql('postgres', 'INSERT INTO made VALUES (2)');
$result = meanwhile($migration, 'rollback', 'ahead', sub { $target->sql('postgres', 'CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)') });
is($result->{status}, 3, 'a table that was made while the rollback was prepared');
like($result->{said}, qr/since the cutover: public\.later/, 'is named');
is($target->sql('postgres', 'SELECT phase FROM penstock.migration'), 'switched', 'and all is undone');
$target->sql('postgres', 'DROP TABLE later');
$result = meanwhile($migration, 'rollback', 'ahead', sub { $target->sql('postgres', 'CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$SELECT 1$$') });
is($result->{status}, 3, 'a function, too');
like($result->{said}, qr/something was defined on the target since the checks: .*function public\.one/, 'is named');
$target->sql('postgres', 'DROP FUNCTION one()');

# Made anew: of the same name and definition, and in no publication.
$target->sql('postgres', <<'SQL');
CREATE TABLE swapped_next (LIKE swapped INCLUDING ALL);
DROP TABLE swapped;
ALTER TABLE swapped_next RENAME TO swapped;
ALTER INDEX swapped_next_pkey RENAME TO swapped_pkey;
SQL
$result = $migration->exits(3, 'rollback', @none);
like($result->{stderr}, qr/anything of public\.swapped \(not in the way back: made anew/, 'a table that was made anew on the target is not taken for one that comes back');
$target->sql('postgres', 'ALTER PUBLICATION penstock_reverse_default ADD TABLE ONLY swapped');
$source->sql('postgres', 'SET default_transaction_read_only = off; ALTER SUBSCRIPTION penstock_reverse_default REFRESH PUBLICATION');
like($migration->exits(3, 'rollback', @none)->{stderr}, qr/anything of public\.swapped \(/, 'nor is one that was published since without being copied');
$source->sql('postgres', 'SET default_transaction_read_only = off; CREATE TABLE still_next (LIKE still INCLUDING ALL); DROP TABLE still; '
      . 'ALTER TABLE still_next RENAME TO still; ALTER INDEX still_next_pkey RENAME TO still_pkey');
$result = $migration->exits(3, 'rollback', @none);
like($result->{stderr}, qr/anything of public\.still, public\.swapped \(not/, 'nor one that was made anew at the source');
$migration->ok('rollback', @none, '--accept-loss');
is($target->sql('postgres', 'SELECT phase FROM penstock.migration'), 'rolled back', 'accepted, the sides differ, and another switch needs a copy');

# DDL is only watched.
my $watched = migration($source, $target, database => 'watched', ddl => 'watch');
$watched->ok('copy');
$journal{watched} = PenstockTest::Journal->new($target, 'watched');
$watched->follow;
$watched->wait_until_caught_up;
$result = meanwhile($watched, 'cutover', 'ahead', sub { $source->sql('watched', 'CREATE INDEX words ON kept (words)') });
undone($watched, $result, qr/since the checks: the two sides differ in 1 definition: .*index public\.words/, 'an index that is on one side');
$source->sql('watched', 'DROP INDEX words');
$result = meanwhile($watched, 'cutover', 'ahead', sub { });
is($result->{status}, 0, 'nothing was defined');
like($result->{said}, qr/definitions .*nothing was defined since the checks/, 'and nothing is compared again');
$_->{applier}->stop foreach $watched;
done_testing();
