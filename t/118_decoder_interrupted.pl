# A walsender that is ended in the middle of a turn, or of a large transaction, by whatever may end it, while its reader takes
# nothing: it goes, the server stops when it is told to, and the next reader gets what is missing.
use strict;
use warnings;

use File::Temp qw(tempfile);
use FindBin;
use IPC::Run qw(start);
use POSIX ();
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $small = 4_000;     # transactions of one row of a kilobyte: turns
my $large = 8_000;    # rows of as much in one transaction
my $in_turns = 65_536; # bytes after which the reader stops taking
my $in_large = 6_500_000;

# The commits in frames as they were written, and whether all of them are whole.
sub commits
{
    my ($frames) = @_;
    my ($file, $name) = tempfile(UNLINK => 1);
    binmode($file);
    print {$file} $frames;
    close($file);
    my $dumped = run_program(program('penstock-applier'), '--dump', $name);
    my %commits = map { $_ => 1 } $dumped->{stdout} =~ /^commit (\S+) end /mg;
    return (\%commits, scalar(() = $dumped->{stdout} =~ /^insert /mg));
}

sub recvlogical
{
    my ($server, $slot, $to, @options) = @_;
    return [$server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'), "--slot=$slot", '--start', '--no-loop',
        "--file=$to", '--option=read_ahead=4096', '--option=compression=none', '--option=frame_size=64kB', @options];
}

# A reader that has taken so many bytes and takes no more.
sub hold
{
    my ($server, $slot, $bytes) = @_;
    my $pipe = $server->basedir . "/$slot";
    POSIX::mkfifo($pipe, 0600) or BAIL_OUT("mkfifo: $!");
    my ($out, $err) = ('', '');
    my $reader = start(recvlogical($server, $slot, $pipe, '--status-interval=0'), '<', \undef, '>', \$out, '2>', \$err);
    open(my $file, '<:raw', $pipe) or BAIL_OUT("$pipe: $!");
    my $frames = '';
    while (length($frames) < $bytes) {
        read($file, $frames, 65_536, length($frames)) or BAIL_OUT("the reader of $slot has ended: $err");
    }
    return {reader => $reader, file => $file, frames => $frames};
}

# All that the reader had on its way; it is gone then.
sub let_go
{
    my ($held) = @_;
    local $/;
    my $rest = readline($held->{file});
    eval { $held->{reader}->finish; 1 } or note("the reader: $@");
    return $held->{frames} . ($rest // '');
}

sub walsender_is_gone
{
    my ($server, $slot) = @_;
    wait_until("the walsender of $slot to be gone",
        sub { $server->sql('postgres', "SELECT active FROM pg_replication_slots WHERE slot_name = '$slot'") eq 'f' });
    return;
}

my %ends = (
    # It says so to its reader, and waits until that has taken it: which no reader of a server can be spared.
    killed => sub {
        my ($server, $slot) = @_;
        $server->sql('postgres', "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '$slot'");
    },
    timeout => sub { walsender_is_gone(@_) },
    map { my $mode = $_; ($mode => sub { my ($server) = @_; $server->stop($mode); $server->start }) } qw(fast smart immediate),
);

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major, conf => "autovacuum = off\nwal_sender_timeout = 0");
    my $sql = sub { $server->sql('postgres', $_[0]) };
    note("PostgreSQL $major");
    my @cases = map { ["${_}_in_turns", $_, $in_turns], ["${_}_in_large", $_, $in_large] } sort keys %ends;
    $sql->('CREATE TABLE t (id int, v text)');
    $sql->("SELECT pg_create_logical_replication_slot('$_->[0]', 'penstock')") foreach @cases;
    $sql->(<<"SQL");
SET synchronous_commit = off;
DO \$\$ BEGIN FOR i IN 1 .. $small LOOP INSERT INTO t VALUES (i, repeat('x', 1000)); COMMIT; END LOOP; END \$\$;
INSERT INTO t SELECT -i, repeat('y', 1000) FROM generate_series(1, $large) i;
SQL
    my $end = $server->mark('postgres');

    foreach my $case (@cases) {
        my ($slot, $how, $bytes) = @{$case};
        $sql->('ALTER SYSTEM SET wal_sender_timeout = ' . ($how eq 'killed' || $how eq 'immediate' ? 0 : q{'1s'}));
        $server->reload;
        my $held = hold($server, $slot, $bytes);
        $ends{$how}->($server, $slot);
        my $frames = let_go($held);
        walsender_is_gone($server, $slot);
        my ($seen, $rows) = commits($frames);
        cmp_ok($rows, '<', $small + $large, "$slot: it ended in the middle");
        cmp_ok($rows, $bytes == $in_large ? '>' : '<', $small, 'and there');

        $sql->('ALTER SYSTEM SET wal_sender_timeout = 0');
        $server->reload;
        my (undef, $name) = tempfile(UNLINK => 1);
        my $received = run_program(@{recvlogical($server, $slot, $name, "--endpos=$end")});
        is($received->{status}, 0, 'the next reader is through') or diag($received->{stderr});
        my ($after) = commits(slurp_file($name));
        my %all = (%{$seen}, %{$after});
        is(scalar keys %all, $small + 1, 'and nothing is missing');
        $sql->("SELECT pg_drop_replication_slot('$slot')");
    }
    $server->stop;
}

done_testing();
