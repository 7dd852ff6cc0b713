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
app_database('app', $source, $target);
$source->sql('app', 'CREATE TABLE a (id int PRIMARY KEY)');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;

sub steps
{
    return $target->sql('app', q{SELECT count(*) FROM penstock.journal WHERE step NOT IN ('preflight', 'dry run')});
}

sub cutover
{
    my ($option) = @_;
    return ('cutover', '--proxy' => $option, '--target-address' => $target->address, '--max-lag' => '1000000000', '--yes');
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
    my ($proxy) = @_;
    my $config = slurp_file($proxy->config);
    my @command = cutover($proxy->option);
    my $serves = sub { is($proxy->run($proxy->uri('app'), 'SELECT 1')->{stdout}, "1\n", 'it serves') };
    my $port = $source->port;
    $serves->();
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
    my $blocker = PenstockTest::Blocker->start($source, 'app', 'SELECT', $source->uri('app', user => 'app'));
    trap('a transaction is old', qr/open .* for more than 0\.2 s/, [@command, '--max-transaction-age', '0.2'],
        sub { wait_until('it to be old', sub { $blocker->ask(q{now() - xact_start > interval '0.3 s'}) eq 't' }) },
        sub { $blocker->end });

    # RELOAD says yes and reads another file: a rehearsal shows it, in SHOW DATABASES.
    # That file is behind a link, with a mode of its own.
    my ($copy, $link) = map { $proxy->config . $_ } '.copy', '.link';
    write_file($copy, $config);
    chmod(0640, $copy);
    symlink($copy, $link) or die "$link: $!\n";
    my $steps = steps();
    my $result = $migration->exits(3, cutover($proxy->option($link)));
    like($result->{stderr}, qr/after RELOAD/, 'another file than the one that is read: RELOAD is not believed');
    is(steps(), $steps, 'and nobody was held');
    is(slurp_file($copy), $config, 'that file is as before');
    is((stat($copy))[2] & 07777, 0640, 'so is its mode');
    ok(-l $link, 'and the link');
    $serves->();
    return;
}

subtest 'PgBouncer' => sub {
    my $proxy = start_pgbouncer('pgbouncer', app => $source);
    my $admin = sub { is($proxy->run($proxy->admin_uri, $_[0])->{status}, 0, $_[0]) };
    my @command = cutover($proxy->option);
    common_traps($proxy);
    my @settings = (
        ['query_wait_timeout', 20, 120, qr/query_wait_timeout \(20 s\).*hold limit/],
        ['client_login_timeout', 20, 60, qr/client_login_timeout \(20 s\).*hold limit/],
        ['query_timeout', 20, 0, qr/query_timeout \(20 s\).*hold limit/],
        ['server_login_retry', 5, 1, qr/server_login_retry \(5 s\).*server_login_retry = 1/s],
        ['pool_mode', 'session', 'transaction', qr/by session/],
    );
    foreach my $row (@settings) {
        my ($name, $bad, $good, $pattern) = @$row;
        trap($name, $pattern, \@command, sub { $admin->("SET $name = $bad") }, sub { $admin->("SET $name = $good") });
    }
    trap('paused', qr/paused/, \@command, sub { $admin->('PAUSE app') }, sub { $admin->('RESUME app') });
    trap('paused as a whole', qr/paused/, \@command, sub { $admin->('PAUSE') }, sub { $admin->('RESUME') });
};

sub traps_of_pgcat
{
    my ($name, $program) = @_;
    my $proxy = PenstockTest::Pgcat->start_new($name, $program, 'app', $source);
    my $config = slurp_file($proxy->config);
    my $admin = sub { is($proxy->run($proxy->admin_uri, $_[0])->{status}, 0, $_[0]) };
    my @command = cutover($proxy->option);
    common_traps($proxy);
    like($migration->exits(2, @command[0 .. 1], 'pgcat:' . $proxy->admin_uri, '--yes')->{stderr}, qr/configuration file/,
        'its file cannot be asked for: it must be named');
    my @few = ('sh', '-c', 'ulimit -n 100; exec "$@"', 'sh', $migration->command(@command));
    like(run_program(@few)->{stderr}, qr/pools may have 20 connections, and the gate can take 18/,
        'too few descriptors for the gate');
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

PenstockTest::Pgcat::with_each(\&traps_of_pgcat);
done_testing();
