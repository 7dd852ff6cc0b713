# Ten PgBouncers before one database, and one of them is killed in a step of the switch: before the release all is undone, and the
# clients of the others go on without an error; behind it the switch is brought to its end. Nobody is held for one that is dead,
# and it leads where the others do once it is back.
#
# Some steps in both directions; all from the hold to the release, and behind it, with PENSTOCK_EVERY_STEP=1.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;
use PenstockTest::Writers;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
my $journal = PenstockTest::Journal->new($target, 'app');
my @proxies = map { PenstockTest::PgBouncer->start_with("ten_$_", databases => 'app = host=127.0.0.1 port=' . $source->port . "\n") } 1 .. 10;
$_->run($_->uri('app'), 'SELECT 1') foreach @proxies;
# Those of the first and the last are at work; one between them dies.
$writers->start("load_$_->{name}", $_->uri('app'), '--rate=50', '--client=4') foreach @proxies[0, 9];

my %words = (
    cutover  => [$migration->cutover_words(@proxies), '--drain-limit' => 5],
    rollback => [$migration->rollback_words(@proxies), '--drain-limit' => 5],
);

sub leads_to
{
    my ($proxy) = @_;
    return $proxy->run($proxy->uri('app'), 'SHOW server_version')->{stdout} =~ /^11/ ? 'source' : 'target';
}

# The steps from the hold on, each with whether clients have been released by then.
sub steps
{
    my ($road) = @_;
    my ($held, $released, @steps) = (0, 0);
    foreach my $line (split /\n/, $migration->ok(@{$words{$road}}, '--plan')->{stdout}) {
        next unless $line =~ /^ +\d+  (.{10})  /;
        my $name = $1 =~ s/ +$//r;
        $held ||= $name eq 'hold';
        push @steps, [$name, $released] if $held;
        $released ||= $line =~ /point of no return/;
    }
    return @steps;
}

my $turn = 0;

# One dies when the journal says that the step begins; what comes of it.
sub dies_in
{
    my ($road, $step) = @_;
    my $victim = $proxies[1 + $turn++ % 8];
    my $command = $journal->stand_at("$road $step begin", $migration->command(@{$words{$road}}, '--yes'));
    $victim->{process}->kill9;
    my $began = time;
    $journal->go_on;
    my $status = $command->wait;
    note("$road, $step: status $status after " . (time - $began) . ' s; ' . ($command->log_text =~ /(Clients [^\n]*)/ ? $1 : ''));
    return ($status, $command, $victim);
}

sub come_back
{
    my ($victim) = @_;
    $victim->process->start;
    $victim->wait_until_it_answers;
    $victim->run($victim->uri('app'), 'SELECT 1');
    return;
}

sub ready
{
    my ($road) = @_;
    return if $road eq 'rollback';
    $migration->follow unless $migration->{applier} && $migration->{applier}->is_running;
    $migration->wait_until_caught_up;
    return;
}

sub each_step
{
    my ($road, $here, $there, @some) = @_;
    my %some = map { $_ => 1 } @some;
    my $server = $here eq 'source' ? $source : $target;
    foreach my $one (grep { !$_->[1] && ($ENV{PENSTOCK_EVERY_STEP} || $some{$_->[0]}) } steps($road)) {
        my ($step) = @$one;
        # What comes behind the look asks nothing of a proxy: it is the release that finds it gone, and goes on.
        next if $step =~ /^(?:still|admit|release)$/;
        ready($road);
        my ($status, $command, $victim) = dies_in($road, $step);
        if ($status == 0) {
            # What comes behind the last word to the proxies does not need them any more.
            fail("$road, $step: switched, though a proxy had died before the release");
            return 0;
        }
        is($status, 3, "$road, $step: undone") or diag($command->log_tail(12));
        unlike($command->log_text, qr/may still be held/, "$road, $step: nobody may still be held");
        $writers->go_on($server, "$road, $step");
        come_back($victim);
        my @wrong = grep { leads_to($_) ne $here } @proxies;
        is(join(' ', map { $_->{name} } @wrong), '', "$road, $step: all lead to the $here");
        $migration->run($road, '--undo') if $command->log_text =~ /--undo/;
    }
    return 1;
}

# At the release, and behind it.
sub behind_release
{
    my ($road, $there, $step) = @_;
    my $server = $there eq 'source' ? $source : $target;
    ready($road);
    my ($status, $command, $victim) = dies_in($road, $step);
    $writers->go_on($server, "$road, $step");
    come_back($victim);
    if ($step =~ /^(?:release|probe)$/) {
        is($status, 1, "$road, $step: gone to its end, and what was not shown is said") or diag($command->log_tail(12));
        like($command->log_text, qr/not shown: nobody has looked through pgbouncer at 127\.0\.0\.1:@{[$victim->port]}, which has ended/, "$road, $step: by name");
    } else {
        is($status, 0, "$road, $step: gone to its end; it had been looked through before") or diag($command->log_tail(12));
    }
    my @wrong = grep { leads_to($_) ne $there } @proxies;
    is(join(' ', map { $_->{name} } @wrong), '', "$road, $step: all lead to the $there");
    return;
}

each_step('cutover', 'source', 'target', qw(hold fence point look));
behind_release('cutover', 'target', 'release');
each_step('rollback', 'target', 'source', qw(point));
behind_release('rollback', 'source', 'probe');
if ($ENV{PENSTOCK_EVERY_STEP}) {
    foreach my $step (map { $_->[0] } grep { $_->[1] } steps('cutover')) {
        behind_release('cutover', 'target', $step);
        ready('rollback');
        $migration->ok(@{$words{rollback}}, '--yes');
    }
}
$writers->end_well($source);
done_testing();
