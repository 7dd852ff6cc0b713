# PgBouncers as they are deployed: several processes at one port, a configuration on another host or behind a command, pooling
# by session, and many of them behind one migration.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Asker;
use PenstockTest::Writers;
use PostgreSQL::Test::Cluster;

my $source = start_source('source');
my $target = start_target('target');
my ($from, $to) = map { 'host=127.0.0.1 port=' . $_->port } $source, $target;
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');

# Every switch ends the applier; another begins before the next.
sub ready
{
    $migration->follow unless $migration->{applier} && $migration->{applier}->is_running;
    $migration->wait_until_caught_up;
    return;
}

sub dry_run
{
    my (@options) = @_;
    ready();
    my $result = $migration->run('cutover', (map { ('--proxy' => $_) } @options), '--max-lag' => '1000000000',
        '--target-address' => $target->address, '--dry-run');
    return "$result->{stdout}$result->{stderr}";
}

sub switch
{
    my ($command, @options) = @_;
    my $address = $command eq 'cutover' ? ['--target-address' => $target->address] : ['--source-address' => $source->address];
    return $migration->ok($command, (map { ('--proxy' => $_) } @options), '--max-lag' => '1000000000', @$address, '--yes');
}

# There and back, with writers at work through each, no faster than the one worker of the way back applies. What else is to be seen while they are there:
our $when_there = sub { };

sub there_and_back
{
    my ($what, $options, @proxies) = @_;
    ready();
    $writers->start("load_$_->{name}", $_->uri('app'), '--rate=600') foreach @proxies;
    $writers->go_on($source, "$what: before");
    my $result = switch('cutover', @$options);
    $writers->go_on($target, "$what: there");
    $when_there->();
    switch('rollback', @$options);
    $writers->go_on($source, "$what: back");
    $_->stop('ALRM') foreach @{$writers->{loads}};
    unlike($_->log_text, qr/aborted|ERROR|FATAL/, "$what: no error for $_->{name}") foreach @{$writers->{loads}};
    $writers->{loads} = [];
    return $result;
}

subtest 'two processes at one port' => sub {
    my $port = PostgreSQL::Test::Cluster::get_free_port();
    my $included = PostgreSQL::Test::Utils::tempdir('included') . '/databases.ini';
    write_file($included, "app = $from\n");
    my @both = map {
        PenstockTest::PgBouncer->start_with("shared_$_", databases => "%include $included\n", port => $port,
            settings => "so_reuseport = 1\n", socket => PostgreSQL::Test::Utils::tempdir_short())
    } 1, 2;
    like(dry_run("pgbouncer:postgresql://admin\@127.0.0.1:$port/pgbouncer,config=" . $both[0]->config), qr/so_reuseport/,
        'by the port they cannot be told apart');
    like(dry_run($both[0]->option), qr/2 processes listen at port $port, and 1 of them is named/, 'both have to be named');
    # Their clients come by TCP, and the kernel gives them to either.
    my $clients = bless {%{$both[0]}, socket => undef}, ref $both[0];
    there_and_back('two processes', [map { $_->option } @both], $clients);
    $_->kill9 foreach @both;
};

subtest 'a configuration behind a command, and on another host' => sub {
    my $proxy = PenstockTest::PgBouncer->start_with('elsewhere', databases => "app = $from\n");
    my $bin = PostgreSQL::Test::Utils::tempdir('bin');
    my $config = slurp_file($proxy->config);
    write_file("$bin/config", <<'SH');
#!/bin/sh
# The contract: `read` prints the file; `write` takes a text of $PENSTOCK_BYTES bytes and puts it in its place, or fails.
file=$1
case $2 in
read) cat "$file" ;;
write) cat >"$file.new" && [ "$(wc -c <"$file.new")" -eq "$PENSTOCK_BYTES" ] && mv "$file.new" "$file" ;;
*) exit 2 ;;
esac
SH
    # What ssh does here: it forgets the host, and has a shell do the rest.
    write_file("$bin/ssh", <<'SH');
#!/bin/sh
[ "$1 $2 $3 $4 $5 $6" = "-o BatchMode=yes -o ConnectTimeout=3 -p 2222" ] && [ "$7" = "me@db.example" ] || exit 255
exec sh -c "$8"
SH
    chmod(0755, "$bin/config", "$bin/ssh");
    my $path = $proxy->config;
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    my $console = 'pgbouncer:' . $proxy->admin_uri;
    there_and_back('exec', ["$console,config=exec:$bin/config $path"], $proxy);
    is(slurp_file($path), $config, 'exec: the file is as before');
    there_and_back('ssh', ["$console,config=ssh://me\@db.example:2222$path"], $proxy);
    is(slurp_file($path), $config, 'ssh: the file is as before');
    is(slurp_file("$path.penstock-before"), $config =~ s/$from/$to/r, 'ssh: what was before is kept beside it');

    like(dry_run("$console,config=exec:false"), qr/reading "exec:false".*failed with status 1/s, 'a command that fails');
    like(dry_run("$console,config=exec:cat $path; true"), qr/replac|changed more|has not taken/, 'a command that does not write');
    is(slurp_file($path), $config, 'the file is as before');
    $proxy->kill9;
};

subtest 'TLS between PgBouncer and the servers' => sub {
    plan skip_all => 'no openssl to make a certificate' unless grep { -x "$_/openssl" } split /:/, $ENV{PATH};
    my @certificates = map { slurp_file($_->use_tls) } $source, $target;
    my $trusted = PostgreSQL::Test::Utils::tempdir('tls') . '/ca.crt';
    write_file($trusted, $certificates[0]);
    my $proxy = PenstockTest::PgBouncer->start_with('tls', databases => "app = $from\n",
        settings => "server_tls_sslmode = verify-full\nserver_tls_ca_file = $trusted\n");
    my $encrypted = sub {
        my ($server) = @_;
        return $server->sql('postgres', q{SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity a USING (pid)
            WHERE a.usename = 'app'});
    };
    $proxy->run($proxy->uri('app'), 'SELECT 1');
    is($encrypted->($source), 't', 'it speaks TLS to the source');
    like(dry_run($proxy->option), qr/"app".*cannot log in at .* as PgBouncer does it/, 'a certificate of the target that it does not trust');
    write_file($trusted, join('', @certificates));
    $proxy->run($proxy->admin_uri, 'RELOAD');
    local $when_there = sub { is($encrypted->($target), 't', 'and to the target') };
    there_and_back('tls', [$proxy->option], $proxy);
    $proxy->kill9;
};

subtest 'pooling by session' => sub {
    my $proxy = PenstockTest::PgBouncer->start_with('sessions', databases => "app = $from\n", settings => "pool_mode = session\n");
    my $stays = PenstockTest::Asker->new($proxy->uri('app'));
    $stays->ask('SELECT 1');
    is_deeply($stays->answer, {rows => [['1']]}, 'a session is there, and stays');
    like(dry_run($proxy->option), qr/pools "app" by session; now connected: 1.*sessions=end/s, 'what is possible is said');
    my $result = switch('cutover', $proxy->option . ',sessions=end');
    like($result->{stderr}, qr/ends 1 sessions of "app"/, 'how many clients get an error is said');
    ok($stays->is_answered, 'the session was ended');
    $stays->close;
    like($proxy->run($proxy->uri('app'), 'SHOW server_version')->{stdout}, qr/^14/, 'a new one is at the target');
    switch('rollback', $proxy->option . ',sessions=end');
    like($proxy->run($proxy->uri('app'), 'SHOW server_version')->{stdout}, qr/^11/, 'and back');
    $proxy->kill9;
};

subtest 'two entries of one PgBouncer, named apart' => sub {
    my $proxy = PenstockTest::PgBouncer->start_with('apart', databases => "app = $from\nreports = $from dbname=app\n");
    $proxy->run($proxy->uri($_), 'SELECT 1') foreach qw(app reports);
    there_and_back('apart', [map { $proxy->option . ",database=$_" } qw(app reports)], $proxy);
    like(slurp_file($proxy->config), qr/^app = $from\nreports = $from dbname=app$/m, 'both are back');
    $proxy->kill9;
};

subtest 'ten proxies' => sub {
    my @proxies = map { PenstockTest::PgBouncer->start_with("ten_$_", databases => "app = $from\n") } 1 .. 10;
    $_->run($_->uri('app'), 'SELECT 1') foreach @proxies;
    my $result = there_and_back('ten', [map { $_->option } @proxies], @proxies[0, 9]);
    my ($held) = $result->{stdout} =~ /held for ([\d.]+) s/;
    note("ten proxies: clients were held for $held s");
    like($_->run($_->uri('app'), 'SHOW server_version')->{stdout}, qr/^11/, "$_->{name} is back") foreach @proxies;
    $_->kill9 foreach @proxies;
};

done_testing();
