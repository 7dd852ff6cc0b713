# What every proxy of a test has, whatever its kind: a process, the file that it reads on RELOAD, a port.
#
# A kind says its name (`kind`) and the connection strings of the application's role and of the admin console (`uri`,
# `admin_uri`).
package PenstockTest::Proxy;

use strict;
use warnings;

use PenstockTest::Program qw(run_program wait_until);

sub port
{
    return $_[0]{port};
}

sub config
{
    return $_[0]{config};
}

sub process
{
    return $_[0]{process};
}

# The value of --proxy for it; with another file than the one that it reads, if that is asked for.
sub option
{
    my ($self, $config) = @_;
    return $self->kind . ':' . $self->admin_uri . ',config=' . ($config // $self->config);
}

# Runs SQL, or a command of the admin console, through it: {status, stdout, stderr}.
sub run
{
    my ($self, $uri, $sql) = @_;
    return run_program('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $uri, '-c', $sql);
}

sub kill9
{
    my ($self) = @_;
    $self->{process}->kill9;
    return;
}

sub wait_until_it_answers
{
    my ($self) = @_;
    wait_until("$self->{name} to answer", sub {
        die "$self->{name} has ended:\n" . $self->{process}->log_tail . "\n" unless $self->{process}->is_running;
        return $self->run($self->admin_uri, 'SHOW VERSION')->{status} eq '0';
    });
    return;
}

1;
