# A comparison is slowed down, stopped and let go on while it runs, and compared along from elsewhere; whoever compares along may die.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source', conf => <<'CONF');
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
CONF
my $target = start_target('target');

# Six tables that are a piece each, the largest first, and small ones.
$source->sql('postgres', <<'SQL');
DO $$ BEGIN
    FOR i IN 1 .. 6 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text);'
        'INSERT INTO t%1$s SELECT i, repeat(''x'', 100) FROM generate_series(1, %s) AS i', i, 8000 - i * 500); END LOOP;
    FOR i IN 1 .. 20 LOOP EXECUTE format('CREATE TABLE small%s (id int PRIMARY KEY)', i); END LOOP;
END $$;
ANALYZE;
SQL

my $migration = migration($source, $target);
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;

sub pieces
{
    my ($state) = @_;
    return $target->sql('postgres', "SELECT count(*) FROM penstock.verify_job JOIN penstock.verify_pass p ON p.id = pass
        WHERE p.id = (SELECT max(id) FROM penstock.verify_pass) AND verify_job.state = '$state'");
}

sub snapshots
{
    return $source->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'penstock verify snapshot'});
}

sub pair { return $target->sql('postgres', 'SELECT pair FROM penstock.verify_pass ORDER BY id DESC LIMIT 1') }

sub lock_tables
{
    my ($tables) = @_;
    return PenstockTest::Blocker->start($target, 'postgres', "LOCK TABLE $tables IN ACCESS EXCLUSIVE MODE");
}

sub document
{
    my ($process) = @_;
    my ($json) = $process->log_text =~ /^(\{.*^\})/ms;
    return defined $json ? decode_json($json) : {};
}

# A comparison whose only session waits for the lock on the largest table.
sub stuck
{
    my ($name, @options) = @_;
    my $leader = background($name, $migration->command('verify', '--json', '--rows-only', '--jobs', 1, @options));
    wait_until('it waits for the lock', sub { $target->sql('postgres', q{SELECT count(*) FROM pg_locks WHERE NOT granted
        AND relation = 't1'::regclass}) == 1 });
    return $leader;
}

subtest 'paused, and let go on' => sub {
    $migration->ok('pause');
    my $verify = background('paused', $migration->command('verify', '--json', '--rows-only'));
    wait_until('it says why', sub { ($target->sql('postgres', 'SELECT reason FROM penstock.throttle') // '') =~ /paused/ });
    is(pieces('done'), 0, 'nothing is begun');
    $migration->ok('resume');
    is($verify->wait, 0, 'then it is compared') or diag($verify->log_text);
    like($verify->log_text, qr/the comparison is held: it is paused/, 'and the log said so');
};

subtest 'so many bytes a second, in bursts' => sub {
    my $verify = background('slow', $migration->command('verify', '--json', '--rows-only', '--rate', '2MB', '--jobs', 2));
    wait_until('the source sleeps between bursts', sub { $source->sql('postgres', q{SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'penstock verify' AND wait_event = 'PgSleep'}) > 0 });
    is($verify->wait, 0, 'equal') or diag($verify->log_text);
    my $bytes = $target->sql('postgres', 'SELECT sum(source_bytes) FROM penstock.relation');
    cmp_ok(document($verify)->{seconds}, '>=', $bytes / (2 << 20) - 1, 'not faster than that, but for the first second');
    like($migration->exits(3, 'verify', '--rate', 'much')->{stderr}, qr/--rate "much"/, 'what is no size is refused');
};

subtest 'a session is one process of the server' => sub {
    $migration->ok('verify', '--rows-only');
    my @plans = grep { /Query Text: .*hash(?:text|_array_)extended/ } split(/^(?=\d{4}-)/m, PostgreSQL::Test::Utils::slurp_file($source->logfile));
    cmp_ok(scalar @plans, '>', 6, 'the plans are in the log');
    is(scalar(grep { /Workers Planned/ } @plans), 0, 'and none has parallel workers');
};

subtest 'sessions step back for clients that are at work' => sub {
    my $script = "$PostgreSQL::Test::Utils::tmp_check/look.sql";
    write_file($script, "SELECT count(*) FROM small1;\n");
    my $naps = sub {
        my ($name, @options) = @_;
        my $before = -s $source->logfile;
        $migration->ok('verify', '--rows-only', @options);
        my $log = substr(PostgreSQL::Test::Utils::slurp_file($source->logfile), $before);
        my @plans = grep { /Query Text: .*hash(?:text|_array_)extended/ } split(/^(?=\d{4}-)/m, $log);
        cmp_ok(scalar @plans, '>', 6, "$name: the plans are in the log");
        return scalar(grep { /clock_timestamp\(\)/ } @plans);
    };
    my $others = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND query ~ 'FROM small1'
        AND pid <> pg_backend_pid()};
    is($naps->('alone'), 0, 'none when nobody is there');
    my $load = $source->pgbench('postgres', '--client=4', '--rate=200', "--file=$script");
    wait_until('clients are at work', sub { $source->sql('postgres', $others) == 4 });
    cmp_ok($naps->('beside clients'), '>', 6, 'each reads in short bursts');
    is($naps->('at full speed', '--full-speed'), 0, 'but where that is not wanted');
    $load->stop;
    wait_until('they are gone', sub { $source->sql('postgres', $others) == 0 });
};

subtest 'compared along' => sub {
    $target->sql('postgres', q{UPDATE t6 SET v = 'wrong' WHERE id = 3});
    my $lock = lock_tables('t1');
    my $leader = stuck('leader');
    my $joined = background('joined', $migration->command('verify', '--json', '--join', '--jobs', 2));
    wait_until('all other pieces are done', sub { pieces('pending') == 1 && pieces('done') == 6 });
    ok($joined->is_running, 'who compares along waits for the last one');
    $lock->end;
    is($leader->wait, 1, 'who leads has the answer for all');
    is($joined->wait, 1, 'who compares along has seen the difference');
    is(document($leader)->{tables}[0]{table}, 't6', 'the table');
    is(document($leader)->{tables_compared}, 26, 'every table was compared');
    is(document($joined)->{pieces}, 6, 'all pieces but one by the other');
    $target->sql('postgres', q{UPDATE t6 SET v = repeat('x', 100) WHERE id = 3});
};

# A cutover begins with a replication slot at the target, for which the server waits until all have ended that write.
subtest 'who compares writes nothing meanwhile' => sub {
    my $lock = lock_tables('t1');
    my $leader = stuck('reader');
    my $held = q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'
        AND a.application_name = 'penstock verify' AND a.state = 'idle in transaction'};
    is($target->sql('postgres', $held), 1, 'a piece is held');
    is($target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'penstock verify%'
        AND backend_xid IS NOT NULL}), 0, 'in a transaction without a number');
    $lock->end;
    is($leader->wait, 0, 'equal') or diag($leader->log_text);
};

subtest 'compared along when the snapshots have grown old' => sub {
    my $lock = lock_tables('t1');
    my $leader = stuck('old_leader', '--cycle', 1);
    wait_until('nobody keeps the snapshots', sub { snapshots() == 0 });
    is(pair(), 1, 'there was one pair');
    my $joined = background('old_joined', $migration->command('verify', '--json', '--join'));
    wait_until('all other pieces are done', sub { pieces('pending') == 1 });
    cmp_ok(pair(), '>', 1, 'another pair was made for it');
    $lock->end;
    is($leader->wait, 0, 'equal');
    is($joined->wait, 0, 'equal');
};

subtest 'who compares along dies' => sub {
    my $locks = lock_tables('t1, t2');
    my $leader = stuck('dead_leader');
    my $joined = background('dead_joined', $migration->command('verify', '--json', '--join', '--jobs', 1));
    wait_until('it waits for the other lock', sub { $target->sql('postgres', q{SELECT count(*) FROM pg_locks WHERE NOT granted
        AND relation = 't2'::regclass}) == 1 });
    $joined->kill9;
    $locks->end;
    is($leader->wait, 0, 'its piece is compared by who leads');
    is(document($leader)->{tables_compared}, 26, 'every table was compared');
};

subtest 'who leads dies' => sub {
    my $lock = lock_tables('t1');
    my $leader = stuck('gone_leader');
    $leader->kill9;
    $lock->end;
    wait_until('its sessions are gone', sub { $target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity
        WHERE application_name LIKE 'penstock verify%'}) == 0 && snapshots() == 0 });
    my $joined = background('left_alone', $migration->command('verify', '--json', '--join', '--jobs', 1));
    wait_until('who compares along says what it waits for', sub { $joined->log_text =~ /nobody leads the comparison any more: waiting for penstock verify without --join/ });
    ok(decode_json($migration->ok('verify', '--json', '--rows-only')->{stdout})->{resumed}, 'another one goes on');
    is($joined->wait, 0, 'and both have their answer') or diag($joined->log_text);
};

sub sessions { return $target->sql('postgres', q{SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'penstock verify%'}) }

subtest 'a server whose processes stand still' => sub {
    my $lock = lock_tables('t1');
    my $verify = stuck('hangs');
    my @stopped = split(/\n/, sessions());
    cmp_ok(scalar @stopped, '>', 2, 'there are sessions') or return;
    is(kill('STOP', @stopped), scalar @stopped, 'all of them are stopped');
    is(eval { $verify->stop('INT') }, 4, 'a signal ends the comparison all the same');
    kill('CONT', @stopped);
    $lock->end;
    wait_until('the sessions are gone', sub { sessions() eq '' });
    ok(decode_json($migration->ok('verify', '--json', '--rows-only')->{stdout})->{resumed}, 'it goes on where it was');
};

subtest 'nothing to join' => sub {
    my $joined = background('alone', $migration->command('verify', '--join'));
    wait_until('it says so', sub { $joined->log_text =~ /waiting for a comparison to join, 60 s at most/ });
    is($joined->stop('INT'), 4, 'it waits for somebody to begin, and can be interrupted');
};

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
