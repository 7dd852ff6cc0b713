# A gate whose command is gone does not hold for ever: past the hold limit its clients go on where they came from, without an
# error, and an undo afterwards finds everything.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Pgcat;
use PenstockTest::Writers;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
my $proxy = PenstockTest::Pgcat->start_new('pgcat', scalar PenstockTest::Pgcat::real(), 'app', $source);
my $config = slurp_file($proxy->config);
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;
$writers->start('load', $proxy->uri('app'));
$writers->go_on($source, 'before');

# Processes end while one looks.
sub slurp_or_nothing
{
    my ($path) = @_;
    open(my $file, '<', $path) or return '';
    local $/;
    return readline($file) // '';
}

my $config_path = $proxy->config;

# Who is at work beside the proxy keeps the command in its drain, with clients in the gate.
my $blocker = PenstockTest::Blocker->start($source, 'app', 'SELECT', $source->uri('app', tcp => 1, user => 'app'));
my @cutover = ($migration->cutover_words($proxy), '--yes');
my $command = background('cutover', $migration->command(@cutover, '--hold-limit', '3', '--drain-limit', '60',
    '--max-transaction-age', '3600'));
wait_until('clients to be held', sub {
    die "the cutover has ended:\n" . $command->log_text . "\n" unless $command->is_running;
    return $target->sql('app', q{SELECT count(*) FROM penstock.journal WHERE step = 'drain' AND event = 'begin'}) > 0;
});
my $shown = slurp_file('/proc/' . $command->pid . '/cmdline');
like($shown, qr{pgcat:postgresql://admin:\*+@}, 'the process list shows the proxy');
unlike($shown, qr/secret/, 'and not its password');
# It and the helper that would undo: all that have this file on their command line, but for the gate itself.
my @gates = $proxy->gates;
my @commands = grep { my $pid = $_; !grep { $_ == $pid } @gates }
  grep { slurp_or_nothing("/proc/$_/cmdline") =~ /\0cutover\0.*\Q$config_path\E/s } map { m{/proc/(\d+)} } glob('/proc/[0-9]*');
ok(scalar(grep { $_ == $command->pid } @commands), 'the command is among them');
kill('KILL', @commands);
$command->kill9;
my $held = $writers->rows($source);
$writers->go_on($source, 'nobody undid it');
like(slurp_file($proxy->config . '.penstock-gate.log'), qr/command that holds is gone/, 'the gate says so in its log');
ok(scalar $proxy->gates, 'it is still in the way');

$blocker->end;
$migration->ok(@cutover, '--undo');
is(slurp_file($proxy->config), $config, 'after an undo the file is as before');
ok(!-e $proxy->config . '.penstock-gate', 'nothing is held');
$writers->go_on($source, 'after the undo');
$writers->end_well($source);
done_testing();
