# A pgcat of the test's own, with its configuration, port and log: the real one ($PGCAT, or from PATH), or the stand-in
# that behaves as it does in what a cutover touches.
package PenstockTest::Pgcat;

use strict;
use warnings;

use parent -norequire, 'PenstockTest::Proxy';

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PenstockTest::Program qw(background);
use PenstockTest::Proxy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More import => [qw(plan subtest)];

my $stand_in = abs_path(dirname(__FILE__)) . '/pgcat_stand_in';

# The path of a real pgcat; undef when there is none.
sub real
{
    return (grep { -x $_ } ($ENV{PGCAT} // ()), map { "$_/pgcat" } split /:/, $ENV{PATH})[0];
}

# with_each(TESTS): TESTS->(NAME, PROGRAM) as a subtest with the stand-in, and as one with a real pgcat where there is one.
sub with_each
{
    my ($tests) = @_;
    subtest 'pgcat, stand-in' => sub { $tests->('stand_in', undef) };
    subtest 'real pgcat' => sub {
        my $program = real();
        plan skip_all => 'no pgcat: set PGCAT, or put it in PATH' unless defined $program;
        $tests->('real', $program);
    };
    return;
}

# start_new(NAME, PROGRAM or undef for the stand-in, DATABASE => SERVER)
sub start_new
{
    my ($class, $name, $program, $database, $server) = @_;
    my $folder = PostgreSQL::Test::Utils::tempdir($name);
    my $self = bless {
        name   => $name,
        port   => PostgreSQL::Test::Cluster::get_free_port(),
        config => "$folder/pgcat.toml",
    }, $class;
    my $port = $server->port;
    PostgreSQL::Test::Utils::append_to_file($self->{config}, <<CONF);
[general]
host = "127.0.0.1"
port = $self->{port}
admin_username = "admin"
admin_password = "secret"
connect_timeout = 5000   # for new connections to a server

[pools.$database]   # the application's
pool_mode = "transaction"
default_role = "primary"
prepared_statements_cache_size = 500

[pools.$database.users.0]
username = "app"
password = "app"
pool_size = 20

[pools.$database.shards.0]
database = "$database"
servers = [
    # host, port, role
    ["127.0.0.1", $port, "primary"], # the source
]
CONF
    $self->{process} = background($name, defined $program ? ($program, '--log-level', 'WARN') : ($^X, $stand_in), $self->{config});
    $self->wait_until_it_answers;
    return $self;
}

sub kind
{
    return 'pgcat';
}

sub uri
{
    my ($self, $database) = @_;
    return "postgresql://app:app\@127.0.0.1:$self->{port}/$database";
}

sub admin_uri
{
    my ($self) = @_;
    return "postgresql://admin:secret\@127.0.0.1:$self->{port}/pgcat";
}

# The processes of gates that were made for it: their working folder is that of its file.
sub gates
{
    my ($self) = @_;
    my $folder = dirname($self->{config});
    return grep { (readlink("/proc/$_/cwd") // '') eq $folder && PostgreSQL::Test::Utils::slurp_file("/proc/$_/comm") =~ /penstock-gate/ }
      map { m{/proc/(\d+)/cwd\z} ? $1 : () } glob('/proc/[0-9]*/cwd');
}

1;
