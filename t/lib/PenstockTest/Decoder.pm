# The decoder by itself: slots made with it, and what it sends, as text.
#
#   my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
#   $server->sql('postgres', 'INSERT INTO t VALUES (1)');
#   is($slot->text, <<'END', 'an insert');
#   begin
#   relation public.t identity default columns id:int4/binary/key
#   …
#
# Positions, transaction numbers, relation numbers, times and the quotes around plain names are taken out of the text, so
# that a test can say what it expects word for word.
package PenstockTest::Decoder;

use strict;
use warnings;

use File::Temp qw(tempfile);
use IPC::Run qw(run);
use PenstockTest::Program;
use Test::More;

sub new
{
    my ($class, $server, $database, $name) = @_;
    my $self = bless {server => $server, database => $database, name => $name}, $class;
    $self->create;
    return $self;
}

sub create
{
    my ($self) = @_;
    $self->{server}
        ->sql($self->{database}, "SELECT pg_create_logical_replication_slot('$self->{name}', 'penstock')");
    return;
}

sub drop
{
    my ($self) = @_;
    $self->{server}->sql($self->{database}, "SELECT pg_drop_replication_slot('$self->{name}')");
    return;
}

# SQL that takes (get) or looks at (peek) what is in the slot.
sub _query
{
    my ($self, $function, $columns, %options) = @_;
    my $arguments = join('', map { ", '$_', '$options{$_}'" } sort keys %options);
    return "SELECT $columns FROM pg_logical_slot_${function}_binary_changes('$self->{name}', NULL, NULL$arguments)";
}

# Every record that the slot holds, as penstock-applier --dump writes them; they are taken.
sub raw_text
{
    my ($self, %options) = @_;
    return $self->_dump('get', %options);
}

# The same, and they stay.
sub peek_raw_text
{
    my ($self, %options) = @_;
    return $self->_dump('peek', %options);
}

sub _dump
{
    my ($self, $function, %options) = @_;
    my ($file, $name) = tempfile(UNLINK => 1);
    print {$file} $self->{server}->sql($self->{database}, $self->_query($function, q{encode(data, 'hex')}, %options)), "\n";
    close($file);
    my ($out, $err) = ('', '');
    my $done = run([PenstockTest::Program::path('penstock-applier'), '--dump=-'], '<', $name, '>', \$out, '2>', \$err);
    fail("penstock-applier --dump: $err") unless $done;
    return $out;
}

# The same without what differs from run to run, and without Hello.
sub text
{
    my ($self, %options) = @_;
    my $text = $self->raw_text(%options);
    $text =~ s/^hello .*\n//m;
    $text =~ s/^(begin) \S+ xid \d+ \S+ \S+/$1/mg;
    $text =~ s/^(commit) \S+ end \S+ (.*) \S+ \S+$/$1 $2/mg;
    $text =~ s/^(heartbeat) .*/$1/mg;
    $text =~ s/^relation \d+/relation/mg;
    $text =~ s/^(message) [0-9A-F]+\/[0-9A-F]+/$1/mg;
    $text =~ s/"(\w+)"\."(\w+)"/$1.$2/g;
    return $text;
}

# The error that decoding ends with.
sub error
{
    my ($self, %options) = @_;
    my ($out, $err);
    $self->{server}
        ->psql($self->{database}, $self->_query('peek', 'count(*)', %options), stdout => \$out, stderr => \$err);
    return $err;
}

1;
