# A process that forwards one TCP port to a server, and can stop forwarding without a word, as a network does that is cut:
# connections stay, and nothing comes through.
#
#   my $forwarder = PenstockTest::Forwarder->start_new($server);
#   … $forwarder->uri('postgres') …
#   $forwarder->silence;    # from now on nothing passes, neither on old nor on new connections
#   $forwarder->resume;
package PenstockTest::Forwarder;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();

my @started;

sub start_new
{
    my ($class, $server) = @_;
    my $listener = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1', LocalPort => 0) or die "listen: $!\n";
    my $port = $listener->sockport;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        eval { _forward($listener, $server->port) };
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

sub _forward
{
    my ($listener, $port) = @_;
    my $select = IO::Select->new($listener);
    my %other;
    for (;;) {
        foreach my $ready ($select->can_read) {
            if ($ready == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or next;
                ($other{$client}, $other{$server}) = ($server, $client);
                $select->add($client, $server);
                next;
            }
            my $to = $other{$ready} or next;
            my $count = sysread($ready, my $data, 65536);
            my $sent = $count ? syswrite($to, $data) : undef;
            while (defined $sent && $sent < $count) {
                my $more = syswrite($to, $data, $count - $sent, $sent) // last;
                $sent += $more;
            }
            next if defined $sent && $sent == $count;
            $select->remove($ready, $to);
            delete @other{$ready, $to};
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
