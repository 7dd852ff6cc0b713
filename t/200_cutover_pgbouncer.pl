# The switch behind PgBouncer while clients write: none of them sees an error, and nothing they were told is lost.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Writers;
use JSON::PP qw(decode_json);

my $source = start_source('source', conf => "max_prepared_transactions = 4\n");
my $target = start_target('target');
my $user = getpwuid($<);

app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
$source->sql('app', <<'SQL');
ALTER TABLE written ADD weight float8 DEFAULT random();
CREATE TABLE still (name text, amount numeric);
INSERT INTO still SELECT 'name ' || i, i / 7.0 FROM generate_series(1, 500) i;
-- Who looks through the proxy may not touch the application's tables: not even an update of no row goes by unnoticed.
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'somebody touched it'; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON written FOR EACH STATEMENT EXECUTE PROCEDURE touched();
SQL

my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $migration = migration($source, $target, database => 'app');
my @cutover = $migration->cutover_words($proxy);
$migration->ok('copy');
my $applier = $migration->follow;
$migration->wait_until_caught_up;
$writers->start('load', $proxy->uri('app'));

sub fence
{
    return $source->sql('postgres', "SELECT datconnlimit, (SELECT count(*) FROM pg_db_role_setting s WHERE "
          . "s.setdatabase = d.oid) FROM pg_database d WHERE datname = 'app'");
}
sub config { return slurp_file($proxy->config) }
my $config = config();
$writers->go_on($source, 'before');

# What is in the way is found before clients are held.
my $result = $migration->exits(2, @cutover);
like($result->{stderr}, qr/--yes/, 'without a terminal it wants --yes');
$result = $migration->ok(@cutover, '--plan');
like($result->{stdout}, qr/hold .* of 10 s/, 'the plan names steps and limits');
my ($hold) = grep { $_->{step} eq 'hold' } @{ decode_json($migration->ok(@cutover, '--plan', '--json')->{stdout})->{plan} };
is_deeply([@{$hold}{qw(limit_seconds can_be_undone)}], [10, JSON::PP::true], 'as JSON, too');

# A dry run measures and changes nothing.
sub lines { return $target->sql('app', 'SELECT count(*) FROM penstock.journal') }
my $lines = lines();
$result = $migration->ok(@cutover, '--dry-run');
like($result->{stdout}, qr/nothing was changed.*lag +\d+ bytes.*oldest transaction.*expected hold +\d+\.\d+ s of 30 s.*would fit/s,
    'the dry run says how long clients would be held');
like($result->{stderr}, qr/no statistics.*public\.written/, 'a table without statistics is named');
is_deeply([lines(), config(), fence()], [$lines, $config, '-1|0'], 'and nothing was changed');
$source->sql('app', q{BEGIN; CREATE TABLE in_doubt (); PREPARE TRANSACTION 'left over'});
$result = $migration->exits(3, @cutover, '--yes');
like($result->{stderr}, qr/left over/, 'a prepared transaction is named');
$source->sql('app', q{ROLLBACK PREPARED 'left over'});
is($migration->run('cutover', '--undo', @cutover[1 .. $#cutover])->{status}, 3, 'nothing is left to undo');

# An open transaction: the cutover gives up at its limit.
my $blocker = PenstockTest::Blocker->start($source, 'app', 'SELECT', $proxy->uri('app'));
$result = $migration->exits(3, @cutover, '--yes', '--drain-limit', '0.5');
like($result->{stderr}, qr/pid \d+ \(app\).*pg_sleep/, 'the blocker is named');
like($result->{stdout}, qr/Undone/, 'and it was undone');
is(config(), $config, 'the configuration of the proxy is as before');
$writers->go_on($source, 'after giving up');
$blocker->end;

# The applier stands still: the hold limit passes in the middle, behind the fence.
kill('STOP', $applier->pid);
$result = $migration->exits(3, @cutover, '--yes', '--no-reverse', '--hold-limit', '1');
like($result->{stdout}, qr/fence .* undone/, 'the fence was lifted');
is(fence(), '-1|0', 'the source is as it was');
$writers->go_on($source, 'after the hold limit');

# The same limit when somebody on the target is in the applier's way: who it is is said.
kill('CONT', $applier->pid);
$migration->wait_until_caught_up;
my $lock = PenstockTest::Blocker->start($target, 'app', 'LOCK TABLE written IN EXCLUSIVE MODE');
wait_until('the applier to wait for the lock', sub {
    $target->sql('app', 'SELECT count(*) FROM pg_locks WHERE NOT granted') > 0 });
$result = $migration->exits(3, @cutover, '--yes', '--prepare-limit', '0.5');
like($result->{stderr}, qr/in the way: pid \d+ .*publish: .*In the way: pid \d+/s, 'who has locked a table that is to be published is named');
unlike($result->{stdout}, qr/hold/, 'and nobody was held');
$result = $migration->exits(3, @cutover, '--yes', '--no-reverse', '--hold-limit', '4');
like($result->{stderr}, qr/in the way: pid \d+ \(/, 'the session that the applier waits for is named while it waits');
like($result->{stderr}, qr/catch up: .*bytes further.*hold limit.*In the way: pid \d+ \(\Q$user\E\).*pg_sleep\(3600\)/s,
    'the session that the applier waits for is named');
is(fence(), '-1|0', 'the source is as it was');
$writers->go_on($source, 'after the lock');

# Killed in the same place, where the lock keeps it; undone from the journal.
my $killed = background('killed', $migration->command(@cutover, '--yes', '--no-reverse', '--hold-limit', '40'));
wait_until('the cutover to wait for the applier', sub {
    $target->sql('app', q{SELECT step || event FROM penstock.journal WHERE operation = 'cutover' ORDER BY id DESC LIMIT 1})
      eq 'catch upbegin' });
is(fence(), '0|1', 'the fence stands');
$killed->kill9;
$result = $migration->exits(3, @cutover, '--yes');
like($result->{stderr}, qr/--resume.*--undo/, 'a new cutover does not start over it');
$migration->ok(@cutover, '--undo');
is(fence(), '-1|0', 'undone: the source is as it was');
$writers->go_on($source, 'after undo');
$lock->end;
$migration->wait_until_caught_up;

# The switch, with the comparison of its moment.
$result = $migration->ok(@cutover, '--yes', '--verify', '--warm-up');
like($result->{stdout}, qr/warm up .* \d+ tables analyzed, (?:[1-9]\d* relations read|.*no pg_prewarm)/, 'the target was warmed up');
is($target->sql('app', q{SELECT count(*) FROM pg_extension WHERE extname = 'pg_prewarm'}), '0', 'and nothing of that is left');
like($result->{stdout}, qr/2 tables, \d+ rows: 0 different/, 'the switch point is equal on both sides');
like($result->{stdout}, qr/version 14 answers through the proxy, system \d+, and takes writes/, 'the probe went through the proxy');
like($result->{stdout}, qr/gone .* nobody is on the source/, 'nobody is left on the source');
is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'switched', 'the migration is switched');
isnt($source->psql('app', 'SELECT 1', connstr => $source->uri('app', user => 'app', tcp => 1)), 0,
    'an application cannot get to the source any more');
$writers->go_on($target, 'after the switch');
# Where PgBouncer speaks TLS, a RELOAD fails the logins that go on, and clients that wait for them.
my ($behind) = $proxy->{process}->log_text =~ /.*RESUME 'app' command issued(.*)/s;
unlike($behind // 'RELOAD command issued', qr/RELOAD command issued/, 'behind the release nothing is loaded anew');
is(fence(), '0|1', 'the source stays fenced');

$writers->end_well($target);
is($target->sql('app', q{SELECT last_value >= (SELECT max(id) FROM written) FROM written_id_seq}), 't',
    'the sequence went on');
done_testing();
