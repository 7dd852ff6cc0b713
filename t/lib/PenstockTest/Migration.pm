# One migration as an operator runs it: the CLI with the same source and target in every call.
package PenstockTest::Migration;

use strict;
use warnings;

use JSON::PP qw(decode_json);
use PenstockTest::Compare qw(same_rows);
use PenstockTest::Program qw(background run_program wait_until);
use Test::More import => [qw(is fail diag)];

sub new
{
    my ($class, $source, $target, %options) = @_;
    return bless {
        source   => $source,
        target   => $target,
        database => $options{database} // 'postgres',
        name     => $options{name},
        user     => $options{user},
        ddl      => $options{ddl} // 'default',
        checks_first => $options{checks_first},
    }, $class;
}

# The words of a call of the CLI.
sub command
{
    my ($self, $command, @arguments) = @_;
    my @user = defined $self->{user} ? (user => $self->{user}) : ();
    my @options = (
        '--source' => $self->{source}->uri($self->{database}, @user),
        '--target' => $self->{target}->uri($self->{database}, @user),
    );
    push @options, '--migration' => $self->{name} if defined $self->{name};
    # What copy chooses by itself, which is to capture, as for everybody; a test that defines things by hand on both sides, or wants to see what the
    # applier says of what did not travel, says off.
    push @options, '--ddl' => $self->{ddl} if $command eq 'copy' && $self->{ddl} ne 'default';

    # Tests copy what check would refuse, and most of them are about something else: t/089_check_first is about the check that comes first.
    push @options, '--force', '--no-trial' if $command eq 'copy' && !$self->{checks_first};
    return (PenstockTest::Program::path('penstock'), $command, @options, @arguments);
}

# The words of a cutover and of a rollback behind these proxies, however far behind the target is at the moment.
sub cutover_words
{
    my ($self, @proxies) = @_;
    return ('cutover', _switch_words(@proxies), '--target-address' => $self->{target}->address);
}

sub rollback_words
{
    my ($self, @proxies) = @_;
    return ('rollback', _switch_words(@proxies), '--source-address' => $self->{source}->address);
}

sub _switch_words
{
    my (@proxies) = @_;
    return ((map { ('--proxy' => $_->option) } @proxies), '--max-lag' => '1000000000');
}

# Runs it and waits for its end: {status, stdout, stderr}.
sub run
{
    my ($self, @words) = @_;
    return run_program($self->command(@words));
}

# A test that the command ends with status 0.
sub ok
{
    my ($self, @words) = @_;
    return $self->exits(0, @words);
}

# exits(STATUS, COMMAND …): a test that the command ends with that status; returns what run returns.
sub exits
{
    my ($self, $status, @words) = @_;
    my $result = $self->run(@words);
    is($result->{status}, $status, "penstock @words ends with $status")
      or diag("stdout:\n$result->{stdout}\nstderr:\n$result->{stderr}");
    return $result;
}

# Starts penstock follow in the background. wait_until_caught_up watches the one started last.
sub follow
{
    my ($self, @arguments) = @_;
    $self->{applier} = background('follow', $self->command('follow', @arguments));
    return $self->{applier};
}

# Begins a copy that stops before that step: ($copy, $go); $go->() lets it go on. Its slot waits for a transaction of ours, until
# the journal is there and has a trigger that waits before the step.
sub copy_up_to
{
    my ($self, $step, @options) = @_;
    my ($source, $target, $database) = @{$self}{qw(source target database)};
    my $open = $source->background_psql($database);
    $open->query_safe('BEGIN; SELECT txid_current()');
    my $copy = background('copy_up_to', $self->command('copy', @options));
    wait_until('the journal', sub { !$copy->is_running || $target->sql($database, q{SELECT to_regclass('penstock.journal') IS NOT NULL}) eq 't' });
    my $gate = $target->background_psql($database);
    $gate->query_safe(<<"SQL");
SELECT pg_advisory_lock(77);
CREATE FUNCTION penstock.stop() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN new; END \$\$;
CREATE TRIGGER stop BEFORE INSERT ON penstock.journal FOR EACH ROW WHEN (new.step = '$step' AND new.event = 'begin')
    EXECUTE FUNCTION penstock.stop();
SQL
    $open->query_safe('COMMIT');
    $open->quit;
    wait_until("the copy to come to the step $step",
        sub { !$copy->is_running || $target->sql($database, q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted}) > 0 });
    return ($copy, sub { $gate->query_safe('SELECT pg_advisory_unlock(77)'); $gate->quit; return });
}

# What the applier says of itself in the target: low_water_lsn, state, …
sub applier_says
{
    my ($self, $column) = @_;
    return $self->{target}->sql($self->{database},
        "SELECT $column FROM penstock.applier" . (defined $self->{name} ? " WHERE migration = '$self->{name}'" : ''));
}

# Whether the applier runs; a failed test, with its last words, when it does not.
sub applier_runs
{
    my ($self) = @_;
    my $applier = $self->{applier};
    return 1 if $applier->is_running;
    fail("the applier runs (it ended with $applier->{status})");
    diag($applier->log_tail(8));
    return 0;
}

# How the definitions of both sides differ, a text each (status --schema).
sub drift
{
    my ($self) = @_;
    return decode_json($self->ok('status', '--schema', '--json')->{stdout})->{drift} // ['not compared'];
}

# Waits until everything that is committed at the source now is durable at the target. Dies at once if the applier ends. The
# place to come to is behind all that was written before: no applier of an earlier moment can have said that it was there.
sub wait_until_caught_up
{
    my ($self, $limit) = @_;
    my $mark = $self->{source}->sql($self->{database}, q{SELECT pg_logical_emit_message(true, 'penstock_test', 'mark')});
    wait_until("the applier to pass $mark",
        sub {
            die "the applier has ended with status $self->{applier}{status}\n"
              if $self->{applier} && !$self->{applier}->is_running;
            return $self->applier_says("low_water_lsn >= '$mark'") eq 't';
        },
        $limit);
    return;
}

# A test that both sides hold the same once the SQL, which runs at the source, has been applied.
sub same_after
{
    my ($self, $name, $sql) = @_;
    $self->{source}->sql($self->{database}, $sql);
    $self->wait_until_caught_up;
    return same_rows($self->{source}, $self->{target}, $self->{database}, $name);
}

1;
