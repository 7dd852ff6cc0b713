# A cutover that asks for a comparison of everything (--require-verified) compares what has changed since, behind the fence: it goes
# back when that differs, and says what it had no time for.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => "wal_level = logical\n");
$source->sql('postgres', <<'SQL');
CREATE TABLE quiet (id int PRIMARY KEY, v text);
CREATE TABLE busy (id int PRIMARY KEY, v text);
CREATE TABLE emptied (id int PRIMARY KEY);
INSERT INTO quiet SELECT i, md5(i::text) FROM generate_series(1, 500) AS i;
INSERT INTO busy SELECT i, md5(i::text) FROM generate_series(1, 500) AS i;
INSERT INTO emptied SELECT generate_series(1, 500);
SQL
my $migration = migration($source, $target);
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;
$migration->ok('verify');

my @cutover = ('cutover', '--proxy', 'none', '--max-lag', '1000000000', '--yes', '--require-verified', '2h');

sub plant { $target->sql('postgres', "SET session_replication_role = replica; $_[0]"); return }

subtest 'what differs makes it go back' => sub {
    $source->sql('postgres', q{UPDATE busy SET v = 'changed' WHERE id = 7; TRUNCATE emptied});
    $migration->wait_until_caught_up;
    plant(q{UPDATE busy SET v = 'wrong' WHERE id = 7; INSERT INTO emptied VALUES (3)});
    my $said = $migration->exits(3, @cutover);
    like($said->{stderr}, qr/2 tables differ from the source since the last comparison: public\.busy at \(7\), public\.emptied at \(3\)/,
        'both tables are named, with their rows');
    is($source->sql('postgres', q{INSERT INTO quiet VALUES (1001, 'goes on'); SELECT 1}), 1, 'and clients go on at the source');
    plant(q{UPDATE busy SET v = 'changed' WHERE id = 7; DELETE FROM emptied});
};

subtest 'an applier that was killed before it had counted' => sub {
    is($migration->{applier}->stop, 0, 'it ends');
    $target->sql('postgres', q{UPDATE penstock.applier SET counted_lsn = '0/1'});
    $migration->follow;
    wait_until('the next one has noticed', sub { $target->sql('postgres', 'SELECT uncounted_at IS NOT NULL FROM penstock.applier') eq 't' });
    $migration->wait_until_caught_up;    # what it noticed stands there before it is said to run
    plant(q{UPDATE quiet SET v = 'wrong' WHERE id = 9});
    like($migration->exits(3, @cutover)->{stderr}, qr/1 table differs .*: public\.quiet at \(9\)/, 'so all tables are compared');
    like($migration->exits(1, 'verify')->{stdout}, qr/public\.quiet/, 'verify says the same');
    $migration->ok('verify', '--repair');
};

subtest 'what there is no time for is said' => sub {
    $source->sql('postgres', q{UPDATE busy SET v = 'changed again' WHERE id = 8});
    $migration->wait_until_caught_up;
    my $said = $migration->ok(@cutover, '--compare-limit', '0.001');
    like($said->{stderr}, qr/of the tables that have changed since the last comparison: 1 of 1 tables could not be compared within 0\.001 s.*public\.busy/,
        'with the table, and it goes on');
};

done_testing();
