# What proxies do to a careless cutover is found before clients are held; what shows only later is undone. Each trap is a
# row: what is wrong, and what is said about it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use File::Basename qw(dirname);
use PenstockTest::Pgcat;

my $source = start_source('source');
my $target = start_target('target');
foreach my $server ($source, $target) {
    $server->sql('postgres', q{CREATE ROLE app LOGIN PASSWORD 'app'});
    $server->sql('postgres', 'CREATE DATABASE app');
}
$source->sql('app', 'CREATE TABLE a (id int PRIMARY KEY)');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;

sub slurp { return PostgreSQL::Test::Utils::slurp_file($_[0]) }

sub write_file
{
    my ($path, $text) = @_;
    open(my $file, '>', $path) or die "$path: $!\n";
    print $file $text;
    close($file);
    return;
}

sub steps
{
    return $target->sql('app', q{SELECT count(*) FROM penstock.journal WHERE step NOT IN ('preflight', 'dry run')});
}

sub cutover
{
    my ($kind, $proxy, $config, @options) = @_;
    return ('cutover', '--proxy', "$kind:" . $proxy->admin_uri . ",config=$config", '--target-address',
        '127.0.0.1:' . $target->port, '--max-lag', '1000000000', '--yes', @options);
}

# trap(NAME, PATTERN, COMMAND, BEFORE, AFTER): refused before anything is done.
sub trap
{
    my ($name, $pattern, $command, $before, $after) = @_;
    my $steps = steps();
    $before->();
    my $result = $migration->exits(3, @$command);
    $after->();
    like($result->{stderr}, $pattern, $name);
    is(steps(), $steps, "$name: nobody was held");
    return;
}

# What both kinds have in common.
sub common_traps
{
    my ($kind, $proxy, $ask) = @_;
    my $config = slurp($proxy->config);
    my @command = cutover($kind, $proxy, $proxy->config);
    my $port = $source->port;
    $ask->();
    trap('a user cannot log in at the target', qr/"app".*cannot log in at/, \@command,
        sub { $target->sql('postgres', 'ALTER ROLE app NOLOGIN') },
        sub { $target->sql('postgres', 'ALTER ROLE app LOGIN') });
    trap('the file is not what runs', qr/in its file/, \@command,
        sub { write_file($proxy->config, $config =~ s/(port=|"127.0.0.1", )$port/${1}1/r) },
        sub { write_file($proxy->config, $config) });
    SKIP: {
        skip 'root may write everywhere', 2 if $> == 0;
        trap('the file cannot be replaced', qr/cannot be replaced/, \@command,
            sub { chmod(0555, dirname($proxy->config)) },
            sub { chmod(0755, dirname($proxy->config)) });
    }
    my $blocker = background('old', $source->installed_command('psql'), '-X', '-d', $source->uri('app', user => 'app'),
        '-c', 'BEGIN; SELECT pg_sleep(3600)');
    my $sleeping = q{FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND state = 'active'
        AND pid <> pg_backend_pid()};
    trap('a transaction is old', qr/open .* for more than 0\.2 s/, [@command, '--max-transaction-age', '0.2'],
        sub { wait_until('it to be old', sub { $source->sql('app',
            "SELECT count(*) $sleeping AND xact_start < clock_timestamp() - interval '0.3 s'") == 1 }) },
        sub { $source->sql('app', "SELECT pg_terminate_backend(pid) $sleeping") });
    $blocker->wait;

    # RELOAD says yes and reads another file: seen in SHOW DATABASES, and undone. That file is behind a link, with a mode
    # of its own.
    my ($copy, $link) = map { $proxy->config . $_ } '.copy', '.link';
    write_file($copy, $config);
    chmod(0640, $copy);
    symlink($copy, $link) or die "$link: $!\n";
    my $result = $migration->exits(3, cutover($kind, $proxy, $link));
    like($result->{stderr}, qr/after RELOAD/, 'another file than the one that is read: RELOAD is not believed');
    like($result->{stdout}, qr/Undone/, 'and it is undone');
    is(slurp($copy), $config, 'that file is as before');
    is((stat($copy))[2] & 07777, 0640, 'so is its mode');
    ok(-l $link, 'and the link');
    $ask->();
    return;
}

subtest 'PgBouncer' => sub {
    my $proxy = start_pgbouncer('pgbouncer', app => $source);
    my $admin = sub { is($proxy->run($proxy->admin_uri, $_[0])->{status}, 0, $_[0]) };
    my @command = cutover('pgbouncer', $proxy, $proxy->config);
    common_traps('pgbouncer', $proxy, sub { is($proxy->run($proxy->uri('app', user => 'app'), 'SELECT 1')->{stdout}, "1\n", 'it serves') });
    my @settings = (
        ['query_wait_timeout', 20, 120, qr/query_wait_timeout \(20 s\).*hold limit/],
        ['client_login_timeout', 20, 60, qr/client_login_timeout \(20 s\).*hold limit/],
        ['server_login_retry', 15, 1, qr/server_login_retry \(15 s\).*drain limit.*server_login_retry = 1/s],
        ['pool_mode', 'session', 'transaction', qr/by session/],
    );
    foreach my $row (@settings) {
        my ($name, $bad, $good, $pattern) = @$row;
        trap($name, $pattern, \@command, sub { $admin->("SET $name = $bad") }, sub { $admin->("SET $name = $good") });
    }
    trap('paused', qr/paused/, \@command, sub { $admin->('PAUSE app') }, sub { $admin->('RESUME app') });
};

sub traps_of_pgcat
{
    my ($name, $program) = @_;
    my $proxy = PenstockTest::Pgcat->start_new($name, $program, 'app', $source);
    my $config = slurp($proxy->config);
    my $admin = sub { is($proxy->run($proxy->admin_uri, $_[0])->{status}, 0, $_[0]) };
    my @command = cutover('pgcat', $proxy, $proxy->config);
    common_traps('pgcat', $proxy, sub { is($proxy->run($proxy->uri('app'), 'SELECT 1')->{stdout}, "1\n", 'it serves') });
    like($migration->exits(2, @command[0 .. 1], 'pgcat:' . $proxy->admin_uri, '--yes')->{stderr}, qr/configuration file/,
        'its file cannot be asked for: it must be named');
    trap('paused', qr/is paused in pgcat/, \@command, sub { $admin->('PAUSE app,app') }, sub { $admin->('RESUME app,app') });
    my $state = $proxy->config . '.penstock-gate';
    trap('held by another', qr/held already/, \@command, sub { write_file($state, '{}') }, sub { unlink($state) });
    my @settings = (
        ['general', 'autoreload = 15000'],
        ['general', 'auth_query = "SELECT 1"'],
        ['general', 'verify_server_certificate = true'],
        ['pools.app', 'checkout_failure_limit = 3'],
        ['pools.app.users.0', 'min_pool_size = 2'],
        ['pools.app.users.0', 'connect_timeout = 1000'],
        ['pools.app.users.0', 'pool_mode = "session"'],
        ['pools.app.shards.0', 'mirrors = [["127.0.0.1", 1, 0]]'],
    );
    foreach my $row (@settings) {
        my ($section, $line) = @$row;
        my ($key) = $line =~ /(\w+)/;
        trap("$section: $line", qr/\b$key\b/, \@command,
            sub { write_file($proxy->config, $config =~ s/(\[\Q$section\E\][^\n]*\n)/$1$line\n/r) },
            sub { write_file($proxy->config, $config) });
    }
    $proxy->kill9;
    return;
}

subtest 'pgcat, stand-in' => sub { traps_of_pgcat('stand_in', undef) };
subtest 'real pgcat' => sub {
    my $program = PenstockTest::Pgcat::real();
    plan skip_all => 'no pgcat: set PGCAT, or put it in PATH' unless defined $program;
    traps_of_pgcat('real', $program);
};
done_testing();
