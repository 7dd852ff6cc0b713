# A proxy between the applier and its source that spoils what the source sends.
#
#   my $meddler = PenstockTest::Meddler->start_new($source, sub {
#       my ($number, $data) = @_;             # the number of the frame on its connection; a CopyData message
#       return $data unless $number == 2;
#       return substr($data, 0, -5);          # what is sent instead: any number of messages
#   }, plain => 1);                           # frames are asked for without compression
#   … $meddler->uri('postgres') …
#   $meddler->stop;
#
# While nothing is sent in a frame's place, keepalives are kept back, too: they speak of what came before them.
# A reference to a string ends the connection once those bytes have been sent. open_frame and close_frame take a message
# apart and put it together again, with the frame's checksum right; take_varint takes a number off the front of a record.
#
# overhear => sub { my ($message) = @_ } is told of all CopyData messages of the server, keepalives too.
package PenstockTest::Meddler;

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use IPC::Run;
use PenstockTest::Program;
use PostgreSQL::Test::Cluster;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

our @EXPORT_OK = qw(open_frame close_frame take_varint);

my $header_size = 25;    # of a CopyData message with data: 'w', two positions, a time

# A frame's fields by their tags. The payload is last and has a length; the checksum has four bytes; others are varints.
my %field = (0x08 => 'version', 0x10 => 'codec', 0x18 => 'raw_size', 0x20 => 'open', 0x2d => 'checksum', 0x32 => 'payload');

my %record_kind = (
    0x0a => 'hello', 0x12 => 'begin', 0x1a => 'relation', 0x22 => 'rows', 0x2a => 'truncate', 0x32 => 'message',
    0x3a => 'heartbeat', 0x42 => 'commit');

my @running;

sub start_new
{
    my ($class, $server, $meddle, %options) = @_;
    my $self = bless {%options, server => $server, meddle => $meddle}, $class;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 10) or die "listen: $!\n";
    $self->{port} = $listener->sockport;
    $self->{pid} = fork // die "fork: $!\n";
    if ($self->{pid} == 0) {
        $SIG{$_} = 'DEFAULT' foreach qw(INT TERM HUP CHLD __DIE__);
        $SIG{PIPE} = 'IGNORE';
        setpgrp(0, 0);
        eval { $self->_accept($listener); 1 } or print STDERR "meddler: $@";
        POSIX::_exit(1);
    }
    push @running, $self;
    return $self;
}

sub uri
{
    my ($self, $database) = @_;
    my $user = getpwuid($<);
    return "postgresql://$user\@127.0.0.1:$self->{port}/$database?sslmode=disable&gssencmode=disable";
}

sub stop
{
    my ($self) = @_;
    return unless defined $self->{pid};
    kill('KILL', -$self->{pid});
    waitpid($self->{pid}, 0);
    delete $self->{pid};
    return;
}

END {
    my $status = $?;
    $_->stop foreach @running;
    $? = $status;
}

# ---- frames

sub _varint
{
    my ($number) = @_;
    my $bytes = '';
    for (; $number >= 0x80; $number >>= 7) {
        $bytes .= chr($number & 0x7f | 0x80);
    }
    return $bytes . chr($number);
}

# Takes one off the front.
sub take_varint
{
    my ($bytes) = @_;
    my ($number, $shift) = (0, 0);
    for (my $more = 1; $more; $shift += 7) {
        my $byte = ord(substr($$bytes, 0, 1, ''));
        $number |= ($byte & 0x7f) << $shift;
        $more = $byte & 0x80;
    }
    return $number;
}

sub _take_fields
{
    my ($bytes) = @_;
    my %frame;
    while (length $bytes) {
        my $tag = take_varint(\$bytes);
        my $name = $field{$tag} // die sprintf("a frame has no tag %02x\n", $tag);
        $frame{$name} =
            $name eq 'checksum' ? substr($bytes, 0, 4, '')
          : $name eq 'payload' ? substr($bytes, 0, take_varint(\$bytes), '')
          :                      take_varint(\$bytes);
    }
    return \%frame;
}

# open_frame(MESSAGE, NUMBER): {number, version, …, payload}, and of a frame without compression records: [[KIND, BYTES], …].
sub open_frame
{
    my ($message, $number) = @_;
    my $frame = _take_fields(substr($message, $header_size));
    $frame->{number} = $number;
    $frame->{header} = substr($message, 0, $header_size);
    return $frame if $frame->{codec};
    for (my $batch = $frame->{payload}; length $batch;) {
        take_varint(\$batch);
        my $record = substr($batch, 0, take_varint(\$batch), '');
        push @{$frame->{records}}, [$record_kind{take_varint(\$record)}, substr($record, 0, take_varint(\$record), '')];
    }
    return $frame;
}

sub _checksum
{
    my ($bytes, $seed) = @_;
    my $out = '';
    IPC::Run::run([PenstockTest::Program::path('xxh3'), $seed], '<', \$bytes, '>', \$out) or die "xxh3 failed\n";
    return pack('V', hex($out));
}

# close_frame(FRAME): the message, of its records where it has some.
sub close_frame
{
    my ($frame) = @_;
    my %tag_of = reverse %record_kind;
    my $payload = $frame->{records} ? '' : $frame->{payload};
    foreach (@{$frame->{records} // []}) {
        my $record = chr($tag_of{$_->[0]}) . _varint(length $_->[1]) . $_->[1];
        $payload .= "\x0a" . _varint(length $record) . $record;
    }
    my $bytes = $frame->{header};
    my $size = $frame->{records} ? length $payload : $frame->{raw_size};
    $bytes .= "\x08" . _varint($frame->{version}) if $frame->{version};
    $bytes .= "\x10" . _varint($frame->{codec}) if $frame->{codec};
    $bytes .= "\x18" . _varint($size) if $size && $size >= 1024;
    $bytes .= "\x20\x01" if $frame->{open};
    return $bytes . "\x2d" . _checksum($payload, $frame->{number} - 1) . "\x32" . _varint(length $payload) . $payload;
}

# ---- the proxy

# A process for each connection.
sub _accept
{
    my ($self, $listener) = @_;
    local $SIG{CHLD} = 'IGNORE';
    while (my $client = $listener->accept) {
        my $pid = fork // die "fork: $!\n";
        next if $pid != 0;
        $SIG{CHLD} = 'DEFAULT';    # frames may need a program
        close($listener);
        eval { $self->_serve($client); 1 } or print STDERR "meddler: $@";
        POSIX::_exit(0);
    }
    return;
}

sub _serve
{
    my ($self, $client) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{server}->port) or die "connect: $!\n";
    setsockopt($_, IPPROTO_TCP, TCP_NODELAY, 1) foreach $client, $server;
    my %read = ($client => '', $server => '');
    my ($frames, $holding) = (0, 0);
    my $select = IO::Select->new($client, $server);
    for (;;) {
        foreach my $from ($select->can_read) {
            sysread($from, $read{$from}, 65536, length $read{$from}) or return;
            if ($from == $client) {
                _send($server, $self->_from_client(\$read{$from}));
                next;
            }
            foreach my $message (_take_messages(\$read{$from})) {
                $self->{overhear}->(substr($message, 5)) if $self->{overhear} && $message =~ /^d/;
                my $is_frame = $message =~ /^d....w/s;
                my @instead = $is_frame ? $self->{meddle}->(++$frames, substr($message, 5)) : $holding ? () : undef;
                $holding = !@instead;
                foreach (@instead) {
                    _send($client, defined $_ ? ref $_ ? $$_ : 'd' . pack('N', 4 + length) . $_ : $message);
                    return if ref $_;
                }
            }
        }
    }
}

sub _send
{
    my ($to, $bytes) = @_;
    while (length $bytes) {
        my $sent = syswrite($to, $bytes) // die "send: $!\n";
        substr($bytes, 0, $sent, '');
    }
    return;
}

# The server's messages that are there whole: a type, a length that counts itself, the rest.
sub _take_messages
{
    my ($bytes) = @_;
    my @messages;
    while (length $$bytes >= 5 && length $$bytes > unpack('x N', $$bytes)) {
        push @messages, substr($$bytes, 0, 1 + unpack('x N', $$bytes), '');
    }
    return @messages;
}

# What the client says passes as it is, but for the options of the stream.
sub _from_client
{
    my ($self, $bytes) = @_;
    my $all = substr($$bytes, 0, length $$bytes, '');
    if ($all =~ /^Q.{4}START_REPLICATION /s) {
        my ($words) = $all =~ /^Q.{4}(.*)\0/s;
        $words =~ s/\)$/, "compression" 'none')/ if $self->{plain};
        $words = $self->{words}->($words) if $self->{words};
        return 'Q' . pack('N', 5 + length $words) . "$words\0";
    }
    return $all;
}

1;
