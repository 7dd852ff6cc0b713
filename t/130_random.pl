# Whatever transactions of whatever tables do at the source, the target ends with the same rows; however the applier is set,
# and whoever of applier and target is killed meanwhile. Schemas, transactions, settings and disasters are made by chance.
#
# The seed is printed. From the environment:
#   SEED                     runs that seed first, and seeds that follow from it
#   PENSTOCK_RANDOM_SECONDS  how long new worlds are begun (60)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Random;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{PENSTOCK_RANDOM_SECONDS} || 60;
my $seed = $ENV{SEED} || (time * 1000 + $$) % 1_000_000;
my $rounds = 4;
my $sessions = 3;

my $source = start_source('source', conf => "deadlock_timeout = 50\nfsync = off");
my $target = start_target('target', conf => "deadlock_timeout = 200\nfsync = off");

# Settings of one run of the applier.
sub settings
{
    my ($random) = @_;
    return (
        '--workers' => $random->pick(1, 1, 2, 3, 5, 8),
        '--',
        '--batch-rows' => $random->pick(1, 3, 20, 300, 5000),
        '--copy-rows' => $random->pick(1, 2, 50, 3000),
        '--batch-bytes' => $random->pick('1024', '64kB', '8MB'),
        '--linger' => $random->pick(0, 1, 20, 100),
        '--memory' => $random->pick('8MB', '128MB'),
        '--source-memory' => $random->pick(0, '1MB', '256MB'),
        '--source-read-ahead' => $random->pick(0, 1, 30, 4096),
        '--status-interval' => $random->pick(10, 200, 1000),
    );
}

# What befalls applier and target, at any moment: chance is the point of the pause before it.
sub disaster
{
    my ($random, $migration) = @_;
    my $applier = $migration->{applier};
    usleep(1000 * $random->below(700));
    my $kind = $random->pick(qw(kill kill stop crash crash both terminate));
    note("disaster: $kind");
    if ($kind eq 'terminate') {
        $target->sql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'penstock %'});
        return;
    }
    $applier->kill9 if $kind eq 'kill' || $kind eq 'both';
    # One that has only just begun does not listen yet: the signal ends it all the same.
    like($applier->stop, qr/^(?:0|signal 15)$/, 'the applier stops when it is asked to') if $kind eq 'stop';
    $target->crash_and_restart if $kind eq 'crash' || $kind eq 'both';
    return if $kind eq 'crash';
    if (!$applier->is_running) {
        $migration->follow(settings($random));
    }
    return;
}

# Some clients at work, disasters while they are; then both sides are compared.
sub one_round
{
    my ($random, $migration, $round, @tables) = @_;
    my $database = $migration->{database};
    my @clients =
      map { $source->script($database, "client_$_", $random->session($_ + 10 * $round, 40 + $random->below(80), @tables)) } 1 .. $sessions;
    my $left = $random->pick(0, 1, 2, 3);
    while ($left-- > 0 || grep { $_->is_running } @clients) {
        $left < 0 ? usleep(20_000) : disaster($random, $migration);
        return 0 unless $migration->applier_runs;
    }
    return 0 unless eval { $migration->wait_until_caught_up; 1 } || ($migration->applier_runs && die $@);
    return same_rows($source, $target, $database, "round $round");
}

# The copy, while clients are at work; killed at any moment, with all that it has begun, and begun again: each run has another
# snapshot, and the stream beside from the second on.
sub copied
{
    my ($random, $migration, $lanes, @tables) = @_;
    my @copy = ('copy', '--lanes' => $lanes, '--cycle' => 1, '--jobs' => $random->pick(1, 2, 4));
    my @clients = map { $source->script($migration->{database}, "copy_client_$_", $random->session(90 + $_, 60, @tables)) } 1 .. 2;
    foreach my $kill (1 .. $random->pick(0, 1, 2, 4)) {
        my $copy = background('copy', $migration->command(@copy));
        usleep(1000 * $random->below(1500));
        last if !$copy->is_running;
        note('disaster: the copy is killed');
        $copy->kill9;
        $target->crash_and_restart if $random->below(4) == 0;
    }
    my $copied = $target->sql($migration->{database}, q{SELECT to_regclass('penstock.migration') IS NOT NULL}) eq 't'
      && $target->sql($migration->{database}, 'SELECT phase FROM penstock.migration') eq 'copied';
    $migration->ok(@copy) if !$copied;
    $_->wait foreach @clients;
    return;
}

# One schema, copied and then followed through some rounds.
sub world
{
    my ($number) = @_;
    my $random = PenstockTest::Random->new($number);
    my $database = "world_$number";
    my $lanes = $random->pick(1, 2, 3, 16, 16);
    my @tables = $random->tables(4 + $random->below(7));
    $_->sql('postgres', "CREATE DATABASE $database") foreach $source, $target;
    $target->sql('postgres', "ALTER DATABASE $database SET synchronous_commit = " . $random->pick('off', 'on'));
    my $migration = migration($source, $target, database => $database, ddl => 'off'); # the target is defined otherwise, by hand
    $source->sql($database, $random->schema_sql(@tables));
    $source->script($database, 'client_0', $random->session(0, 60, @tables))->wait;
    copied($random, $migration, $lanes, @tables);
    $migration->follow(settings($random));
    $migration->wait_until_caught_up;
    my $good = same_rows($source, $target, $database, 'after the copy');
    $migration->{applier}->stop;
    $target->sql($database, $random->bend_sql(@tables));
    $migration->follow(settings($random));
    for (my $round = 1; $good && $round <= $rounds; $round++) {
        $good = one_round($random, $migration, $round, @tables);
    }
    $migration->{applier}->stop;
    diag("it went wrong with SEED=$number") unless $good;
    return unless $good;
    $migration->ok('finish', '--abandon');
    $_->sql('postgres', "DROP DATABASE $database") foreach $source, $target;
    return 1;
}

my $end = time + $seconds;
my $worlds = 0;
my $good = 1;
while ($good && time < $end) {
    diag("SEED=$seed");
    $good = subtest "world of seed $seed" => sub { world($seed) or fail('this world holds') };
    $worlds++;
    $seed++;
}
note("$worlds worlds");
done_testing();
