# A PgBouncer of the test's own: started by the user who runs the test, with its own configuration, port and log.
package PenstockTest::PgBouncer;

use strict;
use warnings;

use parent -norequire, 'PenstockTest::Proxy';

use PenstockTest::Program qw(background);
use PenstockTest::Proxy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

# start_new(NAME, DATABASE => SERVER, …)
sub start_new
{
    my ($class, $name, %databases) = @_;
    my $folder = PostgreSQL::Test::Utils::tempdir($name);
    my $self = bless {
        name      => $name,
        port      => PostgreSQL::Test::Cluster::get_free_port(),
        config    => "$folder/pgbouncer.ini",
        databases => {%databases},
    }, $class;
    my $user = getpwuid($<);
    PostgreSQL::Test::Utils::append_to_file("$folder/users.txt", join('', map { qq("$_" ""\n) } $user, 'admin', 'app'));
    $self->write_config($folder);
    # Debian keeps it in /usr/sbin, which is not on every user's PATH.
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
    my ($program) = grep { -x $_ } map { "$_/pgbouncer" } split /:/, $ENV{PATH};
    die "pgbouncer is not installed: run t/install\n" unless $program;
    $self->{process} = background($name, $program, $self->{config});
    $self->wait_until_it_answers;
    return $self;
}

sub write_config
{
    my ($self, $folder) = @_;
    my $databases = '';
    foreach my $database (sort keys %{$self->{databases}}) {
        my $server = $self->{databases}{$database};
        $databases .= "$database = host=127.0.0.1 port=" . $server->port . " dbname=$database\n";
    }
    PostgreSQL::Test::Utils::append_to_file($self->{config}, <<CONF);
[databases]
$databases
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $self->{port}
unix_socket_dir =
auth_type = trust
auth_file = $folder/users.txt
admin_users = admin
pool_mode = transaction
max_client_conn = 200
default_pool_size = 20
server_reset_query_always = 0
server_login_retry = 1
CONF
    return;
}

sub kind
{
    return 'pgbouncer';
}

# As role "app", unless another user is asked for.
sub uri
{
    my ($self, $database, %options) = @_;
    return sprintf('postgresql://%s@127.0.0.1:%d/%s', $options{user} // 'app', $self->{port}, $database);
}

sub admin_uri
{
    my ($self) = @_;
    return $self->uri('pgbouncer', user => 'admin');
}

1;
