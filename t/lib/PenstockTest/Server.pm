# A PostgreSQL server of any major: PostgreSQL::Test::Cluster with what our tests need on top.
#
# 15 is Debian's; the others are those of t/install. Each server listens on a socket in a private folder and on its port
# at 127.0.0.1, trusts everyone, and is a superuser's own.
package PenstockTest::Server;

use strict;
use warnings;

use parent -norequire, 'PostgreSQL::Test::Cluster';

use File::Basename qw(basename);
use File::Path qw(rmtree);
use PenstockTest::Program;
use PostgreSQL::Test::Cluster;
use Test::More;

# Cluster settings that our tests are written for; they override those of PostgreSQL::Test::Cluster.
my $settings = <<'CONF';
listen_addresses = '127.0.0.1'
max_connections = 100
max_wal_senders = 20
max_replication_slots = 20
max_prepared_transactions = 20
shared_buffers = 64MB
max_wal_size = 1GB
log_statement = ddl
wal_retrieve_retry_interval = 200ms
CONF

my @started;

# start_new(NAME, MAJOR, LINE OF postgresql.conf …)
sub start_new
{
    my ($class, $name, $major, @conf) = @_;
    _remove_leftover($name);
    my $self = $class->new($name, install_path => _install_path($major));
    $self->init(allows_streaming => 'logical', extra => ['--no-locale', '--encoding=UTF8']);
    $self->append_conf('postgresql.conf', join("\n", $settings, grep { defined } @conf));
    $self->start;
    push @started, $self;
    return $self;
}

# start_standby(NAME): a running physical standby of this server.
sub start_standby
{
    my ($self, $name) = @_;
    _remove_leftover($name);
    my $backup = $self->backup_dir . "/$name";
    rmtree($backup);
    $self->backup($name);
    my $standby = __PACKAGE__->new($name, install_path => $self->{_install_path});
    $standby->init_from_backup($self, $name, has_streaming => 1);
    $standby->start;
    push @started, $standby;
    return $standby;
}

# Late minor releases load only the plugins that a setting names; early ones do not know the setting.
sub allow_plugin
{
    my ($self) = @_;
    return unless $self->sql('postgres', q{SELECT 1 FROM pg_settings WHERE name = 'output_plugin_libraries'});
    $self->sql('postgres', q{ALTER SYSTEM SET output_plugin_libraries = 'pgoutput', 'test_decoding', 'penstock'});
    $self->reload;
    PenstockTest::Program::wait_until(
        'the plugin to be allowed',
        sub { $self->sql('postgres', 'SHOW output_plugin_libraries') =~ /penstock/ });
    return;
}

# What a failed run kept would stop the next run of the same test.
sub _remove_leftover
{
    my ($name) = @_;
    my ($test) = basename($0) =~ /^([^.]*)/;
    rmtree("$PostgreSQL::Test::Utils::tmp_check/t_${test}_${name}_data");
    unlink("$PostgreSQL::Test::Utils::log_path/${test}_${name}.log");
    return;
}

sub _install_path
{
    my ($major) = @_;
    return "/usr/lib/postgresql/$major" if -x "/usr/lib/postgresql/$major/bin/postgres";
    my $path = "$ENV{PENSTOCK_SERVERS}/pg$major";
    die "$path is not there: run t/install" . ($major == 18 ? ' --with-18' : '') . "\n" unless -e "$path/PACKAGE";
    return $path;
}

# The connection string of a database, over the socket; uri(DATABASE, tcp => 1, user => NAME) for other ways in.
sub uri
{
    my ($self, $database, %options) = @_;
    my $user = $options{user} // getpwuid($<);
    return sprintf('postgresql://%s@127.0.0.1:%d/%s', $user, $self->port, $database) if $options{tcp};
    return sprintf('postgresql://%s@/%s?host=%s&port=%d', $user, $database, $self->host, $self->port);
}

sub address
{
    my ($self) = @_;
    return '127.0.0.1:' . $self->port;
}

# From now on it speaks TLS to who asks for it, as 127.0.0.1; returns the path of its certificate, which it signed itself.
sub use_tls
{
    my ($self) = @_;
    my ($key, $certificate) = map { $self->data_dir . "/server.$_" } qw(key crt);
    PenstockTest::Program::run_program('openssl', 'req', '-new', '-x509', '-days', '2', '-nodes', '-subj', '/CN=127.0.0.1',
        '-addext', 'subjectAltName = IP:127.0.0.1', '-keyout', $key, '-out', $certificate);
    chmod(0600, $key);
    $self->sql('postgres', 'ALTER SYSTEM SET ssl = on');
    $self->reload;
    PenstockTest::Program::wait_until('TLS', sub { $self->sql('postgres', 'SHOW ssl') eq 'on' });
    return $certificate;
}

# Runs SQL, dies if it fails; returns the rows as psql -At prints them.
sub sql
{
    my ($self, $database, $sql) = @_;
    return $self->safe_psql($database, $sql, on_error_stop => 1);
}

# pgbench(DATABASE, ARGUMENT …): a load in the background, until it is stopped.
sub pgbench
{
    my ($self, $database, @arguments) = @_;
    my $name = 'pgbench' . ++$self->{loads};
    return PenstockTest::Program::background($name, $self->installed_command('pgbench'),
        '--no-vacuum', '--time=3600', @arguments, $self->uri($database));
}

# script(DATABASE, NAME, SQL): one client in the background that does all of it, in psql's words; what fails in it is its own matter.
sub script
{
    my ($self, $database, $name, $sql) = @_;
    my $file = "$PostgreSQL::Test::Utils::tmp_check/$name.sql";
    PenstockTest::write_file($file, $sql);
    return PenstockTest::Program::background($name, 'psql', '-X', '-q', '-f', $file, $self->uri($database));
}

# A point in the WAL behind everything that has been committed, with a commit after it, so that it can be waited for.
sub mark
{
    my ($self, $database) = @_;
    my $lsn = $self->sql($database, 'SELECT pg_current_wal_insert_lsn()');
    $self->sql($database, q{SELECT pg_logical_emit_message(true, 'penstock_test', 'mark')});
    return $lsn;
}

# What a slot holds, as [LSN, bytes] pairs; the slot is left as it is. Options are the plugin's.
sub frames
{
    my ($self, $database, $slot, %options) = @_;
    my $arguments = join('', map { ", '$_', '$options{$_}'" } sort keys %options);
    my $rows = $self->sql($database,
        "SELECT lsn, encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('$slot', NULL, NULL$arguments)");
    return map { my ($lsn, $hex) = split /\|/; [$lsn, pack('H*', $hex)] } split /\n/, $rows;
}

# Ends the server as a power cut would, and starts it again.
sub crash_and_restart
{
    my ($self) = @_;
    $self->stop('immediate');
    $self->start;
    return;
}

sub log_tail
{
    my ($self, $count) = @_;
    my @lines = split /\n/, PostgreSQL::Test::Utils::slurp_file($self->logfile);
    $count //= 25;
    splice(@lines, 0, @lines - $count) if @lines > $count;
    return join("\n", @lines);
}

END {
    my $status = $?;
    if ($status != 0 || !PostgreSQL::Test::Utils::all_tests_passing()) {
        diag("last lines of " . $_->logfile . ":\n" . $_->log_tail) foreach @started;
    }
    $? = $status;
}

# PostgreSQL::Test::Cluster looks for a class of this name when the server is older than it knows by itself. It is for
# recovery.conf, and for max_wal_senders, which $settings decides.
package PenstockTest::Server::V_11;

use parent -norequire, 'PenstockTest::Server';

sub _recovery_file
{
    return 'recovery.conf';
}

sub set_standby_mode
{
    my ($self) = @_;
    $self->append_conf('recovery.conf', "standby_mode = on\n");
    return;
}

1;
