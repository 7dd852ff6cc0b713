# Very many tables, and a target that is far away or has a lock in the way: what has to be asked of it is asked in sets, by a
# thread of its own, and goes by indexes; meanwhile the source gets its status updates, and a stop is a stop.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Forwarder;

# A walsender that is not answered for three seconds gives up.
my $source = start_source('source', conf => "wal_sender_timeout = '3s'\nmax_locks_per_transaction = 256\n");
my $target = start_target('target', conf => "max_locks_per_transaction = 256\n");
my $migration = migration($source, $target);
my $tables = 300;

sub on_all
{
    my ($sql) = @_;
    return "DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP EXECUTE replace('$sql', '#', i::text); END LOOP; END \$\$";
}

$source->sql('postgres', on_all('CREATE TABLE t_# (id int PRIMARY KEY, v text, w numeric)'));
$migration->ok('copy');

# As if there were very many: small tables are left to one worker each then, for the target's memory.
$target->sql('postgres', <<'SQL');
INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_bytes)
SELECT 'default', 'elsewhere', 'n' || i, 4000000000 + i, 0 FROM generate_series(1, 1000) AS i;
UPDATE penstock.relation SET source_bytes = 1e9 WHERE table_name = 't_1';
SQL

# Each byte comes 25 ms late.
my $far = PenstockTest::Forwarder->start_new($target, delay => 0.025);
my $applier = background('follow', $migration->command('follow', '--target' => $far->uri('postgres')));
$migration->{applier} = $applier;
wait_until('the stream', sub { $applier->log_text =~ /streaming from/ });
$source->sql('postgres', on_all(q{INSERT INTO t_# VALUES (1, ''new'', 1)}));
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', "$tables tables that are new to the applier, in one transaction");
is(() = $applier->log_text =~ /streaming from/g, 1, 'in one run: the walsender got its answers');
is($target->sql('postgres', q{SELECT string_agg(table_name, ' ') FILTER (WHERE lane_class = 'spread'), count(lane_class) FROM penstock.relation}),
    "t_1|$tables", 'the class of each is remembered: the large one spreads');
is($applier->stop, 0, 'it stops');

# Someone has a lock on what the applier asks. Nothing is known after a restart, so it must ask.
$applier = $migration->follow;
wait_until('the stream', sub { $applier->log_text =~ /streaming from/ });
my $lock = PenstockTest::Blocker->start($target, 'postgres', 'LOCK TABLE penstock.relation');
$source->sql('postgres', q{UPDATE t_1 SET v = 'held up'});
wait_until('the wait to be shown', sub { ($migration->applier_says('blocked') // '') =~ /"relation": ?"penstock\.relation"/ }, 60);
my $walsender = $source->sql('postgres', 'SELECT pid FROM pg_stat_replication');
my $begun = $source->sql('postgres', 'SELECT clock_timestamp()');
wait_until('twice as long as a walsender waits', sub {
    $source->sql('postgres', "SELECT clock_timestamp() > '$begun'::timestamptz + interval '6 seconds'") eq 't'
});
is($source->sql('postgres', 'SELECT pid FROM pg_stat_replication'), $walsender, 'the walsender is answered meanwhile');
my $asked = time;
is($applier->stop, 0, 'SIGTERM ends the applier while the lock is held');
cmp_ok(time - $asked, '<', 10, 'soon');

# It cannot even begin while the lock is there, and can be stopped all the same.
$applier = $migration->follow;
wait_until('it to wait for the lock', sub {
    $target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'penstock applier start' AND wait_event_type = 'Lock'})
}, 60);
$asked = time;
is($applier->stop, 0, 'SIGTERM ends an applier that waits at its start');
cmp_ok(time - $asked, '<', 10, 'soon');
$lock->end;
$applier = $migration->follow;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'what was held up arrives');

# While one answer is waited for, what comes behind is read, and its tables are asked for; then it is taken on in its order.
$lock = PenstockTest::Blocker->start($target, 'postgres', 'LOCK TABLE penstock.relation');
$source->sql('postgres', <<"SQL");
DO \$\$ BEGIN FOR i IN 2 .. $tables LOOP
    EXECUTE format('UPDATE t_%s SET w = w + 1', i); EXECUTE format('INSERT INTO t_%s VALUES (%s, ''behind'', 2)', 2 + i * 7 % ($tables - 2), i);
    IF i % 40 = 0 THEN EXECUTE format('TRUNCATE t_%s', 2 + i * 7 % ($tables - 2)); END IF; COMMIT; END LOOP; END \$\$
SQL
wait_until('the wait to be shown', sub { ($migration->applier_says('blocked') // '') =~ /"relation": ?"penstock\.relation"/ }, 60);
$lock->end;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'so is what came behind a table that had to be asked for');
is($applier->stop, 0, 'it stops');

# What a connection has written to, the target's process keeps: after so many tables, or when it has taken its share of the memory,
# it is another one. Eight workers have 2 MB each of the 16: a process has nearly that from the beginning, and is told by asking it,
# for 38 tables are no reason to suppose it.
sub workers { return $target->sql('postgres', q{SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity WHERE application_name LIKE 'penstock worker%'}) }
foreach my $case ([kept => 2, '--session-tables', 100000], [renewed => 2, '--session-tables', 20],
    [kept => 8, '--target-memory', '1GB'], [renewed => 8, '--target-memory', '16MB']) {
    my ($expected, $workers, @limit) = @$case;
    $applier = $migration->follow('--workers', $workers, '--', @limit);
    wait_until('the workers', sub { (() = workers() =~ /\d+/g) == $workers });
    my $before = workers();
    $source->sql('postgres', on_all("UPDATE t_# SET v = ''@limit''"));
    $migration->wait_until_caught_up;
    is(workers() eq $before ? 'kept' : 'renewed', $expected, "$tables tables, $workers workers, @limit");
    is($applier->stop, 0, 'it stops');
}

# How the question is answered: by indexes, whatever the catalogs hold. auto_explain writes the plans into the server's log.
$target->sql('postgres', q{ALTER DATABASE postgres SET session_preload_libraries = 'auto_explain'});
$target->sql('postgres', q{ALTER DATABASE postgres SET auto_explain.log_min_duration = 0});
my $before = -s $target->logfile;
$applier = $migration->follow;
$source->sql('postgres', on_all(q{UPDATE t_# SET v = ''explained''}));
$migration->wait_until_caught_up;
is($applier->stop, 0, 'it stops');
my ($plan) = substr(slurp_file($target->logfile), $before) =~ /(Query Text: SELECT a\.n.*?)(?=\n\d{4}-\d\d-\d\d )/s;
ok(defined $plan, 'the plan is in the log') or diag(substr(slurp_file($target->logfile), $before, 2000));
like($plan, qr/Index Scan (?:using|on) pg_index_indrelid_index/, 'indexes of a table are found by an index');
like($plan, qr/Index (?:Only )?Scan using pg_class_relname_nsp_index on pg_class/, 'tables by name');
like($plan, qr/Index (?:Only )?Scan using \w+ on relation/, 'and the migration\'s own note of them');
unlike($plan, qr/Seq Scan/, 'nothing is read whole');

# One way to the target and back for a set of tables: what they are there, whether they are the ones that were copied, and from when.
my %asked = map { $_ => 1 } substr(slurp_file($target->logfile), $before) =~ /Query Text: (SELECT [^\n]* FROM unnest\(\$\d[^\n]*)/g;
is(scalar(keys %asked), 1, 'one question says all of a set of tables') or diag(join("\n", keys %asked));

# Whoever asked for a position does not wait for changes behind it to come and share a transaction.
$source->sql('postgres', on_all(q{UPDATE t_# SET v = ''until''}));
my $end = $source->sql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my $began = time;
$migration->ok('follow', '--', '--linger', 60000, '--until', $end);
cmp_ok(time - $began, '<', 45, 'what is open is handed out when all up to --until has come');
same_rows($source, $target, 'postgres', 'and is there');
done_testing();
