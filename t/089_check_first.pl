# What stands in the way of the copy, of the switch and of the way back is named in one run of check, before anything is copied, with
# the statements that mend it; copy refuses until then, unless it is forced, and remembers that. Behind a check that is content,
# cutover --dry-run has nothing new to say.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target', conf => "wal_level = replica\nmax_replication_slots = 0");
app_database('app', $source);
$target->sql('postgres', 'CREATE DATABASE app');
$source->sql('app', <<'SQL');
CREATE TABLE shop (id int PRIMARY KEY);
CREATE TABLE line (id int PRIMARY KEY, shop int REFERENCES shop, n int CHECK (n > 0));
GRANT ALL ON shop, line TO app;
INSERT INTO shop VALUES (1);
INSERT INTO line VALUES (1, 1, 1);
SET session_replication_role = replica;
INSERT INTO line VALUES (2, 2, 1);
CREATE FUNCTION tax(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN (SELECT $1 FROM shop LIMIT 1); END';
CREATE INDEX taxed ON line (tax(n));
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple, STOPWORDS = 'english');
SQL
my $proxy = PenstockTest::PgBouncer->start_with('pgbouncer',
    databases => 'app = host=127.0.0.1 port=' . $source->port . " dbname=app\n",
    settings => "server_login_retry = 15\nquery_wait_timeout = 20\npool_mode = session");
is($proxy->run($proxy->uri('app'), 'SELECT 1')->{stdout}, "1\n", 'the application has been here');

my $migration = migration($source, $target, database => 'app', checks_first => 1);
my @ahead = ('--proxy' => $proxy->option, '--target-address' => $target->address);

# Id of a check → [status, findings as text].
sub outcomes
{
    my ($status, @options) = @_;
    my $result = $migration->exits($status, 'check', '--json', @ahead, @options);
    return map {
        $_->{id} => [$_->{status}, join("\n", map { join(' | ', map { $_ // '' } @$_{qw(object detail hint fix)}) } @{$_->{findings}})]
    } @{decode_json($result->{stdout})};
}

my %found = outcomes(1);
is($found{$_}[0], 'problem', "$_ is a problem") foreach qw(way-back-servers proxy roles broken-constraints);
like($found{'way-back-servers'}[1], qr/wal_level = replica.*ALTER SYSTEM SET wal_level = logical;.*ALTER SYSTEM SET max_replication_slots = 4;/s,
    'all that the way back lacks');
like($found{proxy}[1], $_, "of the proxy: $_")
  foreach qr/by session/, qr/server_login_retry \(15 s\)/, qr/query_wait_timeout \(20 s\)/, qr/"app", a user of "app", cannot log in/;
like($found{'broken-constraints'}[1], qr/^public\.line line_shop_fkey .*ADD CONSTRAINT line_shop_fkey FOREIGN KEY .* NOT VALID;$/,
    'the row that breaks a foreign key');
like($found{'function-search-path'}[1], qr/^public\.tax\(integer\) .*index public\.taxed;.* names shop .*ALTER FUNCTION .*tax\(integer\) SET search_path = public;$/,
    'a function in an index that finds its table by the search_path');
is($found{'dictionary-files'}[0], 'ok', 'files of dictionaries are equal');

my $refused = $migration->exits(3, 'copy', @ahead, '--roles', '--no-trial');
like($refused->{stderr}, qr/query_wait_timeout.*has found \d+ problems.*--force/s, 'copy refuses, and says why');
is($target->sql('app', q(SELECT to_regclass('public.shop'), to_regnamespace('penstock'))), '|', 'and has made nothing');
is($target->sql('postgres', q(SELECT count(*) FROM pg_roles WHERE rolname = 'app')), '1', 'but the roles, which it was told to make');

# Mended, by what was printed.
$target->sql('postgres', $_) foreach $found{'way-back-servers'}[1] =~ /(ALTER SYSTEM [^;]+);/g;
$target->restart;
$source->sql('app', $_) foreach map { $found{$_}[1] =~ /(ALTER [^;]+);/g } qw(broken-constraints function-search-path);
write_file($proxy->config, slurp_file($proxy->config) =~ s/server_login_retry = 15/server_login_retry = 1/r
      =~ s/query_wait_timeout = 20/query_wait_timeout = 120/r =~ s/pool_mode = session/pool_mode = transaction/r);
is($proxy->run($proxy->admin_uri, 'RELOAD')->{status}, 0, 'the file of PgBouncer is mended');

my $said = $migration->exits(0, 'check', @ahead)->{stdout};
like($said, qr/ 0 warnings, 0 problems.*\.\nNext: `penstock copy`/, 'and check is content') or diag $said;
$migration->exits(0, 'copy', @ahead, '--no-trial');
$migration->follow;
$migration->wait_until_caught_up;
my $dry = $migration->ok('cutover', @ahead, '--max-lag' => 1e9, '--dry-run');
is($dry->{stderr}, '', 'cutover --dry-run has nothing new to say') or diag $dry->{stdout};

# A transaction that does not end keeps the clients waiting: whose it is is said meanwhile, and not only behind the limit.
my $blocker = PenstockTest::Blocker->start($source, 'app', 'SELECT', $proxy->uri('app'));
my $held = $migration->exits(3, 'cutover', @ahead, '--max-lag' => 1e9, '--drain-limit' => 3, '--yes');
like($held->{stderr}, qr/clients wait; in the way on the source since \d+\.\d s: pid \d+ \(app\), active/, 'who is in the way is said');
$blocker->end;

# A secret is in no message, even where the string cannot be read.
unlike($migration->exits(2, 'cutover', @ahead, '--reverse-conninfo' => 'host=x password=hush hush', '--dry-run')->{stderr}, qr/hush/,
    'no secret in an error');
$migration->{applier}->stop;

# What is accepted is remembered: check knows it again, and does not say no any more.
$_->sql('postgres', 'CREATE DATABASE forced') foreach $source, $target;
$source->sql('forced', 'CREATE TABLE plain (id int); INSERT INTO plain VALUES (1); UPDATE plain SET id = 2');
wait_until('the statistics to show it', sub { $source->sql('forced', 'SELECT sum(n_tup_upd) FROM pg_stat_user_tables') eq '1' });
$migration = migration($source, $target, database => 'forced', name => 'forced', checks_first => 1);
@ahead = ('--proxy' => 'none');
$migration->exits(3, 'copy', @ahead, '--no-trial');
like($migration->exits(0, 'copy', @ahead, '--no-trial', '--force')->{stderr}, qr/going on with 1 problem,/, 'forced');
is($target->sql('forced', 'SELECT check_id, object FROM penstock.accepted'), 'replica-identity|public.plain', 'it is in the state');
%found = outcomes(0);
is($found{'replica-identity'}[0], 'accepted', 'check knows what was accepted');
like($migration->ok('status')->{stdout}, qr/^accepted +replica-identity: public\.plain: /m, 'status lists it');
$source->sql('forced', 'ALTER TABLE plain REPLICA IDENTITY FULL; CREATE TABLE late (id int); INSERT INTO late VALUES (1); DELETE FROM late');
wait_until('the statistics to show it', sub { $source->sql('forced', 'SELECT sum(n_tup_del) FROM pg_stat_user_tables') eq '1' });
%found = outcomes(1);
is($found{'replica-identity'}[0], 'problem', 'another one of the kind is none of them');
$migration->ok('finish', '--abandon');
unlike(slurp_file($source->logfile), qr/CREATE SUBSCRIPTION .* CONNECTION/, 'the connection string of the way back is in no log');
done_testing();
