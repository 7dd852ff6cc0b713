# One of two PgBouncers stands still in a step of the switch (its process stopped, its host frozen): it takes connections and answers
# nothing. The hold ends at its limit, and the clients of the other go on though nothing can be had from the first; when it wakes, its
# own go on as well, by the same command or by the next.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;
use PenstockTest::Writers;
use Time::HiRes qw(time);

my $limit = 3;
# What the undo may wait for one that does not answer, and a machine with other work.
my $patience = 15;

my $source = start_source('source', conf => 'fsync = off');
my $target = start_target('target', conf => 'fsync = off');
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
my $journal = PenstockTest::Journal->new($target, 'app');
my ($well, $stands) =
  map { PenstockTest::PgBouncer->start_with($_, databases => 'app = host=127.0.0.1 port=' . $source->port . "\n") } qw(well stands);
$_->run($_->uri('app'), 'SELECT 1') foreach $well, $stands;
$writers->start("load_$_->{name}", $_->uri('app'), '--rate=50', '--client=4') foreach $well, $stands;
$migration->follow;
$migration->wait_until_caught_up;
my @cutover = ($migration->cutover_words($well, $stands), '--drain-limit' => 2, '--hold-limit' => $limit, '--yes');

foreach my $step ($ENV{PENSTOCK_EVERY_STEP} ? qw(hold fence point prove look admit) : qw(hold point)) {
    my $command = $journal->stand_at("cutover $step begin", $migration->command(@cutover));
    my $stopped = $stands->process->pid;
    my $rows = $writers->rows($source);
    kill('STOP', $stopped);
    my $began = time;
    $journal->go_on;
    # Those that the other has under way now are some; these are more.
    wait_until("$step: the clients of the other to go on", sub { $writers->rows($source) > $rows + 50 });
    my $took = time - $began;
    cmp_ok($took, '<', $limit + $patience, "$step: they were not held for the one that stands still");
    note("$step: went on after $took s");
    kill('CONT', $stopped);
    is($command->wait, 3, "$step: undone") or diag($command->log_tail(12));
    $migration->ok('cutover', '--undo', '--yes') if $command->log_text =~ /--undo/;
    foreach my $proxy ($well, $stands) {
        like($proxy->run($proxy->uri('app'), 'SHOW server_version')->{stdout}, qr/^11/, "$step: $proxy->{name} serves, and leads to the source");
    }
    $writers->go_on($source, $step);
}
$migration->ok(@cutover);
$writers->go_on($target, 'after a switch');
$writers->end_well($target);
done_testing();
