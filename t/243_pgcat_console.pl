# What the pgcat adapter builds on: the same assertions for the stand-in and, where there is one, a real pgcat.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Asker;
use PenstockTest::Pgcat;

my $source = start_source('source');
my $target = start_target('target');
my $port = $source->port;
app_database('app', $source, $target);

sub write_config
{
    my ($proxy, $text) = @_;
    write_file($proxy->config . '.new', $text);
    rename($proxy->config . '.new', $proxy->config) or die "$!\n";
    return;
}

# psql through the proxy, in the background, with what it says in its log.
sub client
{
    my ($proxy, @commands) = @_;
    return background('client', $source->installed_command('psql'), '-XAtq', '-d', $proxy->uri('app'),
        map { ('-c', $_) } @commands);
}

sub behaves
{
    my ($name, $program) = @_;
    my $proxy = PenstockTest::Pgcat->start_new($name, $program, 'app', $source);
    my $admin = sub { return $proxy->run($proxy->admin_uri, $_[0]) };
    my $ask = sub { return $proxy->run($proxy->uri('app'), $_[0])->{stdout} };
    my $shown = sub { return join(' ', grep { /^app_shard_0_primary/ } split /\n/, $admin->('SHOW DATABASES')->{stdout}) };
    my $config = slurp_file($proxy->config);
    (my $moved = $config) =~ s/\b$port\b/@{[$target->port]}/;
    my $backend = $ask->('SELECT pg_backend_pid()');

    # The console: simple queries only; an error keeps the connection.
    my $result = run_program('psql', '-XAtq', '-d', $proxy->admin_uri, '-c', 'BOGUS', '-c', 'SHOW VERSION');
    like($result->{stderr}, qr/FATAL/, 'an unknown command is a FATAL');
    is($result->{status}, 0, 'that keeps the connection');
    my $script = "$PostgreSQL::Test::Utils::tmp_check/console_$name.sql";
    write_file($script, "SHOW VERSION;\n");
    my @pgbench = ($source->installed_command('pgbench'), '-n', '-t', '1', '-f', $script);
    isnt(run_program(@pgbench, '-M', 'extended', $proxy->admin_uri)->{status}, 0, 'the extended protocol is refused');
    $result = run_program('psql', '-Xq', '-d', $proxy->admin_uri, '-c', 'SHOW DATABASES', '-c', 'SHOW POOLS');
    like($result->{stdout}, qr/^\s*\Q$_\E\s*\||\|\s*\Q$_\E\s*(?:\||$)/m, "it shows $_")
      foreach qw(name host port database paused user sv_active);

    # RELOAD keeps what has not changed, and believes no file that it cannot read.
    is($admin->('RELOAD')->{status}, 0, 'RELOAD');
    is($ask->('SELECT pg_backend_pid()'), $backend, 'a section that has not changed keeps its server');
    write_config($proxy, "$config\n[pools.app\n");
    isnt($admin->('RELOAD')->{status}, 0, 'a bad file ends the connection of the console');
    like($shown->(), qr/\b$port\b/, 'and the old one serves on');
    is($ask->('SELECT pg_backend_pid()'), $backend, 'with the same server');

    # A transaction that is open ends where it began; the next goes where the file says.
    my $open = client($proxy, 'BEGIN', 'SELECT pg_sleep(3600)', 'COMMIT');
    my $sleeping = q{FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND state = 'active'
        AND pid <> pg_backend_pid()};
    wait_until('the open transaction', sub { $source->sql('app', "SELECT count(*) $sleeping") == 1 });
    write_config($proxy, $moved);
    is($admin->('RELOAD')->{status}, 0, 'RELOAD with another server');
    like($shown->(), qr/\b@{[$target->port]}\b/, 'SHOW DATABASES says so');
    is($source->sql('app', "SELECT count(*) $sleeping"), 1, 'the open transaction goes on');
    like($ask->('SHOW server_version'), qr/^14/, 'the next is at the other server');
    $source->sql('app', "SELECT pg_cancel_backend(pid) $sleeping");
    $open->wait;

    # PAUSE returns at once; who waits over a RELOAD waits for ever. A question counts once the proxy has read it.
    my $asker = PenstockTest::Asker->new($proxy->uri('app'));
    is($admin->('PAUSE app,app')->{status}, 0, 'PAUSE returns');
    $asker->ask('SELECT 1');
    like($shown->(), qr/\|1\|0|\|1$/, 'SHOW DATABASES says that it is paused');
    ok(!$asker->is_answered, 'who asks now waits');
    is($admin->('RESUME app,app')->{status}, 0, 'RESUME');
    is_deeply($asker->answer, {rows => [['1']]}, 'who waited goes on');
    $admin->('PAUSE app,app');
    $asker->ask('SELECT 2');
    write_config($proxy, $config);
    $admin->('RELOAD');
    $admin->('RESUME app,app');
    like($ask->('SHOW server_version'), qr/^11/, 'a new client goes on');
    ok(!$asker->is_answered, 'who waited does not');
    $asker->close;
    $admin->('PAUSE app, app');
    like($shown->(), qr/\|1\|0|\|1$/, 'PAUSE with a space is of every pool');
    $proxy->kill9;
    return;
}

PenstockTest::Pgcat::with_each(\&behaves);
done_testing();
