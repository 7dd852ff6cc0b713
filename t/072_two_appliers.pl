# Two appliers never apply the same change. A lock keeps them apart, but it lives in a session: one that has lost it may not
# know, and goes on. So each new applier takes the lanes over, and who had them before can commit nothing more, not even with
# connections that nobody ended. Keyless rows: one that is inserted twice stays.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

$source->sql('postgres', 'CREATE TABLE keyless (n int)');
$migration->ok('copy', '--lanes', 4);

sub count_of
{
    my ($n) = @_;
    return $target->sql('postgres', "SELECT count(*) FROM keyless WHERE n = $n");
}

# Somebody takes the lanes over behind the applier's back, whose lock and connections all live.
my $first = $migration->follow('--workers', 2);
$source->sql('postgres', 'INSERT INTO keyless VALUES (1)');
$migration->wait_until_caught_up;
is(count_of(1), 1, 'the first applier applies');
$target->sql('postgres', 'UPDATE penstock.lane SET epoch = epoch + 1');
$source->sql('postgres', 'INSERT INTO keyless VALUES (2)');
is($first->wait, 3, 'an applier whose lanes were taken over ends');
like($first->log_text, qr/the lanes of this migration are not this applier's any more/, 'it says so');
is(count_of(2), 0, 'and has applied nothing since');

# The session with the lock dies while its applier stands still; a second one starts, and waits for the slot; then the first
# wakes up and finds a row to apply.
$first = $migration->follow('--workers', 2);
$migration->wait_until_caught_up;
is(count_of(2), 1, 'the next applier applies what the fenced one did not');
my $epoch = $target->sql('postgres', 'SELECT max(epoch) FROM penstock.lane');
kill('STOP', -$first->pid);
$source->sql('postgres', 'INSERT INTO keyless VALUES (3)');
$target->sql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'penstock%'
    AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock')});
my $second = $migration->follow('--workers', 3);
wait_until('the second applier to take over the lanes',
    sub { $target->sql('postgres', "SELECT count(*) FROM penstock.lane WHERE epoch > $epoch") == 4 });
kill('CONT', -$first->pid);
$migration->wait_until_caught_up;
is(count_of(3), 1, 'the row is there once');
$source->sql('postgres', 'INSERT INTO keyless VALUES (4)');
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'nothing is lost and nothing is there twice');
ok($second->is_running, 'the second one goes on');
is($second->stop, 0, 'and ends cleanly');
is($first->wait, 3, 'the first one has ended');
like($first->log_text, qr/another Penstock process has the applier lock|not this applier's any more/, 'and says why');

# An applier that is left over from a rehearsal meets a migration of the same name on servers that were made anew: what it remembers,
# how far the target is, would be taken for the new one's.
my $left_over = $migration->follow;
$migration->wait_until_caught_up;
$target->sql('postgres', q{UPDATE penstock.migration SET created_at = created_at + interval '1 hour'});
$target->sql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'penstock%'});
is($left_over->wait, 3, 'an applier is one of the migration that it was started for');
like($left_over->log_text, qr/error  migration "default" is not the one that this applier was started for.*\(PST-1505\)/, 'and says so');
my $fresh = $migration->follow;
$source->sql('postgres', 'INSERT INTO keyless VALUES (5)');
$migration->wait_until_caught_up;
is($fresh->stop, 0, 'one that is started anew applies this one');
done_testing();
