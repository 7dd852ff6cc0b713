# The way out is never shut: whatever dies while clients are held - the command, its terminal, the target, the source, a
# connection - they go on, and without a command of anybody's where it can be.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;
use PenstockTest::Journal;
use PenstockTest::Writers;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $migration = migration($source, $target, database => 'app');
my @cutover = $migration->cutover_words($proxy);
my @bare = ('cutover', '--undo');
$migration->ok('copy');
my $journal = PenstockTest::Journal->new($target, 'app');
my $applier = $migration->follow;
$migration->wait_until_caught_up;
$writers->start('load', $proxy->uri('app'));
$writers->go_on($source, 'before');
my $config = slurp_file($proxy->config);

sub fence
{
    return $source->sql('postgres', "SELECT datconnlimit, (SELECT count(*) FROM pg_db_role_setting s WHERE "
          . "s.setdatabase = d.oid) FROM pg_database d WHERE datname = 'app'");
}
sub open_again
{
    my ($name) = @_;
    is(fence(), '-1|0', "$name: the source is open");
    wait_until("$name: the proxy's file to be as it was", sub { slurp_file($proxy->config) eq $config });    # after clients go on
    return $writers->go_on($source, $name);
}

# A cutover that stands at a line of the journal while clients are held.
sub held
{
    my ($line, @words) = @_;
    my $held = $journal->stand_at($line, $migration->command(@cutover, '--yes', @words));
    is(fence(), '0|1', "at \"$line\" the fence stands");
    return $held;
}

# The terminal is closed.
my $held = held('cutover sequences begin');
kill('HUP', $held->pid);
$journal->go_on;
is($held->wait, 4, 'a closed terminal interrupts like Ctrl-C');
open_again('a closed terminal');

# kill -9: the hold ends at its limit, by the helper.
$held = held('cutover sequences begin', '--hold-limit', '3');
$held->kill9;
$journal->go_on;
wait_until('the helper to undo', sub { fence() eq '-1|0' });
open_again('kill -9');
wait_until('the helper to be done', sub {
    $target->sql('app', q{SELECT string_agg(event, ',') FROM (SELECT DISTINCT ON (step) event FROM penstock.journal
        WHERE operation = 'cutover' ORDER BY step, id DESC) s}) =~ /^(undone,)*undone$/ });
is($migration->run(@bare)->{status}, 3, 'nothing is left to undo');

# Killed, and nothing has to be typed again.
$held = held('cutover sequences begin', '--hold-limit', '50', '--no-helper');
$held->kill9;
$journal->go_on;
$migration->ok(@bare);
open_again('--undo without an option');

# The command's sessions end: what they had begun is undone over new ones.
$held = held('cutover point begin');
$_->sql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock cutover'}) for $source, $target;
is($held->wait, 3, 'a cutover whose sessions are ended fails');
$journal->go_on;
open_again('ended sessions');
$migration->run(@bare);

# The target dies: clients go on, and what is left is said.
$held = held('cutover point begin');
$target->stop('immediate');
is($held->wait, 3, 'a cutover whose target dies fails');
like($held->log_tail, qr/Clients go on at the source.*cutover --undo/s, 'what is left is said');
like($held->log_tail, qr/By hand: on the target: /, 'with the statements to run');
open_again('without a target');
$migration->exits(3, @bare);
like($migration->run('cutover', '--resume')->{stderr}, qr/no way forward.*--undo/s, 'there is no way forward');
$target->start;
$journal->go_on;
$migration->ok(@bare);
is($target->sql('app', q{SELECT count(*) FROM pg_publication}) . $source->sql('app', q{SELECT count(*) FROM pg_subscription}), '00',
    'nothing is left when the target is there again');

# It dies with the command: from the second copy of the journal.
$migration->wait_until_caught_up;
$held = held('cutover point begin', '--hold-limit', '50', '--no-helper');
$target->stop('immediate');
$held->kill9;
$migration->exits(3, @bare);
open_again('the ledger');
$target->start;
$journal->go_on;
$migration->ok(@bare);

# The target takes no more lines of the journal, as on a full disk: all is undone, and it is said that status cannot know. That
# nobody is held is known again when it takes them.
$migration->wait_until_caught_up;
$target->sql('app', <<'SQL');
CREATE FUNCTION penstock.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON penstock.journal FOR EACH ROW
    WHEN (new.step <> 'preflight' AND new.event NOT IN ('begin', 'done') OR new.step IN ('sequences', 'position') AND new.event = 'begin')
    EXECUTE FUNCTION penstock.full();
SQL
my $full = $migration->exits(3, @cutover, '--yes');
like($full->{stderr}, qr/journal in the target lacks what was done.*cutover --undo, given here/, 'what the target does not know is said');
open_again('a full disk');
sub is_held { return defined JSON::PP::decode_json($migration->run('status', '--json')->{stdout})->{held} }
ok(is_held(), 'status goes by the journal');
$target->sql('app', 'DROP TRIGGER full_disk ON penstock.journal');
{
    local $ENV{XDG_STATE_HOME} = "$ENV{TESTDIR}/another_host";
    like($migration->exits(3, @cutover, '--resume')->{stderr}, qr/fence of the source does not stand any more/, 'from elsewhere nobody is led away from a side that is open');
}
$migration->run(@bare);
ok(!is_held(), 'which is brought up');

# A server that hangs: its backend is stopped. The hold ends at its limit all the same, over another connection.
$migration->wait_until_caught_up;
$held = held('cutover sequences begin', '--hold-limit', '4');
my $backend = $source->sql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'penstock cutover' AND datname = 'app'});
kill('STOP', $backend);
$journal->go_on;
is($held->wait, 3, 'a cutover whose server hangs ends');
kill('CONT', $backend);
like($held->log_tail, qr/sequences .*FAILED .*source: not done within [0-5]\.\d s/, 'at the limit of the hold');
open_again('a server that hangs');

# The source dies when all was caught up: the switch is finished without it, and what could not be done is said.
$migration->wait_until_caught_up;
my $acknowledged = $writers->end_well($source);
$held = held('cutover point begin');
$source->stop('immediate');
$held->kill9;
$journal->go_on;
my $result = $migration->exits(1, 'cutover', '--resume', '--probe', $proxy->uri('app'));
like($result->{stderr}, qr/not shown: the source did not answer.*pg_drop_replication_slot.*ENABLE/, 'what is left for the way back is said');
is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'switched', 'switched without the source');
is($target->sql('app', 'SELECT count(*) FROM written'), $acknowledged, 'with every row');
done_testing();
