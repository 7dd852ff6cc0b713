# A network that can be cut in the kernel: packets vanish, nobody is told, and both ends keep what they think is a connection.
#
#   use PenstockTest::Network;    # before PenstockTest: the test begins again in a network namespace of its own, or is skipped
#   use PenstockTest;
#
#   my $network = PenstockTest::Network->start_new;
#   my $cable = $network->cable($server);                        # between the server and the far side
#   background('follow', $network->far_side(program('penstock'), 'follow', '--source', $cable->uri('postgres'), …));
#   $cable->cut;            # from now on nothing arrives at either end
#   $cable->cut_answers;    # what the far side sends arrives, what the server answers does not
#   $cable->mend;
#   $cable->unplug;         # the far side's device goes down, for good; uri(…) of another cable is another way to the server
#
# The servers live in the test's own namespace, the programs that are to be cut off in a second one, and a cable is a pair of
# devices between the two. It is cut by sending the packets to a hardware address that nobody has. None of it needs root: in a
# user namespace of its own a process may do this with networks of its own, where the machine allows such namespaces at all.
package PenstockTest::Network;

use strict;
use warnings;

use Test::More;

my $nobody = '02:00:00:00:00:01';
my @started;

sub import
{
    return if $ENV{PENSTOCK_OWN_NETWORK};
    $ENV{PATH} .= ':/usr/sbin:/sbin';
    my @enter = qw(unshare --user --map-current-user --keep-caps --net);
    my $said = qx(@enter sh -c 'ip link set dev lo up && ip link add name try0 type veth peer name try1 && unshare --net true' 2>&1);
    plan(skip_all => 'no network namespace can be made here: ' . ($said =~ s/\s+/ /gr)) if $? != 0;
    $ENV{PENSTOCK_OWN_NETWORK} = 1;
    exec(@enter, $^X, $0, @ARGV) or die "unshare: $!\n";
}

sub start_new
{
    my ($class) = @_;
    pipe(my $read, my $write) or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open(STDOUT, '>&', $write) or die "dup: $!\n";
        exec(qw(unshare --net sh -c), 'echo there; exec sleep 86400');
    }
    close($write);
    die "no second network namespace\n" unless defined readline($read);
    my $self = bless {pid => $pid, cables => 0}, $class;
    push @started, $self;
    _run(qw(ip link set dev lo up));
    return $self;
}

# The words of a command that runs at the far side.
sub far_side
{
    my ($self, @words) = @_;
    return ('nsenter', "--net=/proc/$self->{pid}/ns/net", @words);
}

# A cable to a server whose listen_addresses is '*'.
sub cable
{
    my ($self, $server) = @_;
    my $number = ++$self->{cables};
    my $cable = bless {
        network => $self,
        server  => $server,
        near    => {device => "near$number", address => "10.77.$number.1", words => []},
        far     => {device => "far$number", address => "10.77.$number.2", words => [$self->far_side]},
    }, 'PenstockTest::Network::Cable';
    _run(qw(ip link add name), "near$number", qw(type veth peer name), "far$number", 'netns', $self->{pid});
    foreach my $end (@{$cable}{qw(near far)}) {
        _run(@{$end->{words}}, qw(ip address add), "$end->{address}/24", 'dev', $end->{device});
        _run(@{$end->{words}}, qw(ip link set dev), $end->{device}, 'up');
    }
    $server->append_conf('pg_hba.conf', 'host all all 10.77.0.0/16 trust');
    $server->reload;
    return $cable;
}

sub _run
{
    my @words = @_;
    system(@words) == 0 or die "@words: status $?\n";
    return;
}

END {
    my $status = $?;
    kill('KILL', $_->{pid}) foreach @started;
    waitpid($_->{pid}, 0) foreach @started;
    $? = $status;
}

package PenstockTest::Network::Cable;

# uri(DATABASE, SETTING …)
sub uri
{
    my ($self, $database, @settings) = @_;
    return sprintf('postgresql://%s@%s/%s?%s', scalar getpwuid($<), $self->place, $database,
        join('&', 'sslmode=disable', 'connect_timeout=2', @settings));
}

# The host and port of the connection string; several may stand in one, with commas between.
sub place
{
    my ($self) = @_;
    return "$self->{near}{address}:" . $self->{server}->port;
}

sub cut
{
    my ($self) = @_;
    $self->_lose_what($_) foreach qw(near far);
    return;
}

sub cut_answers
{
    return $_[0]->_lose_what('near');
}

sub unplug
{
    my ($self) = @_;
    PenstockTest::Network::_run(@{$self->{far}{words}}, qw(ip link set dev), $self->{far}{device}, 'down');
    return;
}

# Whatever this end sends to the other is lost.
sub _lose_what
{
    my ($self, $from) = @_;
    my ($end, $other) = @{$self}{$from, $from eq 'near' ? 'far' : 'near'};
    PenstockTest::Network::_run(@{$end->{words}}, qw(ip neighbour replace), $other->{address}, 'lladdr', $nobody, 'dev', $end->{device},
        qw(nud permanent));
    push @{$self->{lost}}, [@{$end->{words}}, qw(ip neighbour del), $other->{address}, 'dev', $end->{device}];
    return;
}

sub mend
{
    my ($self) = @_;
    PenstockTest::Network::_run(@{$_}) foreach splice(@{$self->{lost}});
    return;
}

1;
