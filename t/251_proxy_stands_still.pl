# One of two PgBouncers stands still in a step of the switch (its process stopped, its host frozen): it takes connections and answers
# nothing; or the host with its files is cut off. The hold ends at its limit, and the clients of the other go on though nothing can be
# had from the first; when it wakes, its own go on as well, by the same command or by the next.
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
# The files of the second are behind a command, which can be made to hang.
my $folder = PostgreSQL::Test::Utils::tempdir('host');
write_file("$folder/reach", <<'SH');
#!/bin/sh
# reach FOLDER FILE read|write
while [ -e "$1/cut" ]; do sleep 0.1; done
case $3 in
read) cat "$2" ;;
write) cat >"$2.new" && [ "$(wc -c <"$2.new")" -eq "$PENSTOCK_BYTES" ] && mv "$2.new" "$2" ;;
esac
SH
chmod(0755, "$folder/reach");
my $far = 'pgbouncer:' . $stands->admin_uri . ",config=exec:$folder/reach $folder " . $stands->config;
my @cutover = ($migration->cutover_words($well), '--proxy' => $far, '--drain-limit' => 2, '--hold-limit' => $limit, '--yes');

my $process = sub { kill($_[0], $stands->process->pid) };
my $files = sub { $_[0] eq 'STOP' ? write_file("$folder/cut", '') : unlink("$folder/cut") };
# Up to the last step that asks for what stands still all is undone; behind it, everybody goes on at the target.
my @cases = $ENV{PENSTOCK_EVERY_STEP}
  ? ((map { [$_, $process, $source] } qw(hold fence point prove look)), ['admit', $process, $target],
    (map { ["$_, files", $files, $source] } qw(hold fence point)), (map { ["$_, files", $files, $target] } qw(prove admit)))
  : (['hold', $process, $source], ['point', $process, $source], ['point, files', $files, $source], ['admit, files', $files, $target]);

sub all_lead_to
{
    my ($server, $name) = @_;
    my $version = $server == $source ? 11 : 14;
    foreach my $proxy ($well, $stands) {
        like($proxy->run($proxy->uri('app'), 'SHOW server_version')->{stdout}, qr/^$version/, "$name: $proxy->{name} leads to the " . $server->name);
    }
    $writers->go_on($server, $name);
    return;
}

foreach my $case (@cases) {
    my ($name, $what, $server) = @$case;
    my ($step) = $name =~ /^(\w+)/;
    my $command = $journal->stand_at("cutover $step begin", $migration->command(@cutover));
    my $rows = $writers->rows($server);
    $what->('STOP');
    my $began = time;
    $journal->go_on;
    # Those that the other has under way now are some; these are more.
    wait_until("$name: the clients of the other to go on", sub { $writers->rows($server) > $rows + 50 });
    my $took = time - $began;
    cmp_ok($took, '<', $limit + $patience, "$name: they were not held for the one that stands still");
    note("$name: went on after $took s");
    $what->('CONT');
    my $status = $command->wait;
    if ($server == $source) {
        is($status, 3, "$name: undone") or diag($command->log_tail(12));
        $migration->ok('cutover', '--undo', '--yes') if $command->log_text =~ /--undo/;
        all_lead_to($source, $name);
        next;
    }
    $migration->ok('cutover', '--resume', '--yes') if $status != 0;
    all_lead_to($target, $name);
    $migration->ok($migration->rollback_words($well), '--proxy' => $far, '--yes');
    all_lead_to($source, "$name, and back");
    $migration->follow;
    $migration->wait_until_caught_up;
}
$migration->ok(@cutover);
$writers->go_on($target, 'after a switch');
$writers->end_well($target);
done_testing();
