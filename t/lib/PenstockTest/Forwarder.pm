# A process that forwards one TCP port to a server, and can stop forwarding without a word, as a network does that is cut:
# connections stay, and nothing comes through.
#
#   my $forwarder = PenstockTest::Forwarder->start_new($server);
#   … $forwarder->uri('postgres') …
#   $forwarder->silence;    # from now on nothing passes, neither on old nor on new connections
#   $forwarder->resume;
#
#   my $short = PenstockTest::Forwarder->start_new($server, most => 1_000_000);
#                           # of each connection so many bytes pass from the server to the client, and then none
#   my $slow = PenstockTest::Forwarder->start_new($server, rate => 10_000_000);   # bytes a second from the server, of each connection
#   my $far = PenstockTest::Forwarder->start_new($server, delay => 0.025);    # each byte comes 25 ms late, both ways
#   my $counts = PenstockTest::Forwarder->start_new($server, turns => $file);
#   … $counts->turns …      # what the clients have said after hearing the server: as many ways there and back. Each is the first
#                           # words of it, and the number of its connection
package PenstockTest::Forwarder;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

# What has been read and not passed on, for one direction, above which nothing more is read.
my $most_bytes = 1024 * 1024;

my @started;

sub start_new
{
    my ($class, $server, %options) = @_;
    my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', LocalPort => 0) or die "listen: $!\n";
    my $port = $listener->sockport;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        eval {
            if    ($options{delay}) { _forward_late($listener, $server->port, $options{delay}) }
            elsif ($options{rate})  { _forward_slowly($listener, $server->port, $options{rate}) }
            else                    { _forward($listener, $server->port, @options{qw(most turns)}) }
        };
        POSIX::_exit(0);
    }
    close($listener);
    my $self = bless {pid => $pid, port => $port, turns => $options{turns}}, $class;
    push @started, $self;
    return $self;
}

sub uri
{
    my ($self, $database) = @_;
    return sprintf('postgresql://%s@127.0.0.1:%d/%s?sslmode=disable', scalar getpwuid($<), $self->{port}, $database);
}

sub silence
{
    return kill('STOP', $_[0]{pid});
}

sub resume
{
    return kill('CONT', $_[0]{pid});
}

# A list of [CONNECTION, FIRST WORDS], in their order.
sub turns
{
    my ($self) = @_;
    open(my $file, '<', $self->{turns}) or die "$self->{turns}: $!\n";
    return map { chomp; [split(/\t/, $_, 2)] } <$file>;
}

sub stop
{
    my ($self) = @_;
    return unless defined $self->{pid};
    kill('KILL', $self->{pid});
    waitpid($self->{pid}, 0);
    delete $self->{pid};
    return;
}

sub _forward
{
    my ($listener, $port, $most, $turns) = @_;
    my $select = IO::Select->new($listener);
    my (%other, %left, %client, %said);
    my ($connections, $notes) = (0);
    if (defined $turns) {
        open($notes, '>', $turns) or die "$turns: $!\n";
        $notes->autoflush(1);
    }
    for (;;) {
        foreach my $ready ($select->can_read) {
            if ($ready == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or next;
                ($other{$client}, $other{$server}) = ($server, $client);
                $left{$server} = $most if defined $most;
                $client{$client} = ++$connections;
                $select->add($client, $server);
                next;
            }
            my $to = $other{$ready} or next;
            my $count = sysread($ready, my $data, 65536);
            if ($count && defined $notes) {
                _note_turn($notes, $client{$ready}, $data) if $client{$ready} && !$said{$ready}++;
                delete $said{$to};
            }
            if ($count && defined $left{$ready} && ($left{$ready} -= $count) < 0) {
                $select->remove($ready);
                next;
            }
            next if $count && _write_all($to, $data);
            $select->remove($ready, $to);
            delete @{$_}{$ready, $to} foreach \%other, \%client, \%said;
            close($_) foreach $ready, $to;
        }
    }
    return;
}

sub _note_turn
{
    my ($file, $connection, $data) = @_;
    my ($words) = map { tr/ -~//cdr } substr($data, 0, 4000);
    print $file "$connection\t$words\n";
    return;
}

sub _write_all
{
    my ($to, $data) = @_;
    for (my $sent = 0; $sent < length $data;) {
        $sent += syswrite($to, $data, length($data) - $sent, $sent) // return 0;
    }
    return 1;
}

# A process for each connection: one whose client does not read for a moment must not hold up the others, as it would in one loop.
sub _forward_slowly
{
    my ($listener, $port, $rate) = @_;
    $SIG{CHLD} = 'IGNORE';
    while (my $client = $listener->accept) {
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            close($listener);
            eval { _carry_slowly($client, $port, $rate) };
            POSIX::_exit(0);
        }
        close($client);
    }
    return;
}

# Until one of the two ends it.
sub _carry_slowly
{
    my ($client, $port, $rate) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return;
    my $select = IO::Select->new($client, $server);
    my $due = time;
    for (;;) {
        foreach my $ready ($select->can_read) {
            my $count = sysread($ready, my $data, 65536) or return;
            _write_all($ready == $server ? $client : $server, $data) or return;
            next unless $ready == $server;
            my $earliest = time - 0.1;    # what was not used does not add up
            $due = ($due > $earliest ? $due : $earliest) + $count / $rate;
            my $rest = $due - time;
            Time::HiRes::sleep($rest) if $rest > 0;
        }
    }
    return;
}

# Each piece waits in the queue of its direction until it is due.
sub _forward_late
{
    my ($listener, $port, $delay) = @_;
    my ($readers, $writers) = (IO::Select->new($listener), IO::Select->new);
    my (%other, %queue, %bytes, %ended);
    my $end = sub {
        my @sockets = @_;    # copies: what they came from is deleted here
        foreach my $socket (@sockets) {
            $_->remove($socket) foreach $readers, $writers;
            delete $_->{$socket} foreach \%other, \%queue, \%bytes, \%ended;
            close($socket);
        }
    };
    for (;;) {
        my ($next) = sort { $a <=> $b } map { @{$_} ? $_->[0][0] : () } values %queue;
        my $wait = defined $next ? $next - time : undef;
        foreach my $ready ($readers->can_read(defined $wait && $wait < 0 ? 0 : $wait)) {
            if ($ready == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or next;
                ($other{$client}, $other{$server}) = ($server, $client);
                foreach my $socket ($client, $server) {
                    ($queue{$socket}, $bytes{$socket}) = ([], 0);
                    $socket->blocking(0);
                }
                $readers->add($client, $server);
                next;
            }
            my $to = $other{$ready} or next;
            my $count = sysread($ready, my $data, 65536);
            next if !defined $count && $!{EAGAIN};
            push @{$queue{$to}}, [time + $delay, $count ? $data : undef];    # the end of the stream waits its turn, too
            $bytes{$to} += $count // 0;
            $ended{$ready} = 1 if !$count;
            $readers->remove($ready) if !$count || $bytes{$to} > $most_bytes;
        }
        foreach my $to (map { $_ ? $_ : () } values %other) {
            my $pieces = $queue{$to} or next;
            while (@{$pieces} && $pieces->[0][0] <= time) {
                my $data = $pieces->[0][1];
                my $sent = defined $data ? syswrite($to, $data) : undef;
                if (!defined $sent && defined $data && $!{EAGAIN}) {
                    $pieces->[0][0] = time + 0.001;
                    last;
                }
                if (!defined $sent) {
                    $end->($to, $other{$to} // ());
                    last;
                }
                $bytes{$to} -= $sent;
                if ($sent < length $data) {
                    $pieces->[0][1] = substr($data, $sent);
                } else {
                    shift @{$pieces};
                }
                $readers->add($other{$to}) if !$ended{$other{$to}} && $bytes{$to} <= $most_bytes;
            }
        }
    }
    return;
}

END {
    my $status = $?;
    $_->stop foreach @started;
    $? = $status;
}

1;
