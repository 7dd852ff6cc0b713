# A process that forwards one TCP port to a server, and can stop forwarding without a word, as a network does that is cut:
# connections stay, and nothing comes through.
#
#   my $forwarder = PenstockTest::Forwarder->start_new($server);
#   … $forwarder->uri('postgres') …
#   $forwarder->silence;    # from now on nothing passes, neither on old nor on new connections
#   $forwarder->resume;
#
# With tamper => CODE it changes what the server streams: CODE gets the payload of each data message of a replication
# connection, numbered from 1, and returns the payloads to send in its place.
package PenstockTest::Forwarder;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();

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
        eval { _forward($listener, $server->port, $options{tamper}) };
        POSIX::_exit(0);
    }
    close($listener);
    my $self = bless {pid => $pid, port => $port}, $class;
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

sub stop
{
    my ($self) = @_;
    return unless defined $self->{pid};
    kill('KILL', $self->{pid});
    waitpid($self->{pid}, 0);
    delete $self->{pid};
    return;
}

sub _send
{
    my ($to, $data) = @_;
    my $sent = 0;
    while ($sent < length $data) {
        $sent += syswrite($to, $data, length($data) - $sent, $sent) // return 0;
    }
    return 1;
}

# What the server sent, message by message, with the payloads of 'w' messages changed. Keeps what is not whole yet.
sub _tampered
{
    my ($stream, $data) = @_;
    my $out = '';
    $stream->{buffer} .= $data;
    while (length $stream->{buffer} >= 5) {
        my $size = 1 + unpack('x N', $stream->{buffer});
        last if length $stream->{buffer} < $size;
        my $message = substr($stream->{buffer}, 0, $size, '');
        if ($message !~ /^d....w/s) {
            $out .= $message;
            next;
        }
        my ($header, $payload) = (substr($message, 5, 25), substr($message, 30));
        $out .= 'd' . pack('N', 4 + 25 + length $_) . $header . $_ foreach $stream->{tamper}->($payload, ++$stream->{count});
    }
    return $out;
}

sub _forward
{
    my ($listener, $port, $tamper) = @_;
    my $select = IO::Select->new($listener);
    my (%other, %stream);
    for (;;) {
        foreach my $ready ($select->can_read) {
            if ($ready == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or next;
                ($other{$client}, $other{$server}) = ($server, $client);
                $stream{$server} = {tamper => $tamper, buffer => '', count => 0} if $tamper;
                $select->add($client, $server);
                next;
            }
            my $to = $other{$ready} or next;
            my $count = sysread($ready, my $data, 65536);
            if ($count) {
                $data = _tampered($stream{$ready}, $data) if $stream{$ready};
                next if _send($to, $data);
            }
            $select->remove($ready, $to);
            delete @other{$ready, $to};
            delete @stream{$ready, $to};
            close($_) foreach $ready, $to;
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
