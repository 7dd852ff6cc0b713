# What PgBouncer is told to read is proved before anybody is held: a file with an error, settings that a RELOAD would change,
# a file that its user may not read. And all entries that lead to the database move together, wherever they are written.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
$source->sql('app', 'CREATE TABLE a (id int PRIMARY KEY)');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;
my ($from, $to) = map { 'host=127.0.0.1 port=' . $_->port } $source, $target;

sub refused
{
    my ($name, $proxy, $pattern) = @_;
    my $result = $migration->run($migration->cutover_words($proxy), '--dry-run');
    isnt($result->{status}, 0, "$name: refused");
    like("$result->{stdout}$result->{stderr}", $pattern, "$name: and why");
    return $result;
}

sub serves
{
    my ($proxy, $database) = @_;
    return is($proxy->run($proxy->uri($database), 'SELECT 1')->{stdout}, "1\n", "$database is served");
}

# What a rehearsal of that migration, which moves that entry, leaves in the file when it is killed: its key is FNV-1a of both names.
sub leftover
{
    my ($migration, $entry, $place) = @_;
    my $hash = 2166136261;
    $hash = (($hash ^ ord $_) * 16777619) & 0xffffffff foreach split //, "$migration/$entry";
    my $key = sprintf 'r%08x', $hash;
    return "; penstock: a rehearsal $key, taken away by itself\n[databases]\npenstock_rehearsal_${key}_0_now = $place\n"
      . "; penstock: end of the rehearsal $key\n";
}

sub behaves
{
    my ($version, $program) = @_;
    my $proxy = PenstockTest::PgBouncer->start_with("pgbouncer_$version", databases => "app = $from\n", program => $program);
    my $config = slurp_file($proxy->config);
    my %settings = $proxy->settings;
    my $as_before = sub {
        my ($name, $file) = @_;
        is_deeply({$proxy->settings}, \%settings, "$name: every setting is as before");
        is(slurp_file($proxy->config), $file, "$name: so is the file");
        serves($proxy, 'app');
    };
    serves($proxy, 'app');

    # Found before RELOAD, which would give defaults to all that follows: pool_mode session, admin_users nobody.
    my $bad = $config =~ s/^(admin_users)/no_such_setting = 1\n$1/mr;
    write_file($proxy->config, $bad);
    refused('an unknown setting', $proxy, qr/no_such_setting.*no setting of that name/);
    $as_before->('an unknown setting', $bad);
    write_file($proxy->config, $bad = $config =~ s/^(admin_users)/no equals sign\n$1/mr);
    refused('a broken line', $proxy, qr/line \d+.*no KEY = VALUE/);
    $as_before->('a broken line', $bad);

    # A value that only PgBouncer can judge: it has its defaults for a moment, and gets its settings back.
    write_file($proxy->config, $bad = $config =~ s/^(auth_type) = trust/$1 = banana/mr);
    refused('a bad value', $proxy, qr/reloading .* as it is/);
    $as_before->('a bad value', $bad);

    # What was set by hand would be lost.
    write_file($proxy->config, $config);
    $proxy->run($proxy->admin_uri, 'SET max_client_conn = 150');
    refused('a setting by hand', $proxy, qr/max_client_conn from "150" to "200"/);
    is({$proxy->settings}->{max_client_conn}, 150, 'it is set back');
    $proxy->run($proxy->admin_uri, 'RELOAD');

    # A rehearsal that was killed leaves lines behind; those of another migration are its own affair.
    my $own = leftover('default', 'app', $from);
    my $others = leftover('another', 'app', $from);
    write_file($proxy->config, "$config$others$own");
    $migration->ok($migration->cutover_words($proxy), '--dry-run');
    $as_before->('leftover lines', "$config$others");
    write_file($proxy->config, $config);
    $proxy->run($proxy->admin_uri, 'RELOAD');
    is(scalar(grep { $_->{name} =~ /penstock/ } $proxy->show('DATABASES')), 0, 'no entry of ours is left');
    $proxy->kill9;
    return;
}

subtest "PgBouncer $_->[0]" => \&behaves, @$_ foreach PenstockTest::PgBouncer::programs();

# give_up_in_the_hold(PROXY, WHAT, MEANWHILE): a cutover whose drain passes its limit, with something done while clients wait.
sub give_up_in_the_hold
{
    my ($proxy, $what, $meanwhile) = @_;
    serves($proxy, 'app');
    my $blocker = PenstockTest::Blocker->start($source, 'app', 'SELECT', $source->uri('app', tcp => 1, user => 'app'));
    my $steps = sub { $target->sql('app', q{SELECT count(*) FROM penstock.journal WHERE step = 'drain' AND event = 'begin'}) };
    my $before = $steps->();
    my $cutover = background('cutover', $migration->command($migration->cutover_words($proxy), '--yes', '--drain-limit', '4'));
    wait_until('clients to be held', sub { $steps->() > $before });
    $meanwhile->();
    is($cutover->wait, 3, "$what: the drain ends with its limit");
    like($cutover->log_text, qr/Undone/, "$what: and is undone");
    unlike($cutover->log_text, qr/still be held/, "$what: nobody may still be held");
    $blocker->end;
    serves($proxy, 'app');
    return;
}

subtest 'the file is gone, or PgBouncer was restarted, while clients are held' => sub {
    my $proxy = PenstockTest::PgBouncer->start_with('gone', databases => "app = $from\n");
    give_up_in_the_hold($proxy, 'no file', sub { rename($proxy->config, $proxy->config . '.away') or die "$!\n" });
    rename($proxy->config . '.away', $proxy->config) or die "$!\n";
    give_up_in_the_hold($proxy, 'a restart', sub {
        $proxy->kill9;
        $proxy->process->start;
        $proxy->wait_until_it_answers;
    });
    $proxy->kill9;
};

# The line is in an included file; `*` in the main one serves others, with a pool size of its own.
subtest 'included files, and entries that go together' => sub {
    my $included = PostgreSQL::Test::Utils::tempdir('included') . '/databases.ini';
    write_file($included, "; the databases\napp = $from pool_size=3\nreports = $from dbname=app pool_size=2\n");
    my $proxy = PenstockTest::PgBouncer->start_with('included',
        databases => "%include $included\nother = $from dbname=postgres\n* = $from pool_size=10\n");
    my $config = slurp_file($proxy->config);
    serves($proxy, $_) foreach qw(app reports);
    # One that was named moves alone, and who stays behind is named.
    my $option = $proxy->option . ',database=app';
    my $result = $migration->run('cutover', '--proxy' => $option, '--target-address' => $target->address, '--max-lag' => 1e9,
        '--dry-run');
    like("$result->{stdout}$result->{stderr}", qr/"reports" leads to the same database and does not move/,
        'with database= the other is named');

    $result = $migration->ok($migration->cutover_words($proxy), '--yes');
    like($result->{stdout}, qr/"app" and 1 more \(reports\)/, 'both are named');
    is(slurp_file($included), "; the databases\napp = $to pool_size=3\nreports = $to dbname=app pool_size=2\n",
        'both lines lead to the target, where they are written');
    is(slurp_file($proxy->config), $config, 'the file that includes them is as before');
    like($proxy->run($proxy->uri($_), 'SHOW server_version')->{stdout}, qr/^14/, "$_ is at the target") foreach qw(app reports);
    like($proxy->run($proxy->uri('other'), 'SHOW server_version')->{stdout}, qr/^11/, 'another database is not');
    $migration->ok($migration->rollback_words($proxy), '--yes');
    is(slurp_file($included), "; the databases\napp = $from pool_size=3\nreports = $from dbname=app pool_size=2\n",
        'and back');
    like($proxy->run($proxy->uri($_), 'SHOW server_version')->{stdout}, qr/^11/, "$_ is at the source") foreach qw(app reports);
    $proxy->kill9;
};

done_testing();
