# A PgBouncer of the test's own: started by the user who runs the test, with its own configuration, port and log.
package PenstockTest::PgBouncer;

use strict;
use warnings;

use parent -norequire, 'PenstockTest::Proxy';

use PenstockTest::Program qw(background);
use PenstockTest::Proxy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# The paths of the PgBouncers that there are, [VERSION, PATH] each: Debian's own, and others of that name in PATH, such as
# pgbouncer-1.26.
sub programs
{
    # Debian keeps it in /usr/sbin, which is not on every user's PATH.
    my %seen;
    my @paths = grep { -x $_ && !$seen{$_}++ } map { glob("$_/pgbouncer $_/pgbouncer-1.*") } split(/:/, $ENV{PATH}), '/usr/sbin';
    my @programs = grep { defined $_->[0] && !$seen{$_->[0]}++ }
      map { [(`$_ --version 2>/dev/null` =~ /PgBouncer ([\d.]+)/)[0], $_] } @paths;
    die "pgbouncer is not installed: run t/install\n" unless @programs;
    return @programs;
}

# start_new(NAME, DATABASE => SERVER, …)
sub start_new
{
    my ($class, $name, %databases) = @_;
    my $lines = join('', map { "$_ = host=127.0.0.1 port=" . $databases{$_}->port . " dbname=$_\n" } sort keys %databases);
    return $class->start_with($name, databases => $lines);
}

# start_with(NAME, databases => LINES of [databases]): with settings => LINES, which replace those of the same name; users =>
# LINES of auth_file; program => PATH; port => NUMBER
sub start_with
{
    my ($class, $name, %options) = @_;
    my $folder = PostgreSQL::Test::Utils::tempdir($name);
    my $self = bless {
        name     => $name,
        port     => $options{port} // PostgreSQL::Test::Cluster::get_free_port(),
        config   => "$folder/pgbouncer.ini",
        folder   => $folder,
        password => $options{password},
        socket   => $options{socket},
    }, $class;
    my $user = getpwuid($<);
    my $users = $options{users} // join('', map { qq("$_" ""\n) } $user, 'admin', 'app');
    PostgreSQL::Test::Utils::append_to_file("$folder/users.txt", $users);
    my $socket = $options{socket} // '';
    my %settings = map { /^(\w+)\s*=\s*(.*)$/ ? ($1, $2) : () } split /\n/, <<CONF . ($options{settings} // '');
listen_addr = 127.0.0.1
listen_port = $self->{port}
unix_socket_dir = $socket
auth_type = trust
auth_file = $folder/users.txt
admin_users = admin
pool_mode = transaction
max_client_conn = 200
default_pool_size = 20
server_reset_query_always = 0
server_login_retry = 1
CONF
    PostgreSQL::Test::Utils::append_to_file($self->{config}, "[databases]\n$options{databases}\n[pgbouncer]\n"
          . join('', map { "$_ = $settings{$_}\n" } sort keys %settings));
    $self->{process} = background($name, $options{program} // (programs())[0][1], $self->{config});
    $self->wait_until_it_answers;
    return $self;
}

sub kind
{
    return 'pgbouncer';
}

# As role "app", unless another user is asked for.
sub uri
{
    my ($self, $database, %options) = @_;
    my $user = $options{user} // 'app';
    my $password = $options{password} // ($self->{password} ? $self->{password}{$user} : undef);
    $user .= ":$password" if defined $password;
    return sprintf('postgresql://%s@/%s?host=%s&port=%d', $user, $database, $self->{socket}, $self->{port})
      if $self->{socket};
    return sprintf('postgresql://%s@127.0.0.1:%d/%s', $user, $self->{port}, $database);
}

sub admin_uri
{
    my ($self) = @_;
    return $self->uri('pgbouncer', user => 'admin');
}

# The rows of a SHOW of the console, as hashes of their columns.
sub show
{
    my ($self, $what) = @_;
    my $result = PenstockTest::Program::run_program('psql', '-XAq', '-d', $self->admin_uri, '-c', "SHOW $what");
    my ($head, @lines) = grep { !/^\(\d+ rows?\)/ } split /\n/, $result->{stdout};
    my @columns = split /\|/, $head;
    return map { my %row; @row{@columns} = split(/\|/, $_, -1); \%row } @lines;
}

# The settings of SHOW CONFIG by name.
sub settings
{
    my ($self) = @_;
    return map { $_->{key} => $_->{value} } $self->show('CONFIG');
}

1;
