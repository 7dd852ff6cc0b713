# Both sides are compared while both are written: the applier is held for a moment at a point at which they have to hold the
# same, whatever transactions run, in whatever order they become visible, and whoever dies.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source', conf => "max_prepared_transactions = 5\n");
my $target = start_target('target');

$source->sql('postgres', <<'SQL');
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, note text);
CREATE TABLE log (at timestamptz, account int, amount numeric);
CREATE TABLE parts (id int PRIMARY KEY, v text);
INSERT INTO accounts SELECT i, 0, 'n' FROM generate_series(1, 500) AS i;
INSERT INTO parts SELECT i, repeat('x', 200) FROM generate_series(1, 20000) AS i;
ANALYZE;
SQL

my $script = "$PostgreSQL::Test::Utils::tmp_check/transfer.sql";
write_file($script, <<'SQL');
\set a random(1, 500)
\set b random(1, 500)
\set p random(1, 20000)
BEGIN;
UPDATE accounts SET balance = balance - 1 WHERE id = :a;
SAVEPOINT s;
UPDATE accounts SET balance = balance + 1, note = md5(random()::text) WHERE id = :b;
RELEASE s;
INSERT INTO log VALUES (now(), :a, 1.10), (now(), :b, -1.1);
UPDATE parts SET v = md5(random()::text) WHERE id = :p;
COMMIT;
SQL

my $migration = migration($source, $target);
$migration->ok('copy', '--part-size', 1);

sub verify
{
    my ($status, @options) = @_;
    my $result = $migration->exits($status, 'verify', '--json', @options);
    return $result->{stdout} =~ /^\{/ ? decode_json($result->{stdout}) : {};
}

my $load;

subtest 'right after the copy, without an applier' => sub {
    $source->sql('postgres', q{UPDATE accounts SET note = 'after the copy'});
    my $found = verify(0);
    ok($found->{equal}, 'equal, though the source had gone on: an applier was started for it');
    is($found->{tables_compared}, 3, 'all tables');
    cmp_ok($found->{rows}, '>=', 20500, 'and rows');
};

subtest 'while both sides are written' => sub {
    $load = $source->pgbench('postgres', '--client=8', '--rate=300', "--file=$script");
    my $old = PenstockTest::Blocker->start($source, 'postgres', q{INSERT INTO log VALUES (now(), 0, 0)});
    $source->sql('postgres', q{BEGIN; INSERT INTO log VALUES (now(), -1, 0); PREPARE TRANSACTION 'open'});
    $migration->follow;
    $migration->wait_until_caught_up;
    foreach my $round (1 .. 4) {
        my $found = verify(0, '--cycle', 1, '--jobs', 2);
        ok($found->{equal}, "round $round: equal, with a transaction open at the source all the while")
          or diag(encode_json($found->{tables}));
        cmp_ok($found->{longest_hold_ms}, '>', 0, 'the applier was held');
        note("held for $found->{longest_hold_ms} ms at most, $found->{points} point(s)");
    }
    ok($load->is_running, 'the clients are still at work');
    $source->sql('postgres', q{COMMIT PREPARED 'open'});
    $old->end;
};

subtest 'a transaction that is in the stream before anybody sees it' => sub {
    # It waits for a synchronous standby that there is none of: its commit record is written and sent long before that.
    $source->sql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = 'nobody'});
    $source->sql('postgres', q{SELECT pg_reload_conf()});
    $load->stop;
    wait_until('the setting', sub { $source->sql('postgres', q{SHOW synchronous_standby_names}) eq 'nobody' });
    my $waiting = background('waiting', $source->installed_command('psql'), '-X', '-c', q{INSERT INTO accounts VALUES (1000, 1, 'seen late')},
        $source->uri('postgres'));
    wait_until('it is on the target', sub { $target->sql('postgres', 'SELECT count(*) FROM accounts WHERE id = 1000') == 1 });
    is($source->sql('postgres', 'SELECT count(*) FROM accounts WHERE id = 1000'), 0, 'it is on the target, and not visible at the source');
    my $verify = background('verify_waits', $migration->command('verify', '--json', '--hold', 60000));
    wait_until('such a snapshot is refused', sub { $target->sql('postgres',
        q{SELECT count(*) FROM penstock.point WHERE reason LIKE '%not yet visible%'}) == 1 });
    $source->sql('postgres', q{SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names});
    $source->sql('postgres', q{SELECT pg_reload_conf()});
    is($verify->wait, 0, 'a later one fits, and both sides are equal') or diag($verify->log_text);
    $waiting->wait;
};

subtest 'differences are found, row by row' => sub {
    $migration->wait_until_caught_up;
    $target->sql('postgres', <<'SQL');
UPDATE accounts SET balance = balance + 1 WHERE id = 7;
DELETE FROM accounts WHERE id = 8;
INSERT INTO parts VALUES (100000, 'not from the source');
INSERT INTO log SELECT * FROM log LIMIT 1;
SQL
    my $found = verify(1);
    my %tables = map { $_->{table} => $_ } @{$found->{tables}};
    is(join(' ', sort keys %tables), 'accounts log parts', 'each table');
    my %rows = map { $_->{key} => $_ } @{$tables{accounts}{rows}};
    is($rows{'(7)'}{column}, 'balance', 'the column') or diag(encode_json(\%tables));
    is($rows{'(7)'}{target}, $rows{'(7)'}{source} + 1, 'and both its values');
    is($rows{'(8)'}{target}, undef, 'a row that is missing on the target');
    is($tables{parts}{rows}[0]{key}, '(100000)', 'one that is only there');
    is($tables{parts}{rows}[0]{source}, undef, 'and not at the source');
    is(scalar @{$tables{log}{rows}}, 1, 'of a table without a key a row too many');
    is(verify(1, '--only', 'public.acc*', '--only', 'public.log', '--exclude', 'public.log')->{tables_compared}, 1, 'only some tables');
    like($migration->exits(2, 'verify', '--only', 'nothing.*')->{stderr}, qr/no table fits --only/, 'one that fits nothing is refused');
    my $text = $migration->exits(1, 'verify')->{stdout};
    like($text, qr/^  public\.accounts  \d+ \/ \d+ rows  DIFFERENT$/m, 'people read it, too');
    like($text, qr/^      \(7\)  balance: '-?\d+' \/ '-?\d+'$/m, 'with key, column and both values');
    $target->sql('postgres', <<'SQL');
UPDATE accounts SET balance = balance - 1 WHERE id = 7;
INSERT INTO accounts VALUES (8, 0, 'x');
DELETE FROM parts WHERE id = 100000;
DELETE FROM log WHERE ctid = (SELECT max(ctid) FROM log);
SQL
    $source->sql('postgres', q{DELETE FROM accounts WHERE id = 8});
    $migration->wait_until_caught_up;
    verify(0);
};

subtest 'whoever dies, the applier goes on, and so does the comparison' => sub {
    my $holder = PenstockTest::Blocker->start($target, 'postgres', 'LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE');
    my $verify = background('verify_dies', $migration->command('verify', '--jobs', 1));
    wait_until('some pieces are done', sub { $target->sql('postgres', q{SELECT count(*) FROM penstock.verify_job j
        JOIN penstock.verify_pass p ON p.id = j.pass WHERE p.state = 'running' AND j.state = 'done'}) > 0 });
    $verify->kill9;
    $holder->end;
    wait_until('its lock is gone', sub { $target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity
        WHERE application_name LIKE 'penstock verify%'}) == 0 });
    my $found = verify(0);
    ok($found->{resumed}, 'the pass went on where it had stopped');
    $target->sql('postgres', q{UPDATE penstock.verify_pass SET state = 'running' WHERE id = (SELECT max(id) FROM penstock.verify_pass)});
    $found = verify(0, '--anew');
    ok(!$found->{resumed}, 'where it is told to, it begins anew');
    is($target->sql('postgres', q{SELECT string_agg(state, ' ' ORDER BY id DESC) FROM (SELECT * FROM penstock.verify_pass ORDER BY id DESC LIMIT 2) p}),
        'done left', 'and leaves what was interrupted');

    # One that dies while the applier stands for it.
    $target->sql('postgres', q{INSERT INTO penstock.point (migration, number, state, limit_ms) VALUES ('default', 1, 'wanted', 500)
        ON CONFLICT (migration) DO UPDATE SET number = penstock.point.number + 1, state = 'wanted', limit_ms = 500});
    wait_until('the applier gives the point up', sub { $target->sql('postgres', 'SELECT state FROM penstock.point') eq 'given up' });
    $migration->same_after('and goes on', q{UPDATE accounts SET note = 'went on'});
    $migration->{applier}->kill9;
    $source->sql('postgres', q{UPDATE accounts SET note = 'while it was away'});
    $migration->follow;
    verify(0);
};

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
