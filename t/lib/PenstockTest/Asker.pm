# A client that speaks the protocol itself, so that a test knows how far its question has come.
#
#   my $asker = PenstockTest::Asker->new($proxy->uri('app'));    # logs in: trust, cleartext or md5
#   $asker->ask('SELECT 1');          # returns once the other side has taken the question out of its socket
#   $asker->is_answered;              # without waiting
#   $asker->answer;                   # waits for it: {error => TEXT or undef, rows => [[…], …]}
#
# psql cannot say when it has sent a query, and a proxy that holds its clients shows nothing of it; the kernel does: the
# receive queue of the proxy's end of the connection is empty again.
package PenstockTest::Asker;

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use IO::Select;
use IO::Socket::INET;
use PenstockTest::Program qw(wait_until);
use PostgreSQL::Test::Utils;

sub new
{
    my ($class, $uri) = @_;
    my ($user, $password, $host, $port, $database) = $uri =~ m{^postgresql://(\w+)(?::(\w*))?\@([\d.]+):(\d+)/(\w+)}
      or die "cannot read $uri\n";
    my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die "$host:$port: $!\n";
    my $self = bless {socket => $socket, port => $port, in => '', messages => []}, $class;
    my $start = pack('N', 196608) . "user\0$user\0database\0$database\0\0";
    $self->_send(pack('N', 4 + length $start) . $start);
    for (;;) {
        my ($type, $body) = $self->_message;
        die "no login at $uri: $body\n" if $type eq 'E';
        return $self if $type eq 'Z';
        next if $type ne 'R' || unpack('N', $body) == 0;
        my ($method, $salt) = unpack('N a*', $body);
        my $proof = $method == 3 ? $password : $method == 5 ? 'md5' . md5_hex(md5_hex($password . $user) . $salt) : undef;
        die "no way to log in with method $method\n" unless defined $proof;
        $self->_send('p' . pack('N', 5 + length $proof) . "$proof\0");
    }
}

sub ask
{
    my ($self, $sql) = @_;
    $self->_send('Q' . pack('N', 5 + length $sql) . "$sql\0");
    my $ours = sprintf(':%04X', $self->{socket}->sockport);
    my $theirs = sprintf(':%04X', $self->{port});
    wait_until('the question to be read', sub {
        my ($line) = grep { /^\s*\d+: [0-9A-F]+$theirs [0-9A-F]+$ours 01 / } split /\n/, slurp_file('/proc/net/tcp');
        return !defined $line || $line =~ / 01 [0-9A-F]+:00000000 /;
    });
    return;
}

sub is_answered
{
    my ($self) = @_;
    return length $self->{in} || IO::Select->new($self->{socket})->can_read(0);
}

sub answer
{
    my ($self) = @_;
    my %answer = (rows => []);
    for (;;) {
        my ($type, $body) = $self->_message;
        return \%answer if $type eq 'Z';
        $answer{error} = $body =~ s/\0./ /gr if $type eq 'E';
        push @{$answer{rows}}, [unpack('x2 (N/a*)*', $body)] if $type eq 'D';
    }
}

sub close
{
    my ($self) = @_;
    close($self->{socket});
    return;
}

sub _send
{
    my ($self, $bytes) = @_;
    syswrite($self->{socket}, $bytes) == length $bytes or die "send: $!\n";
    return;
}

# One message of the server: its type and what is in it. ('E', words) when the connection has ended.
sub _message
{
    my ($self) = @_;
    my $select = IO::Select->new($self->{socket});
    while (length $self->{in} < 5 || length $self->{in} <= unpack('x N', $self->{in})) {
        $select->can_read($PostgreSQL::Test::Utils::timeout_default) or die "no answer from port $self->{port}\n";
        sysread($self->{socket}, $self->{in}, 65536, length $self->{in}) or die "port $self->{port} hung up\n";
    }
    my ($type, $size) = unpack('a N', $self->{in});
    my $whole = substr($self->{in}, 0, 1 + $size, '');
    return ($type, substr($whole, 5));
}

1;
