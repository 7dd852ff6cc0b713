# Running programs, in the foreground and in the background, and waiting for what they do.
#
# Nothing here sleeps for a guessed time: waiting means looking again until a condition holds, and dying with what was
# waited for when it does not hold within the limit.
package PenstockTest::Program;

use strict;
use warnings;

use Exporter qw(import);
use IPC::Run;
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT_OK = qw(background run_program wait_until);

my @started;

# The path of one of our programs in the build that is tested.
sub path
{
    my ($name) = @_;
    my $path = "$ENV{PENSTOCK_BUILD}/bin/$name";
    die "$path is not there: build it, or set PENSTOCK_BUILD\n" unless -x $path;
    return $path;
}

# wait_until(WHAT, CONDITION, LIMIT in seconds): returns the first true value of CONDITION->().
sub wait_until
{
    my ($what, $condition, $limit) = @_;
    $limit //= $PostgreSQL::Test::Utils::timeout_default;
    my $end = time + $limit;
    while (time < $end) {
        my $value = $condition->();
        return $value if $value;
        usleep(20_000);
    }
    die "gave up after $limit seconds waiting for: $what\n";
}

# run_program(COMMAND …): {status, stdout, stderr}; status is the exit status, or "signal N".
sub run_program
{
    my @command = @_;
    my ($stdout, $stderr) = ('', '');
    note("running: @command");
    eval {
        my $timeout = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default * 4);
        IPC::Run::run(\@command, '<', \undef, '>', \$stdout, '2>', \$stderr, $timeout);
        1;
    } or die "@command: $@\n$stderr";
    my $status = _status($?);
    note("status $status\n$stdout$stderr");
    _report_sanitizer("@command", $stderr);
    return {status => $status, stdout => $stdout, stderr => $stderr};
}

# background(NAME, COMMAND …): starts the command with its output in a log of that name.
sub background
{
    my ($name, @command) = @_;
    my $test = $PostgreSQL::Test::Utils::test_logfile;
    $test =~ s{.*/regress_log_}{};
    my $count = grep { $_->{name} eq $name } @started;
    my $log = "$PostgreSQL::Test::Utils::log_path/${test}_$name" . ($count ? '_' . ($count + 1) : '') . '.log';
    my $self = bless {name => $name, log => $log, command => [@command]}, __PACKAGE__;
    unlink($log);
    $self->start;
    push @started, $self;
    return $self;
}

# Starts it, again if it has ended before; the log is continued. Returns once the program runs: a signal that came sooner
# would meet a copy of the test, whose handlers stop the servers. The pipe closes when the program takes over.
sub start
{
    my ($self) = @_;
    die "$self->{name} runs already\n" if $self->is_running;
    note("starting $self->{name}: @{$self->{command}}");
    open(my $log, '>>', $self->{log}) or die "$self->{log}: $!\n";
    pipe(my $running, my $starting) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP PIPE);
        setpgrp(0, 0);
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>&', $log);
        open(STDERR, '>&', $log);
        chdir $PostgreSQL::Test::Utils::tmp_check;
        exec { $self->{command}[0] } @{$self->{command}} or print STDERR "$self->{command}[0]: $!\n";
        POSIX::_exit(127);
    }
    close($starting);
    readline($running);
    $self->{pid} = $pid;
    delete $self->{status};
    return $self;
}

sub pid
{
    return $_[0]{pid};
}

sub is_running
{
    my ($self) = @_;
    return 0 unless defined $self->{pid} && !defined $self->{status};
    if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
        $self->{status} = _status($?);
        _report_sanitizer($self->{name}, $self->log_text);
    }
    return !defined $self->{status};
}

# The exit status, or "signal N"; undef while it runs.
sub status
{
    my ($self) = @_;
    return $self->is_running ? undef : $self->{status};
}

# Waits until it has ended by itself; returns its status.
sub wait
{
    my ($self, $limit) = @_;
    wait_until("the end of $self->{name}", sub { !$self->is_running }, $limit);
    return $self->{status};
}

# Asks it to end; returns its status.
sub stop
{
    my ($self, $signal) = @_;
    kill($signal // 'TERM', $self->{pid}) if $self->is_running;
    return $self->wait;
}

# Kills it and whatever it has started, without warning.
sub kill9
{
    my ($self) = @_;
    kill('KILL', -$self->{pid}) if defined $self->{pid};
    $self->wait if defined $self->{pid};
    return;
}

sub log_text
{
    my ($self) = @_;
    return PostgreSQL::Test::Utils::slurp_file($self->{log});
}

# A test that its log has that pattern, now or before it ends.
sub says
{
    my ($self, $pattern, $name) = @_;
    wait_until("$self->{name} to say $pattern", sub { $self->log_text =~ $pattern || !$self->is_running });
    return like($self->log_text, $pattern, $name);
}

sub log_tail
{
    my ($self, $count) = @_;
    my @lines = split /\n/, $self->log_text;
    $count //= 25;
    splice(@lines, 0, @lines - $count) if @lines > $count;
    return join("\n", @lines);
}

sub diag_logs
{
    foreach my $program (@started) {
        diag("last lines of $program->{log}:\n" . $program->log_tail);
    }
    return;
}

sub _status
{
    my ($wait_status) = @_;
    return 'signal ' . ($wait_status & 127) if $wait_status & 127;
    return $wait_status >> 8;
}

# A sanitizer's report fails the test, whatever the program's status was.
sub _report_sanitizer
{
    my ($who, $text) = @_;
    return unless $text =~ /(^.*(?:ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:)(?s:.{0,4000}))/m;
    my $report = $1;
    fail("no sanitizer report from $who");
    diag($report);
    return;
}

END {
    my $status = $?;
    foreach my $program (@started) {
        kill('KILL', -$program->{pid}) if defined $program->{pid};
        waitpid($program->{pid}, 0) if $program->is_running;
    }
    diag_logs() if $status != 0 || !PostgreSQL::Test::Utils::all_tests_passing();
    $? = $status;
}

1;
