# A session that is in the way: it does something in a transaction, and stays in it until it is ended.
#
#   my $lock = PenstockTest::Blocker->start($target, 'app', 'LOCK TABLE written');      # returns once it has the lock
#   my $old = PenstockTest::Blocker->start($source, 'app', 'SELECT', $proxy->uri('app')); # the same through a proxy
#   $lock->end;
#
# What it runs last is a long pg_sleep: an error that names it can be known by that.
package PenstockTest::Blocker;

use strict;
use warnings;

use PenstockTest::Program qw(background wait_until);

my $count = 0; # each is known by its number: several may stand at one server

# start(SERVER, DATABASE, SQL, CONNECTION STRING, if it is not straight to the server)
sub start
{
    my ($class, $server, $database, $sql, $uri) = @_;
    my $self = bless {server => $server, database => $database, end => 'SELECT pg_sleep(3600) /* blocker ' . ++$count . ' */'}, $class;
    $self->{psql} = background('blocker', $server->installed_command('psql'), '-X', '-d', $uri // $server->uri($database),
        '-c', "BEGIN; $sql; $self->{end}");
    wait_until("a session that has done \"$sql\"", sub {
        die "it has ended:\n" . $self->{psql}->log_tail . "\n" unless $self->{psql}->is_running;
        return $self->ask('count(*)') eq '1';
    });
    return $self;
}

# An expression over its row of pg_stat_activity; count(*) when it may be gone.
sub ask
{
    my ($self, $expression) = @_;
    return $self->{server}->sql($self->{database}, "SELECT $expression FROM pg_stat_activity WHERE wait_event = 'PgSleep' "
          . "AND query LIKE 'BEGIN; %; $self->{end}'");
}

# Waits until somebody has ended it; returns the status of psql.
sub wait
{
    my ($self) = @_;
    return $self->{psql}->wait;
}

sub end
{
    my ($self) = @_;
    $self->ask('pg_terminate_backend(pid)');
    $self->wait;
    return;
}

1;
