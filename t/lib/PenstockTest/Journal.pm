# Programs stopped at a line of the journal, and killed there: from outside, by a trigger on penstock.journal that waits
# for as long as a file names the line.
#
#   my $journal = PenstockTest::Journal->new($target, 'app');    # once schema penstock is there
#   $journal->kill_before('cutover hold begin', $migration->command(...));    # the line is not written
#   my $program = $journal->stand_at('cutover point begin', $migration->command(...));   # and $journal->go_on;
#   $journal->kill_behind('cutover hold begin', $migration->command(...));    # it is, and nothing was done since
package PenstockTest::Journal;

use strict;
use warnings;

use PenstockTest::Program qw(background wait_until);
use PostgreSQL::Test::Utils;

sub new
{
    my ($class, $target, $database) = @_;
    my $file = PostgreSQL::Test::Utils::tempdir('journal') . '/stop_at';
    my $self = bless {target => $target, database => $database, file => $file}, $class;
    $self->_stop_at('');
    # The last sleep is after the file has changed: whoever looks must see it asleep, or gone on.
    $target->sql($database, <<SQL);
CREATE FUNCTION penstock.stop_here() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    WHILE pg_read_file('$file') = NEW.operation || ' ' || NEW.step || ' ' || NEW.event LOOP
        PERFORM pg_sleep(0.005);
    END LOOP;
    RETURN NEW;
END \$\$;
CREATE TRIGGER stop_here BEFORE INSERT ON penstock.journal FOR EACH ROW EXECUTE FUNCTION penstock.stop_here();
SQL
    return $self;
}

# The server must never read half of it.
sub _stop_at
{
    my ($self, $line) = @_;
    unlink("$self->{file}.new");
    PostgreSQL::Test::Utils::append_to_file("$self->{file}.new", $line);
    rename("$self->{file}.new", $self->{file}) or die "$self->{file}: $!\n";
    return;
}

# Asked in another database: behind the fence, sessions of this one end.
sub _session
{
    my ($self, $which) = @_;
    return $self->{target}->sql('postgres', "SELECT pid FROM pg_stat_activity WHERE datname = '$self->{database}' "
          . "AND application_name IN ('penstock cutover', 'penstock rollback') AND $which");
}

sub _kill
{
    my ($self, $line, $written, @command) = @_;
    $self->_stop_at($line);
    my $program = background('killed', @command);
    my $session = wait_until("the program to come to \"$line\"", sub {
        die "it ended with status $program->{status} before \"$line\":\n" . $program->log_tail . "\n"
          unless $program->is_running;
        return $self->_session(q{wait_event = 'PgSleep' AND query LIKE '%penstock.journal%'});
    });
    $program->kill9;
    $self->{target}->sql('postgres', "SELECT pg_terminate_backend($session)") unless $written;
    $self->_stop_at('');
    wait_until('its session to end', sub { $self->_session("pid = $session") eq '' });
    return;
}

# Starts it and returns once it waits at the line, as a PenstockTest::Program; go_on lets it.
sub stand_at
{
    my ($self, $line, @command) = @_;
    $self->_stop_at($line);
    my $program = background('held', @command);
    wait_until("the program to come to \"$line\"", sub {
        die "it ended with status $program->{status} before \"$line\":\n" . $program->log_tail . "\n"
          unless $program->is_running;
        return $self->_session(q{wait_event = 'PgSleep' AND query LIKE '%penstock.journal%'});
    });
    return $program;
}

sub go_on
{
    my ($self) = @_;
    $self->_stop_at('');
    return;
}

sub kill_before
{
    my ($self, $line, @command) = @_;
    return $self->_kill($line, 0, @command);
}

sub kill_behind
{
    my ($self, $line, @command) = @_;
    return $self->_kill($line, 1, @command);
}

1;
