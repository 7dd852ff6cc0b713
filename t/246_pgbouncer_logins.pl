# What PgBouncer's logins at the target will meet is tried by PgBouncer itself before anybody is held: hashes instead of
# passwords, another salt, md5 where SCRAM is asked for, auth_query, pg_hba.conf.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my @both = (start_source('source', conf => "password_encryption = 'scram-sha-256'"),
    start_target('target', conf => "password_encryption = 'scram-sha-256'"));
my ($source, $target) = @both;

# The file of who may log in how; rules of ours come first.
sub ask_for
{
    my ($server, @rules) = @_;
    my $user = getpwuid($<);
    my $file = $server->data_dir . '/pg_hba.conf';
    write_file($file, join("\n", @rules, "local all all trust", "host all $user 127.0.0.1/32 trust",
        "host replication all 127.0.0.1/32 trust", 'host all all 127.0.0.1/32 scram-sha-256', ''));
    $server->reload;
    return;
}

sub secret
{
    my ($server, $role) = @_;
    return $server->sql('postgres', "SELECT rolpassword FROM pg_authid WHERE rolname = '$role'");
}

app_database('app', @both);
ask_for($_) foreach @both;
$_->sql('postgres', q{CREATE ROLE other LOGIN PASSWORD 'other'; CREATE ROLE old LOGIN; CREATE ROLE asker LOGIN PASSWORD 'asker'})
  foreach @both;
$target->sql('postgres', sprintf(q{ALTER ROLE %s PASSWORD '%s'}, $_, secret($source, $_))) foreach qw(app other asker);
$source->sql('app', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY);
CREATE FUNCTION who(name text) RETURNS TABLE (usename name, passwd text) LANGUAGE sql SECURITY DEFINER AS
    'SELECT usename, passwd FROM pg_catalog.pg_shadow WHERE usename = name';
REVOKE ALL ON FUNCTION who FROM public;
GRANT EXECUTE ON FUNCTION who TO asker;
SQL
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;
my $from = 'host=127.0.0.1 port=' . $source->port;

# dry_run(PROXY, MORE of --proxy): what the preflight says.
sub dry_run
{
    my ($proxy, $more) = @_;
    my $result = $migration->run('cutover', '--proxy' => $proxy->option . ($more // ''), '--max-lag' => '1000000000',
        '--target-address' => $target->address, '--accept-drift', '--dry-run');
    return {status => $result->{status}, text => $result->{stdout} . $result->{stderr}};
}

# A proxy of a kind that is only a word.
sub PenstockTest::NoProxy::option
{
    return 'none';
}

sub refused
{
    my ($name, $proxy, $pattern, $more) = @_;
    my $result = dry_run($proxy, $more);
    isnt($result->{status}, 0, "$name: refused");
    like($result->{text}, $pattern, "$name: and why");
    return;
}

sub accepted
{
    my ($name, $proxy, $more) = @_;
    my $result = dry_run($proxy, $more);
    is($result->{status}, 0, "$name: accepted") or diag($result->{text});
    return $result->{text};
}

sub logs_in
{
    my ($proxy, $user, $password) = @_;
    return is($proxy->run($proxy->uri('app', user => $user, password => $password), 'SELECT current_user')->{stdout},
        "$user\n", "$user gets in");
}

my %passwords = (admin => 'secret', app => 'app', other => 'other', old => 'old', asker => 'asker');

sub behaves
{
    my ($version, $program) = @_;
    my $users = sprintf(qq("admin" "secret"\n"app" "%s"\n"other" "%s"\n), secret($source, 'app'), secret($source, 'other'));
    my $proxy = PenstockTest::PgBouncer->start_with("hashes_$version", databases => "app = $from\n", program => $program,
        users => $users, password => \%passwords, settings => "auth_type = scram-sha-256\n");
    like(accepted('no client yet', $proxy), qr/no client of "app" yet/, 'that nothing could be tried is said');
    logs_in($proxy, $_, $_) foreach qw(app other);
    accepted('SCRAM secrets, the same on both sides', $proxy);

    my $same = secret($target, 'other');
    $target->sql('postgres', q{ALTER ROLE other PASSWORD 'other'});
    refused('the same password with another salt', $proxy, qr/"other".*cannot log in at .* as PgBouncer does it/);
    $target->sql('postgres', "ALTER ROLE other PASSWORD '$same'");
    accepted('the same salt again', $proxy);

    ask_for($target, 'host app app 127.0.0.1/32 reject');
    refused('pg_hba.conf of the target', $proxy, qr/"app".*cannot log in.*pg_hba\.conf rejects/);
    ask_for($target);
    $proxy->kill9;
    return;
}

subtest "SCRAM secrets, PgBouncer $_->[0]" => \&behaves, @$_ foreach PenstockTest::PgBouncer::programs();

subtest 'md5' => sub {
    my $hash = $source->sql('postgres', q{SELECT 'md5' || md5('old' || 'old')});
    $source->sql('postgres', "ALTER ROLE old PASSWORD '$hash'");
    $target->sql('postgres', q{ALTER ROLE old PASSWORD 'old'});
    ask_for($source, 'host all old 127.0.0.1/32 md5');
    my $proxy = PenstockTest::PgBouncer->start_with('md5', databases => "app = $from\n", password => \%passwords,
        users => qq("admin" "secret"\n"old" "$hash"\n), settings => "auth_type = md5\n");
    logs_in($proxy, 'old', 'old');
    local $ENV{PGPASSWORD} = 'old';    # the console's, perhaps: not what PgBouncer knows
    refused('an md5 hash where SCRAM is asked for', $proxy, qr/"old".*cannot log in at/);
    delete $ENV{PGPASSWORD};
    $target->sql('postgres', "ALTER ROLE old PASSWORD '$hash'");
    ask_for($target, 'host all old 127.0.0.1/32 md5');
    accepted('md5 on both sides', $proxy);
    $proxy->kill9;
    ask_for($_) foreach @both;
};

subtest 'auth_query' => sub {
    my $proxy = PenstockTest::PgBouncer->start_with('auth_query', databases => "app = $from auth_user=asker\n",
        users => qq("admin" "secret"\n"asker" "asker"\n), password => \%passwords,
        settings => "auth_type = scram-sha-256\nauth_query = SELECT usename, passwd FROM who(\$1)\n");
    logs_in($proxy, 'app', 'app');
    $target->sql('app', 'REVOKE EXECUTE ON FUNCTION who FROM asker');
    refused('auth_user may not call the function at the target', $proxy, qr/"app".*cannot log in at .* as PgBouncer does it/);
    $target->sql('app', 'GRANT EXECUTE ON FUNCTION who TO asker');
    refused('whose password only the server knows', $proxy, qr/could not be tried for "app" of "app".*logins=accept/s);
    like(accepted('which is accepted', $proxy, ',logins=accept'), qr/could not be tried for "app" of "app"/, 'and warned of');
    my $none = bless {}, 'PenstockTest::NoProxy';
    accepted('without a proxy, the sessions of now would get in', $none);
    # Nobody can log in as app, but what pg_hba.conf says is known.
    logs_in($proxy, 'app', 'app');
    my $scram = secret($source, 'app');
    $_->sql('postgres', q{SELECT format('ALTER ROLE app PASSWORD %L', concat('md5', md5('appapp'))) \gexec}) foreach @both;
    refused('md5 where SCRAM is asked for', $proxy, qr/"app".*cannot log in at .*: from 127\.0\.0\.1: line 4 of pg_hba\.conf there asks for scram-sha-256, and .* md5/);
    like(accepted('the same, accepted', $proxy, ',logins=accept'), qr/accepted: "app" would not get in: .*line 4/, 'is named');
    $_->sql('postgres', "ALTER ROLE app PASSWORD '$scram'") foreach @both;
    ask_for($target, 'host all asker 127.0.0.1/32 scram-sha-256', 'host app app,other 127.0.0.0/8 reject');
    refused('who is rejected, without a proxy', $none, qr/would be turned away "app" from 127\.0\.0\.1: line 2 of pg_hba\.conf there rejects it/);
    like(accepted('accepted without a proxy', $none, ',logins=accept'), qr/accepted: .*"app" from 127\.0\.0\.1: line 2/, 'and named');
    ask_for($target);
    $proxy->kill9;
};

# TLS as PgBouncer is told to, which is not what libpq would do by itself.
subtest 'server_tls_sslmode' => sub {
    plan skip_all => 'no openssl to make a certificate' unless grep { -x "$_/openssl" } split /:/, $ENV{PATH};
    $source->use_tls;
    my $proxy = PenstockTest::PgBouncer->start_with('tls', databases => "app = $from\n", password => \%passwords,
        users => qq("admin" "secret"\n"app" "app"\n), settings => "auth_type = scram-sha-256\nserver_tls_sslmode = require\n");
    logs_in($proxy, 'app', 'app');
    refused('TLS is required, and the target has none', $proxy, qr/"app".*cannot log in at .* as PgBouncer does it/);
    $target->use_tls;
    accepted('now it has', $proxy);
    $proxy->kill9;
};

# The console's user may come in there only: then each user is tried with what auth_file says.
subtest 'forced users, and passwords in auth_file' => sub {
    my $proxy = PenstockTest::PgBouncer->start_with('plain',
        databases => "app = $from\nforced = $from dbname=app user=other password=other\n",
        users => qq("admin" "secret"\n"app" "app"\n"other" "other"\n), password => \%passwords,
        settings => "auth_type = scram-sha-256\n");
    logs_in($proxy, 'app', 'app');
    is($proxy->run($proxy->uri('forced'), 'SELECT current_user')->{stdout}, "other\n", 'the forced user gets in');
    accepted('all of them', $proxy);
    $target->sql('postgres', 'ALTER ROLE other NOLOGIN');
    refused('the forced user may not log in at the target', $proxy, qr/"other", a user of "forced", cannot log in/);
    $proxy->kill9;
};

# In auth_file, and not connected since PgBouncer was started.
subtest 'users who have not been seen' => sub {
    my $proxy = PenstockTest::PgBouncer->start_with('unseen', databases => "app = $from\n", users => qq("admin" "secret"\n"app" "app"\n"other" "other"\n"nobody" "x"\n),
        password => \%passwords, settings => "auth_type = scram-sha-256\n");
    logs_in($proxy, 'app', 'app');
    refused('one who may not log in at the target', $proxy, qr/"other", a user of "app", cannot log in/);
    like(accepted('which is accepted', $proxy, ',logins=accept'), qr/accepted: "other" of auth_file cannot log in there/, 'and listed');
    $target->sql('postgres', 'ALTER ROLE other LOGIN');
    accepted('who gets in nowhere is not missed', $proxy);
    $proxy->kill9;
};

done_testing();
