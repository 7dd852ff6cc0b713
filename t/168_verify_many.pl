# What a server keeps of each table that a session has read, it keeps until that session ends. So sessions that compare or copy are made
# anew after so many tables and columns, under the same snapshots.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => "wal_level = logical\nlog_connections = on\n");

# 21 of 1,590 columns are as much as thousands of narrow ones. Most are large enough not to be read by the guard of a switch.
$source->sql('postgres', <<'SQL');
CREATE TABLE narrow (id int PRIMARY KEY, v text);
INSERT INTO narrow VALUES (1, 'x');
DO $$ BEGIN
    FOR i IN 1 .. 21 LOOP
        EXECUTE format('CREATE TABLE wide%s (id int PRIMARY KEY, v text, %s); ALTER TABLE wide%1$s ALTER v SET STORAGE EXTERNAL', i,
            (SELECT string_agg(format('c%s int', c), ', ') FROM generate_series(3, 1590) AS c));
        EXECUTE format('INSERT INTO wide%s (id, v) VALUES (1, repeat(''x'', %s))', i, CASE WHEN i <= 17 THEN 1100000 ELSE 10 END);
    END LOOP;
END $$;
SQL
my $migration = migration($source, $target);

# What the command printed, and how many sessions of that name it had on the target.
sub sessions_of
{
    my ($name, $status, @command) = @_;
    return sessions_in($migration, $name, $status, @command);
}

sub sessions_in
{
    my ($of, $name, $status, @command) = @_;
    my $before = -s $target->logfile;
    my $result = $of->exits($status, @command);
    my $log = substr(PostgreSQL::Test::Utils::slurp_file($target->logfile), $before);
    return ($result->{stdout}, scalar(() = $log =~ /connection authorized: .* application_name=\Qpenstock $name\E(?: |$)/mg));
}

subtest 'sessions of a copy' => sub {
    foreach ($source, $target) { $_->sql('postgres', 'CREATE DATABASE other') }
    $source->sql('other', 'CREATE TABLE narrow AS SELECT 1 AS id');
    my (undef, $few) = sessions_in(migration($source, $target, database => 'other', name => 'other'), 'copy other', 0, 'copy', '--jobs', 1);
    my (undef, $many) = sessions_of('copy default', 0, 'copy', '--jobs', 1);
    cmp_ok($many, '>', $few, "are made anew: $many, where there were $few for one table");
};
$migration->follow;
$migration->wait_until_caught_up;

my @verify = ('verify', '--json', '--rows-only', '--jobs', 1);

subtest 'sessions of a comparison' => sub {
    my (undef, $few) = sessions_of('verify', 0, @verify, '--only', 'public.narrow');
    my ($text, $many) = sessions_of('verify', 0, @verify);
    my $found = decode_json($text);
    is($found->{tables_compared}, 22, 'all tables');
    cmp_ok($many, '>', $few, "are made anew: $many, where there were $few for one table");
    is($found->{points}, 1, 'under one pair of snapshots');
};

subtest 'a query names so many columns, and no more' => sub {
    my $pieces = $target->sql('postgres', q{SELECT count(*), max(cardinality(relations)) FROM penstock.verify_job});
    like($pieces, qr/^19\|[34]$/, 'wide tables go together by threes');
};

subtest 'what they find, before and after' => sub {
    $target->sql('postgres', "UPDATE wide$_ SET c1590 = 1") foreach (1, 21);
    my ($text) = sessions_of('verify', 1, @verify);
    is(join(' ', map { $_->{table} } @{decode_json($text)->{tables}}), 'wide1 wide21', 'are the tables that differ');
    $target->sql('postgres', "UPDATE wide$_ SET c1590 = NULL") foreach (1, 21);
};

subtest 'sessions of the comparison at the switch' => sub {
    my @cutover = ('cutover', '--proxy', 'none', '--yes', '--verify', '--jobs', 1, '--max-lag', '1000000000');
    my (undef, $sessions) = sessions_of('compare', 0, @cutover);
    is($sessions, 4, 'one for the list, one for small tables, one for the others, which is made anew');
};

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
