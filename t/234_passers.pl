# Who passes a fence by design: an apply worker, a prepared transaction, a role with a read-only default of its own, a superuser
# that insists. Each is stopped or refused beforehand, or seen before clients are let go; and when the look through the proxy
# fails, the way goes back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;
use PenstockTest::Writers;

my $source = start_source('source', conf => "max_prepared_transactions = 4\n");
my $target = start_target('target');
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $migration = migration($source, $target, database => 'app');
my @cutover = ($migration->cutover_words($proxy), '--yes');
my @rollback = ($migration->rollback_words($proxy), '--yes');
$source->sql('app', 'CREATE TABLE fed (id int PRIMARY KEY)');
$migration->ok('copy');
my $journal = PenstockTest::Journal->new($target, 'app');
$migration->follow;
$migration->wait_until_caught_up;
my $config = slurp_file($proxy->config);

sub fence
{
    return $source->sql('postgres', q{SELECT datconnlimit FROM pg_database WHERE datname = 'app'});
}
# What the server of the source says to that user.
sub says
{
    my ($user, $sql) = @_;
    my $said;
    $source->psql('app', $sql, connstr => $source->uri('app', user => $user, tcp => 1), stderr => \$said);
    return $said;
}
sub undone
{
    my ($name) = @_;
    is(fence(), '-1', "$name: the source is open");
    is(slurp_file($proxy->config), $config, "$name: the proxy's file is as it was");
    $migration->wait_until_caught_up;
    return same_rows($source, $target, 'app', "$name: both sides are equal");
}

# An apply worker.
$target->sql('postgres', 'CREATE DATABASE feeder');
$target->sql('feeder', 'CREATE TABLE fed (id int PRIMARY KEY); CREATE PUBLICATION feed FOR TABLE fed');
$target->sql('feeder', q{SELECT pg_create_logical_replication_slot('feed', 'pgoutput')});
$source->sql('app', sprintf(q{CREATE SUBSCRIPTION feed CONNECTION '%s' PUBLICATION feed WITH (create_slot = false)},
        $target->uri('feeder', tcp => 1)));
$target->sql('feeder', 'INSERT INTO fed VALUES (1)');
wait_until('the worker to write', sub { $source->sql('app', 'SELECT count(*) FROM fed') == 1 });
my $result = $migration->exits(3, @cutover);
like($result->{stderr}, qr/subscriptions write to the source behind any fence: feed.*--end-writers/s, 'a subscription is refused by name');
push @cutover, '--end-writers';

# Who is not refused is named.
$source->sql('app', q{SELECT pg_create_logical_replication_slot('debezium', 'pgoutput')});
my $listener = background('listener', $source->installed_command('psql'), '-X', '-d', $source->uri('app'), '-c', 'LISTEN news',
    '-c', q{\\! sleep 100});
wait_until('somebody to listen', sub { $source->sql('app', q{SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN news'}) == 1 });

# A prepared transaction that was not there at the preflight.
my $held = $journal->stand_at('cutover hold begin', $migration->command(@cutover));
$source->sql('app', q{BEGIN; INSERT INTO fed VALUES (1000); PREPARE TRANSACTION 'in doubt'});
$journal->go_on;
is($held->wait, 3, 'a prepared transaction that came later ends the cutover');
like($held->log_text, qr/other consumers of changes of the source: debezium/, 'the consumer of another slot is named');
like($held->log_text, qr/sessions that LISTEN on the source: pid \d+/, 'and who listens');
$listener->kill9;
like($held->log_tail, qr/prepared transactions .*in doubt/, 'and is named');
$source->sql('app', q{COMMIT PREPARED 'in doubt'});
undone('prepared');
is($source->sql('app', q{SELECT subenabled FROM pg_subscription WHERE subname = 'feed'}), 't', 'the subscription goes on');

# A superuser that insists, when all was caught up; also when the way back has begun, whose slot has what came through the stream.
foreach (['sequences', 2000], ['point', 2001]) {
    my ($step, $id) = @$_;
    $held = $journal->stand_at("cutover $step begin", $migration->command(@cutover));
    is(fence(), '0', "$step: the fence stands");
    $source->sql('app', "SET default_transaction_read_only = off; INSERT INTO fed VALUES ($id)");
    wait_until('it to come through the stream', sub { $target->sql('app', "SELECT count(*) FROM fed WHERE id = $id") eq '1' });
    $journal->go_on;
    is($held->wait, 3, "$step: a write behind the fence ends the cutover");
    like($held->log_tail, qr/prove .*somebody wrote to the source behind its fence/, "$step: and that is said");
    unlike($held->log_text, qr/written to the target before the release/, "$step: and is no client's at the target");
    undone("$step: a write behind the fence");
}

# A role whose own default wins over the database's; and clients that cannot get through to the target.
$_->sql('postgres', 'CREATE ROLE loud SUPERUSER LOGIN; ALTER ROLE loud SET default_transaction_read_only = off') for $source, $target;
my @probe = ('--probe' => $proxy->uri('app'));
$held = $journal->stand_at('cutover release begin', $migration->command(@cutover, @probe));
like(says('loud', 'INSERT INTO fed VALUES (3000)'), qr/read-only/, 'a role with a default of its own begins read-only');
$target->sql('postgres', 'ALTER ROLE app NOLOGIN');
$journal->go_on;
is($held->wait, 3, 'a failed look through the proxy');
like($held->log_tail, qr/nobody has written to the target: going back.*Undone: clients go on/s, 'goes back when nobody has written');
undone('a failed probe');
is($target->sql('postgres', q{SELECT datconnlimit FROM pg_database WHERE datname = 'app'}), '-1', 'the target is open');
is($source->sql('app', q{SELECT count(*) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = setrole AND rolname = 'loud' WHERE setdatabase <> 0}),
    '0', 'the role has what it had');
$target->sql('postgres', 'ALTER ROLE app LOGIN');

# The same when somebody has written: no way back by undoing, no success either; a rollback.
$writers->start('load', $proxy->uri('app'));
$writers->go_on($source, 'before');
$held = $journal->stand_at('cutover probe begin', $migration->command(@cutover, @probe));
$writers->go_on($target, 'released');
$target->sql('app', 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC'); # which the look asks
$journal->go_on;
is($held->wait, 3, 'a look that fails though clients have got through');
like($held->log_tail, qr/[1-9]\d* changes have been written to the target/, 'what was written is counted');
$writers->go_on($target, 'after the probe');
like($migration->exits(3, 'cutover', '--undo')->{stderr}, qr/cannot be undone.*changes have been written.*penstock rollback/s, 'it cannot be undone');

# The count of what was written does not come to its end: the target, fenced for it, is opened again all the same. The session stands still
# while it waits for a lock, so that nothing ends it.
my $lock = $target->background_psql('app');
$lock->query_safe(q{SET application_name = 'penstock test'; BEGIN; LOCK TABLE penstock.lane IN ACCESS EXCLUSIVE MODE});
my $undo = background('undo', $migration->command('cutover', '--undo'));
my $counts = wait_until('the count', sub {
    die $undo->log_tail . "\n" unless $undo->is_running;
    $target->sql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_logical_slot_peek%' AND wait_event_type = 'Lock'});
});
kill('STOP', $counts);
$lock->query_safe('ROLLBACK');
$lock->quit;
is($undo->wait, 3, 'a count that stands still');
unlike($undo->log_text, qr/could not be lifted/, 'leaves no fence');
$writers->go_on($target, 'after the count');
kill('CONT', $counts);
wait_until('its session to end', sub { $target->sql('postgres', "SELECT 1 FROM pg_stat_activity WHERE pid = $counts") eq '' });
$migration->exits(3, 'cutover', '--resume');
$writers->go_on($target, 'after the attempts');
$target->sql('app', 'GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC');
$result = $migration->ok(@rollback);
$writers->go_on($source, 'back');
is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'copied', 'the migration stands where it stood');
$writers->end_well($source);

# A write behind the fence when clients have been let go: said, and gone on from only by whoever says so.
$migration->follow;
$migration->wait_until_caught_up;
$held = $journal->stand_at('cutover gone begin', $migration->command(@cutover, @probe));
$source->sql('app', 'SET default_transaction_read_only = off; INSERT INTO fed VALUES (4000)');
$journal->go_on;
is($held->wait, 3, 'a write behind the fence after the release stops the cutover');
like($held->log_tail, qr/gone .*somebody wrote to the source behind its fence/, 'and is said');
$source->sql('app', 'SET default_transaction_read_only = off; DELETE FROM fed WHERE id = 4000');
like($migration->exits(1, 'cutover', '--resume')->{stderr}, qr/not shown: .*somebody wrote to the source/, 'it goes on when asked to');
is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'switched', 'switched');
done_testing();
