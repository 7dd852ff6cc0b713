# The applier among servers that come and go: cut networks, failover, locks in its way, and sources that are not what they
# were. Each has its own words, and what can pass is waited out.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Forwarder;

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS i');
$source->sql('postgres', 'CREATE TABLE slow (id int PRIMARY KEY, t text)');
my $migration = migration($source, $target, ddl => 'off');
$migration->ok('copy', '--lanes', 4);
my $user = getpwuid($<);
my $next = 100;

# follow with other connection strings and with options of the applier
sub follow
{
    my ($from, $to, @options) = @_;
    my $applier = background('follow', program('penstock'), 'follow', '--source' => $from, '--target' => $to, @options);
    $migration->{applier} = $applier;
    return $applier;
}

sub write_something
{
    $next++;
    $source->sql('postgres', "INSERT INTO t VALUES ($next, 0); UPDATE t SET v = v + 1 WHERE id <= 10");
    return;
}

sub goes_on
{
    my ($when) = @_;
    write_something();
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', $when);
    return;
}

# says(PATTERN, NAME, APPLIER): it fails with such an error.
sub fails_with
{
    my ($pattern, $name, $applier) = @_;
    is($applier->wait, 3, "$name: status");
    like($applier->log_text, $pattern, "$name: words");
    return;
}

subtest 'a network that is cut without a word' => sub {
    my ($to_source, $to_target) = map { PenstockTest::Forwarder->start_new($_) } $source, $target;
    my $applier = follow($to_source->uri('postgres'), $to_target->uri('postgres'), '--', '--timeout', 3);
    goes_on('through forwarders');

    $to_source->silence;
    write_something();
    wait_until('the source to be given up', sub { $applier->log_text =~ /the source has not answered for 3 s; trying again/ });
    wait_until('the state to say so', sub { $migration->applier_says('state') eq 'waiting' });
    $to_source->resume;
    goes_on('once the source answers again');

    $to_target->silence;
    write_something();
    wait_until('the target to be given up', sub { $applier->log_text =~ /the target has not answered for 3 s/ });
    $to_target->resume;
    goes_on('once the target answers again');

    $to_target->silence;
    write_something();
    is($applier->stop, 0, 'SIGTERM ends the applier while the target is silent');
    $to_target->resume;
    $_->stop foreach $to_source, $to_target;
};

subtest 'a lock in the way' => sub {
    my $applier = $migration->follow;
    goes_on('without a lock');
    my $locker = background('locker', 'env', 'PGAPPNAME=locker', 'psql', '-X', '-c', 'BEGIN; LOCK TABLE t; SELECT pg_sleep(3600)', $target->uri('postgres'));
    wait_until('the lock', sub { $target->sql('postgres', q{SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock'}) });
    my $pid = $target->sql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'});
    write_something();
    wait_until('the report', sub { $migration->applier_says(q{blocked -> 0 ->> 'pid'}) eq $pid });
    is($migration->applier_says(q{concat_ws(' ', blocked -> 0 ->> 'user', blocked -> 0 ->> 'application', blocked -> 0 ->> 'relation')}),
        "$user locker public.t", 'who holds it, and on what');
    $applier->says(qr/waiting for a lock on the target that is held by process $pid \(user $user, application "locker", active: BEGIN; LOCK TABLE t/,
        'the log names the holder');
    like($migration->run('status')->{stdout}, qr/^blocked +on public\.t for \d+ s by process $pid of the target \($user, locker, active\): BEGIN; LOCK TABLE t/m, 'so does status');
    is($applier->stop, 0, 'SIGTERM ends the applier under a blocked lock');
    wait_until('the blocked worker to be gone', sub {
        !$target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'penstock worker%'}) });
    ok($locker->is_running, 'while the lock is still held');
    $applier->start;
    wait_until('the report', sub { $migration->applier_says(q{blocked -> 0 ->> 'pid'}) eq $pid });
    $target->sql('postgres', "SELECT pg_terminate_backend($pid)");
    goes_on('once the lock is gone');
    is($migration->applier_says('blocked'), '', 'and nothing is said to be blocked');
    is($applier->stop, 0, 'the applier ends cleanly');
};

# A trigger of the target takes its time: reading waits, memory stays within its limit, and the source, which gives its reader two
# seconds, hears of it often enough.
subtest 'a slow target' => sub {
    $source->sql('postgres', q{ALTER SYSTEM SET wal_sender_timeout = '2s'});
    $source->reload;
    $target->sql('postgres', <<'SQL');
CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END';
CREATE TRIGGER take_time BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION take_time();
ALTER TABLE slow ENABLE ALWAYS TRIGGER take_time;
SQL
    my $applier = $migration->follow('--workers', 1, '--', '--memory', '8MB', '--batch-rows', 50);
    goes_on('before the load');
    my $value = q{(SELECT string_agg(md5(i::text || n), '') FROM generate_series(1, 250) AS n)};
    $source->sql('postgres', "INSERT INTO slow SELECT i, $value FROM generate_series(1, 2000) AS i");
    my $there = sub { $target->sql('postgres', 'SELECT count(*) FROM slow') };
    my $highest = 0;
    wait_until('some of the rows', sub {
        my $memory = $migration->applier_says(q{(statistics ->> 'memory_bytes')::bigint});
        $highest = $memory if $memory > $highest;
        return $there->() >= 300;
    });
    cmp_ok($highest, '>', 4 * 2**20, 'changes wait in memory');
    cmp_ok($highest, '<', 12 * 2**20, "16 MB of them do not: $highest bytes at most");
    is($applier->stop, 0, 'SIGTERM ends the applier');
    cmp_ok($there->(), '<', 2000, 'long before all is done');
    unlike($applier->log_text, qr/trying again/, 'nobody gave up on anybody');
    $applier = $migration->follow('--workers', 2);
    $target->sql('postgres', 'ALTER TABLE slow DISABLE TRIGGER take_time');
    goes_on('with another number of workers, and a target in a hurry');

    # What was begun when SIGTERM came is finished: a transaction of three rows, of which the last has to wait.
    $target->sql('postgres', <<'SQL');
CREATE OR REPLACE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN IF NEW.id = 5003 THEN PERFORM pg_advisory_xact_lock(73); END IF; RETURN NEW; END';
ALTER TABLE slow ENABLE ALWAYS TRIGGER take_time;
SQL
    open(my $holder, '|-', 'psql', '-X', '-q', '-o', '/dev/null', $target->uri('postgres')) or die "psql: $!\n";
    $holder->autoflush(1);
    print $holder "SELECT pg_advisory_lock(73);\n";
    wait_until('the lock', sub { $target->sql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 73}) });
    $source->sql('postgres', q{INSERT INTO slow VALUES (5001, ''), (5002, ''), (5003, '')});
    wait_until('a worker to wait for it', sub {
        $target->sql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 73 AND NOT granted}) });
    kill('TERM', $applier->pid);
    wait_until('the applier to have heard', sub { $applier->log_text =~ /stopping: finishing what the workers have/ });
    close($holder);
    is($applier->wait, 0, 'the applier ends cleanly');
    is($target->sql('postgres', 'SELECT count(*) FROM slow WHERE id > 5000'), 3, 'the transaction that was begun is there');
    like($migration->exits(3, 'copy', '--lanes', 8)->{stderr}, qr/begun with 4 lanes, not 8/, 'the number of lanes stays');
    $_->sql('postgres', 'DROP TABLE slow') foreach $source, $target;
    $source->sql('postgres', 'ALTER SYSTEM RESET wal_sender_timeout');
    $source->reload;
};

subtest 'several hosts, and failover of the target' => sub {
    my $standby = $target->start_standby('standby');
    $target->sql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = '*'});
    $target->reload;
    wait_until('the standby to be synchronous', sub { $target->sql('postgres', 'SELECT sync_state FROM pg_stat_replication') eq 'sync' });

    my $list = sub { my @ports = @_; return "postgresql://$user@" . join(',', map { "127.0.0.1:$_" } @ports) . '/postgres?target_session_attrs=read-write' };
    my $applier = follow($list->(1, $source->port), $list->($target->port, $standby->port));
    goes_on('the first host of the source is dead');
    $target->stop('immediate');
    write_something();
    $standby->promote;
    $migration->{target} = $target = $standby;
    goes_on('the standby was promoted');
    ok($applier->is_running, 'by the same applier');
    is($applier->stop, 0, 'the applier ends cleanly');
    $migration = migration($source, $target, ddl => 'off');
};

subtest 'limits' => sub {
    my $nowhere = "postgresql://$user\@127.0.0.1:1/postgres";
    fails_with(qr/cannot connect to the target.*refused/, 'an unreachable target, without patience',
        follow($source->uri('postgres'), $nowhere, '--', '--start-limit', 0));
    my $applier = follow($source->uri('postgres'), $nowhere, '--', '--start-limit', 600);
    wait_until('another try', sub { $applier->log_text =~ /refused.*trying again/ });
    is($applier->stop, 0, 'with patience it tries again, and ends when it is asked to');
    fails_with(qr/"nowhere" does not exist/, 'an unknown database fails at once',
        follow($source->uri('postgres'), $target->uri('nowhere'), '--', '--start-limit', 600));
    fails_with(qr/"nobody" does not exist/, 'an unknown role fails at once',
        follow($source->uri('postgres', user => 'nobody'), $target->uri('postgres'), '--', '--start-limit', 600));

    $applier = $migration->follow('--', '--retry-limit', 1);
    goes_on('before the source stops');
    $source->stop;
    fails_with(qr/trying again.*error .*(?:connect to the source|source)/s, 'a lost source, with a limit', $applier);
    $source->start;
};

subtest 'sources that are not what they were' => sub {
    my $slot = $source->sql('postgres', q{SELECT slot_name FROM pg_replication_slots});
    fails_with(qr/the source is another server: its system identifier is/, 'another server', follow($target->uri('postgres'), $target->uri('postgres')));
    $source->sql('postgres', 'CREATE DATABASE other');
    fails_with(qr/leads to database "other"/, 'another database', follow($source->uri('other'), $target->uri('postgres')));

    my $applier = $migration->follow;
    goes_on('the right server');
    is($applier->stop, 0, 'the applier ends cleanly');
    write_something();
    $source->sql('postgres', "SELECT pg_replication_slot_advance('$slot', pg_current_wal_lsn())");
    fails_with(qr{slot "$slot" stands at [0-9A-F/]+, past [0-9A-F/]+, up to where the target has everything.*hint .*someone else}s,
        'a slot that someone else advanced', $migration->follow);

    $source->sql('postgres', "SELECT pg_drop_replication_slot('$slot')");
    fails_with(qr/the source has no replication slot "$slot".*hint .*penstock copy again/s, 'no slot', $migration->follow);
    $source->sql('postgres', "SELECT pg_create_logical_replication_slot('$slot', 'test_decoding')");
    fails_with(qr/slot "$slot" on the source belongs to the output plugin "test_decoding".*hint .*penstock copy again/s,
        'a slot of another plugin', $migration->follow);
    $source->sql('postgres', "SELECT pg_drop_replication_slot('$slot'), pg_create_logical_replication_slot('$slot', 'penstock')");
    fails_with(qr/slot "$slot" stands at .*, past /, 'a slot that was made again', $migration->follow);
};

# A copy of a server's folder while it is stopped: a snapshot of its storage.
sub snapshot
{
    my ($server) = @_;
    my $folder = PostgreSQL::Test::Utils::tempdir() . '/snapshot';
    $server->stop;
    PostgreSQL::Test::RecursiveCopy::copypath($server->data_dir, $folder);
    $server->start;
    return $folder;
}

subtest 'a source on another timeline' => sub {
    $source = start_source('promoting');
    $source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS i');
    my $standby = $source->start_standby('promoted');
    $target->sql('postgres', 'DROP TABLE t; DROP SCHEMA penstock CASCADE');
    $migration = migration($source, $target, ddl => 'off');
    $migration->ok('copy', '--lanes', 4);
    my $applier = $migration->follow;
    goes_on('the first timeline');
    is($applier->stop, 0, 'the applier ends cleanly');
    my $slot = $source->sql('postgres', 'SELECT slot_name FROM pg_replication_slots');
    my $snapshot = snapshot($source);

    # What keeps slots on standbys (PostgreSQL 17 does, extensions do for earlier majors) puts the slot's state there.
    $applier = $migration->follow;
    goes_on('before the failover');
    is($applier->stop, 0, 'the applier ends cleanly');
    $source->stop;
    $standby->promote;
    my $old = $source;
    $migration->{source} = $source = $standby;
    fails_with(qr/has no replication slot "$slot": a standby was promoted \(it is on timeline 2, the migration on timeline 1\).*hint .*penstock copy again/s,
        'a promoted standby without the slot', $migration->follow);
    $standby->stop;
    PostgreSQL::Test::RecursiveCopy::copypath($old->data_dir . "/pg_replslot/$slot", $standby->data_dir . "/pg_replslot/$slot");
    $standby->start;
    $applier = $migration->follow;
    goes_on('a standby that has all of it was promoted, with the slot');
    like($applier->log_text, qr/the source went on from timeline 1 to 2 behind all that the target has/, 'the log says so');
    is($target->sql('postgres', 'SELECT source_timeline FROM penstock.migration'), 2, 'that is the timeline of the migration now');
    is($applier->stop, 0, 'the applier ends cleanly');
    $old->start;
    $migration->{source} = $old;
    fails_with(qr/the source is on timeline 1, and the migration is on timeline 2.*hint .*penstock copy again/s, 'the old server', $migration->follow);

    # Restored to where the target has been further already.
    $old->stop;
    PostgreSQL::Test::Utils::system_or_bail('rm', '-rf', $old->data_dir);
    PostgreSQL::Test::RecursiveCopy::copypath($snapshot, $old->data_dir);
    chmod(0700, $old->data_dir);
    PostgreSQL::Test::Utils::append_to_file($old->data_dir . '/recovery.conf', "standby_mode = on\n");
    $old->start;
    $old->promote;
    $target->sql('postgres', 'UPDATE penstock.migration SET source_timeline = 1');
    fails_with(qr{the source is on timeline 2, and the migration is on timeline 1: the one left the other at [0-9A-F/]+, and the target may have changes up to [0-9A-F/]+ that this server never had.*hint .*penstock copy again}s,
        'a server that was restored to an earlier point', $migration->follow);
};

done_testing();
