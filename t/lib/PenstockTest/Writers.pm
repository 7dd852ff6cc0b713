# Applications that write through proxies without a pause, and know at their end what they were told: twelve clients of
# pgbench for each proxy, a row in each transaction.
#
#   my $writers = PenstockTest::Writers->new($source, 'app');    # makes the table; role app may write to all that there are
#   $writers->start('first', $proxy->uri('app'));
#   $writers->go_on($source, 'before');                          # a test that rows come there
#   my $count = $writers->end_well($target);                     # no error, every acknowledged row there, none twice
#
# With also => SQL, which may use :client_id, each transaction does that, too.
package PenstockTest::Writers;

use strict;
use warnings;

use PenstockTest::Program qw(background wait_until);
use PostgreSQL::Test::Utils;
use Test::More import => [qw(is ok unlike)];

sub new
{
    my ($class, $server, $database, %options) = @_;
    my $self = bless {
        database => $database,
        pgbench  => $server->installed_command('pgbench'),
        script   => "$PostgreSQL::Test::Utils::tmp_check/writers_${database}_$$.sql", # tests run side by side
        loads    => [],
    }, $class;
    my $insert = 'INSERT INTO written (client, n) VALUES (:client_id, :n);';
    PenstockTest::write_file($self->{script}, "\\set n random(1, 1000000)\n"
          . (defined $options{also} ? "BEGIN;\n$insert\n$options{also};\nCOMMIT;\n" : "$insert\n"));
    $server->sql($database, <<'SQL');
CREATE TABLE written (id bigserial PRIMARY KEY, client int, n int);
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
SQL
    return $self;
}

sub start
{
    my ($self, $name, $uri, @options) = @_;
    push @{$self->{loads}}, background($name, $self->{pgbench}, '--no-vacuum', '--time=3600', '--client=12', '--jobs=2',
        @options, "--file=$self->{script}", $uri);
    return;
}

sub rows
{
    my ($self, $server) = @_;
    return $server->sql($self->{database}, 'SELECT count(*) FROM written');
}

# Every load still runs, and rows come to that server.
sub go_on
{
    my ($self, $server, $what) = @_;
    my $before = $self->rows($server);
    wait_until("$what: more rows", sub { $self->rows($server) > $before + 100 });
    ok($_->is_running, "$what: the clients of $_->{name} are still at work") foreach @{$self->{loads}};
    return;
}

# SIGALRM is how pgbench ends when its time is over.
sub end_well
{
    my ($self, $server) = @_;
    my $acknowledged = 0;
    foreach my $load (@{$self->{loads}}) {
        is($load->stop('ALRM'), 0, "the clients of $load->{name} end well");
        my ($count) = $load->log_text =~ /number of transactions actually processed: (\d+)/;
        my ($failed) = $load->log_text =~ /number of failed transactions: (\d+)/;
        is($failed, 0, 'no client saw an error');
        unlike($load->log_text, qr/aborted|ERROR|FATAL/, 'no client was disconnected');
        $acknowledged += $count;
    }
    is($self->rows($server), $acknowledged, 'every acknowledged row is there, and no other');
    is($self->rows($server), $server->sql($self->{database}, 'SELECT count(DISTINCT id) FROM written'),
        'none is doubled');
    return $acknowledged;
}

1;
