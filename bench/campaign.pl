# What bench/campaign runs: see there.
use strict;
use warnings;

use FindBin;

use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;
use PenstockTest::Forwarder;
use PenstockTest::Pgcat;
use Time::HiRes qw(time usleep);

my ($rounds, $seed, $kind, $wanted) = @ARGV;
srand($seed);
$| = 1;

my $hold_limit = 8;
my $clients = 6;
my $held_limit = $hold_limit + 25;    # until the helper, or the gate, must have let everybody go

# --- the world ---

my ($source, $target, $proxy, %forwarder, $migration, $follow, %known);
my ($round, $writers, $acks, $first_client) = (0);
my $bad_rounds = 0;
my $disk = $ENV{CAMPAIGN_DISK};

sub make_world
{
    my $conf = "fsync = off\nwal_retrieve_retry_interval = 200ms\nmax_wal_size = 128MB\nmin_wal_size = 48MB\nlog_statement = none\nrestart_after_crash = on\n";
    $source = start_source('source', conf => $conf);
    $target = start_target('target', conf => $conf);
    if ($disk) {
        $target->stop;
        my $folder = $target->data_dir;
        system('mv', $folder, "$disk/pgdata") == 0 or die "mv: $?\n";
        symlink("$disk/pgdata", $folder) or die "symlink: $!\n";
        $target->start;
    }
    app_database('app', $source, $target);
    $source->sql('app', <<'SQL');
CREATE TABLE written (id bigserial PRIMARY KEY, client int, n int);
CREATE TABLE still (id int PRIMARY KEY, words text);
INSERT INTO still SELECT i, 'row ' || i FROM generate_series(1, 500) i;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
SQL
    $proxy = $kind eq 'pgcat'
      ? PenstockTest::Pgcat->start_new('proxy', PenstockTest::Pgcat::real() // die("there is no pgcat\n"), 'app', $source)
      : start_pgbouncer('proxy', app => $source);
    %forwarder = map { $_->[0] => PenstockTest::Forwarder->start_new($_->[1]) } [source => $source], [target => $target];
    $migration = migration($source, $target, database => 'app');
    $migration->ok('copy');
    keep_following();
    return;
}

sub keep_following
{
    return if $follow && $follow->is_running;
    $follow = $migration->follow;
    return;
}

# The words of a command whose ways to both servers can be cut.
sub command
{
    my ($road, @words) = @_;
    return (program('penstock'), $road, '--source' => $forwarder{source}->uri('app'), '--target' => $forwarder{target}->uri('app'),
        @words);
}

sub begin_words
{
    my ($road) = @_;
    return ('--proxy' => $proxy->option, '--max-lag' => '1000000000', '--yes', '--hold-limit' => $hold_limit, '--drain-limit' => 3,
        '--probe' => $proxy->uri('app'),
        $road eq 'cutover'
        ? ('--target-address' => $target->address, '--reverse-conninfo' => $target->uri('app', tcp => 1))
        : ('--source-address' => $source->address));
}

sub phase { return $target->sql('app', 'SELECT phase FROM penstock.migration') }

# --- clients ---

sub start_writers
{
    $first_client = ++$round * 100;
    $acks = "$ENV{TESTDIR}/acks.$round";
    $writers = background('writers', "$ENV{PENSTOCK_BUILD}/bench/bench-writers", $proxy->uri('app'), $clients, $first_client, $acks);
    return;
}

# How many answers each client has had: rows that were acknowledged.
sub answers
{
    my %count = map { $first_client + $_ => 0 } 0 .. $clients - 1;
    open(my $file, '<', $acks) or return \%count;
    while (<$file>) { $count{$1}++ if /^a (\d+) \d+\n/ }
    return \%count;
}

# All clients get answers within so many seconds; how long that took, or undef.
sub clients_go_on
{
    my ($limit) = @_;
    my ($before, $began) = (answers(), time);
    while (time < $began + $limit) {
        my $now = answers();
        return time - $began unless grep { $now->{$_} < $before->{$_} + 2 } keys %$before;
        usleep(50_000);
    }
    return undef;
}

# --- faults: each is [what happens, how it is mended]; a fault that there cannot be here gives nothing ---

sub children_named
{
    my ($name) = @_;
    my $own = $ENV{TESTDIR};
    my @found;
    foreach my $folder (glob('/proc/[0-9]*')) {
        next unless (readlink("$folder/cwd") // '') =~ /^\Q$own\E/;
        open(my $comm, '<', "$folder/comm") or next;
        push @found, $folder =~ /(\d+)$/ if <$comm> =~ /^\Q$name\E/;
    }
    return @found;
}

sub start_again
{
    my ($server) = @_;
    return sub { $server->is_alive or $server->start };
}

sub PenstockTest::Server::is_alive
{
    my ($self) = @_;
    $self->_update_pid(-1);
    return defined $self->{_pid};
}

sub stop_server
{
    my ($server, $mode) = @_;
    $server->stop($mode) if $server->is_alive;
    return;
}

sub any_backend
{
    my ($server) = @_;
    return $server->sql('postgres', q{SELECT pid FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1});
}

my %faults = (
    'none'              => sub { return (sub { }, sub { }) },
    'command killed'    => sub { my ($command) = @_; return (sub { kill('KILL', $command->pid) }, sub { }) },
    'helper killed'     => sub { return (sub { kill('KILL', $_) foreach children_named('penstock-hold') }, sub { }) },
    'terminal closed'   => sub { my ($command) = @_; return (sub { kill('HUP', $command->pid) }, sub { }) },
    'applier killed'    => sub { return (sub { $follow->kill9 }, \&keep_following) },
    'gate killed'       => sub {
        return unless $kind eq 'pgcat';
        return (sub { kill('KILL', $_) foreach (children_named('penstock-gate'))[0] // () }, sub { });
    },
    'backend ended'     => sub { my $server = rand() < 0.5 ? $source : $target;
        return (sub { my $pid = any_backend($server); $server->sql('postgres', "SELECT pg_terminate_backend($pid)") if $pid }, sub { }) },
    'backend killed'    => sub { my $server = rand() < 0.5 ? $source : $target;
        return (sub { my $pid = any_backend($server); kill('KILL', $pid) if $pid }, start_again($server)) },
    'source fast'       => sub { return (sub { stop_server($source, 'fast') }, start_again($source)) },
    'source immediate'  => sub { return (sub { stop_server($source, 'immediate') }, start_again($source)) },
    'source restarted'  => sub { return (sub { stop_server($source, 'immediate'); $source->start }, start_again($source)) },
    'target fast'       => sub { return (sub { stop_server($target, 'fast') }, start_again($target)) },
    'target immediate'  => sub { return (sub { stop_server($target, 'immediate') }, start_again($target)) },
    'target restarted'  => sub { return (sub { stop_server($target, 'immediate'); $target->start }, start_again($target)) },
    'network cut'       => sub { my $end = rand() < 0.5 ? 'source' : 'target';
        return (sub { $forwarder{$end}->silence }, sub { $forwarder{$end}->resume }) },
    'disk full'         => sub {
        return unless $disk;
        return (sub { system("cat /dev/zero >$disk/filler 2>/dev/null") }, sub { unlink("$disk/filler"); start_again($target)->() });
    },
    'proxy restarted'   => sub { return (sub { $proxy->process->kill9; $proxy->process->start; $proxy->wait_until_it_answers },
            sub { $proxy->process->is_running or $proxy->process->start }) },
);

# --- a round ---

my %steps = (
    cutover  => ['publish', 'slot', 'subscribe', 'ahead', 'lookout', ('hold', 'drain', 'fence', 'position', 'catch up', 'triggers', 'sequences',
        'snapshot', 'begin', 'open', 'point', 'prove', 'look', 'release') x 2, 'probe', 'gone', 'streams', 'switched'],
    rollback => ['stream', 'ahead', 'lookout', ('hold', 'drain', 'fence', 'position', 'catch up', 'sequences', 'begin', 'open', 'point', 'look',
        'release') x 2, 'probe', 'gone', 'back'],
);

sub ledger_text
{
    my ($file) = glob("$ENV{HOME}/.local/state/penstock/*.switch");
    return '' unless defined $file && open(my $ledger, '<', $file);
    local $/;
    return <$ledger> // '';
}

# Waits until the command has begun the step, or has ended.
sub wait_for_step
{
    my ($command, $step) = @_;
    my $line = qr/"$step"[^\n]*"begin"|\b\Q$step\E\b[^\n]*\bbegin\b/;
    while ($command->is_running) {
        return 1 if ledger_text() =~ $line;
        usleep(3_000);
    }
    return 0;
}

# What the journal says is under way: the operation whose last round was neither ended nor undone.
sub open_operation
{
    foreach my $road ('cutover', 'rollback') {
        my %last;
        foreach (split /\n/, $target->sql('app', "SELECT step, event FROM penstock.journal WHERE operation = '$road' ORDER BY id")) {
            my ($step, $event) = split /\|/;
            my $ended = $step eq ($road eq 'cutover' ? 'switched' : 'back') && $event eq 'done';
            %last = () if $ended || !grep { $_ ne 'undone' } values %last;
            $last{$step} = $event unless $ended;
        }
        return $road if grep { $_ ne 'undone' } values %last;
    }
    return undef;
}

# What an operator does who has been told to --resume or to --undo. Returns what ended it.
sub recover
{
    my @tried;
    foreach my $try (1 .. 6) {
        my $road = open_operation() // return (join(' ', @tried), 0);
        keep_following() if phase() eq 'copied';
        my $word = $try % 2 == (rand() < 0.5) ? 'undo' : 'resume';
        # What was typed is kept, but for passwords: pgcat's console has one.
        my @secrets = ('--probe' => $proxy->uri('app'), $kind eq 'pgcat' ? ('--proxy' => $proxy->option) : ());
        my $result = run_program(command($road, "--$word", @secrets));
        push @tried, "$road --$word: $result->{status}";
        $known{said} = $result->{stderr};
    }
    my $road = open_operation() // return (join(' ', @tried), 0);
    if ($road eq 'cutover') {
        my $result = run_program(command('rollback', begin_words('rollback')));
        push @tried, "rollback: $result->{status}";
        return (join(' ', @tried), 0) unless defined open_operation();
    }
    return (join(' ', @tried), 1);
}

sub rows_of
{
    my ($server) = @_;
    my %rows;
    my $last = $first_client + 99;
    $rows{$_}++ foreach split /\n/,
      $server->sql('app', "SELECT client || ' ' || n FROM written WHERE client BETWEEN $first_client AND $last");
    return \%rows;
}

# Ends the clients and compares what they were told with what is there.
sub account
{
    my ($result) = @_;
    $_->is_alive or $_->start foreach $source, $target;
    my $phase = phase();
    my ($here, $there) = $phase eq 'switched' ? ($target, $source) : ($source, $target);
    $writers->stop;
    my $said = $writers->log_text;
    @{$result}{qw(acknowledged errors unanswered longest)} =
      $said =~ /^acknowledged (\d+) errors (\d+) unanswered (\d+) longest ([\d.]+)/m or die "the writers said: $said\n";
    $result->{kinds} = [map { s/^ +//r } grep { /^ *\d/ } split /\n/, $said];
    my $rows = rows_of($here);
    my %told;
    open(my $file, '<', $acks) or die "$acks: $!\n";
    while (<$file>) { $told{$2} = $1 if /^([ad]) (\d+ \d+)\n/ }
    close($file);
    unlink($acks);
    my @lost = grep { $told{$_} eq 'a' && !$rows->{$_} } keys %told;
    $result->{lost} = @lost;
    $result->{doubled} = grep { $rows->{$_} > 1 } keys %$rows;
    $result->{unknown} = grep { !$told{$_} } keys %$rows;
    $result->{lost_elsewhere} = @lost ? scalar grep { rows_of($there)->{$_} } @lost : 0;
    my $baseline = $here->sql('app', "SELECT count(*) FROM written WHERE client < $first_client");
    $result->{lost} += ($known{rows} // 0) - $baseline if $baseline < ($known{rows} // 0);
    $known{rows} = $here->sql('app', 'SELECT count(*) FROM written');
    $result->{differ} = same_contents($here, $there) ? 0 : 1;
    return;
}

my $contents = q{SELECT (SELECT count(*) || ' ' || coalesce(sum(hashtext(w::text)), 0) FROM written w) || ' '
    || (SELECT count(*) || ' ' || coalesce(sum(hashtext(s::text)), 0) FROM still s)};
sub same_contents
{
    my ($here, $there) = @_;
    my $end = time + 40;
    my $wanted = $here->sql('app', $contents);
    while (time < $end) {
        return 1 if $there->sql('app', $contents) eq $wanted;
        keep_following() if phase() eq 'copied';
        usleep(100_000);
    }
    return 0;
}

sub one_round
{
    my $phase = phase();
    my $road = $phase eq 'switched' ? 'rollback' : 'cutover';
    my @names = grep { /^(?:$wanted)$/ } sort keys %faults;
    my ($name, $happens, $mend);
    until ($happens) {
        $name = $names[rand @names];
        ($happens, $mend) = $faults{$name}->(undef);
    }
    my $step = $steps{$road}[rand @{$steps{$road}}];
    my %result = (seed => $seed, round => $round + 1, proxy => $kind, road => $road, fault => $name, step => $step);
    delete $known{said};
    keep_following() if $road eq 'cutover';
    $migration->wait_until_caught_up if $road eq 'cutover';
    start_writers();
    defined clients_go_on(30) or die "clients do not write at the begin of round $round\n";
    my $began = time;
    my $command = background($road, command($road, begin_words($road)));
    if ($name =~ /command|terminal/) {
        ($happens, $mend) = $faults{$name}->($command);
    }
    $result{reached} = wait_for_step($command, $step) ? 1 : 0;
    if ($result{reached}) {
        usleep(rand(150) * 1000);
        $happens->();
    }
    my $down = $name =~ /fast|immediate|cut|full/ ? rand(4) : 0;
    my $mended = 0;
    while ($command->is_running && time < $began + 90) {
        if (!$mended && $result{reached} && $name =~ /cut|full|fast|immediate/ && time > $began + 6 + $down) {
            $mend->();
            $mended = 1;
        }
        usleep(20_000);
    }
    if ($command->is_running) {
        $result{hangs} = 1;
        $command->kill9;
    }
    $result{status} = $command->status;
    $mend->();
    $result{held} = defined clients_go_on($held_limit) ? 0 : 1;
    wait_until('the helper to end', sub { !children_named('penstock-hold') }, 200);
    my ($tried, $dead_end) = recover();
    # What is said to be left on a source that had died.
    if (join("\n", $command->log_text, $known{said} // '') =~ /When it is there again, on it: (.*)/) {
        $source->is_alive or $source->start;
        $source->sql('app', $_) foreach map { "SET default_transaction_read_only = off; $_" } grep { !/^SET/ } split /; /, $1;
        $tried .= ' by hand on the source';
    }
    @result{qw(recovered dead_end)} = ($tried, $dead_end);
    $result{stopped} = defined clients_go_on(30) ? 0 : 1;
    $result{outcome} = phase() eq $phase ? 'undone' : $road eq 'cutover' ? 'switched' : 'back';
    account(\%result);
    $result{seconds} = sprintf('%.1f', time - $began);
    my $bad = grep { $result{$_} } qw(held dead_end stopped lost doubled unknown differ hangs);
    $bad_rounds += $bad > 0;
    if ($bad) {
        $result{log} = $command->log_tail(30);
        $result{said} = $known{said};
    }
    open(my $file, '>>', $ENV{CAMPAIGN_RESULTS}) or die "$ENV{CAMPAIGN_RESULTS}: $!\n";
    print $file encode_json(\%result) . "\n";
    close($file);
    printf "%3d %-8s %-17s at %-9s %s status %s%s -> %s; longest %s s, errors %d%s\n", $round, $road, $name, $step,
      $result{reached} ? 'reached' : 'missed ', $result{status}, $tried ne '' ? ", $tried" : '', $result{outcome}, $result{longest},
      $result{errors}, $bad ? '  BAD: ' . join(' ', map { $result{$_} ? "$_ $result{$_}" : () } qw(held dead_end stopped lost doubled unknown differ hangs)) : '';
    die "the world cannot go on after this round\n" if $dead_end || $result{differ} || phase() !~ /^(copied|switched)$/;
    return;
}

make_world();
one_round() foreach 1 .. $rounds;
$follow->stop;
is($bad_rounds, 0, 'all rounds ended as they should');
done_testing();
