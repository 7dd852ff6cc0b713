# Many tables and sequences: what they cost lies before the hold, no statement locks more of them than a server has locks for, and
# in the hold only the sequences are set that have moved. Several sessions read them: the fence spares these, and one that dies costs
# nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;

my $sequences = $ENV{PENSTOCK_MANY_SEQUENCES} // 2300;
my $tables = $ENV{PENSTOCK_MANY_TABLES} // 1100;

# Locks for some hundred tables, and no more.
my @few_locks = (conf => "max_locks_per_transaction = 10\nmax_connections = 60\nmax_prepared_transactions = 0\nautovacuum = off\nfsync = off\nlog_statement = none\n");
my $source = start_source('source', @few_locks);
my $target = start_target('target', @few_locks);
app_database('app', $source, $target);

# In parts: each CREATE keeps a lock to the end of its transaction.
sub make
{
    my ($server, $count, $what) = @_;
    for (my $first = 1; $first <= $count; $first += 100) {
        my $last = $first + 99 < $count ? $first + 99 : $count;
        $server->sql('app', "SELECT format('$what', i) FROM generate_series($first, $last) i \\gexec");
    }
    return;
}
my $proxy = start_pgbouncer('pgbouncer', app => $source);
# Both sides are given the same objects by hand, so the source's are not brought over by DDL that is captured.
my $migration = migration($source, $target, database => 'app', ddl => 'off');
my @cutover = ($migration->cutover_words($proxy), '--yes', '--accept-drift');
$source->sql('app', 'CREATE TABLE written (id int PRIMARY KEY)');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;
make($_, $sequences, 'CREATE SEQUENCE s%s') for $target, $source;
make($_, $tables, 'CREATE TABLE t%s (id int PRIMARY KEY)') for $target, $source;
my %oid = map { split /\|/ } split /\n/, $source->sql('app', q{SELECT relname, oid FROM pg_class WHERE relname ~ '^t[0-9]+$' AND relkind = 'r'});
$target->sql('app', 'INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_bytes, copy_state) VALUES '
      . join(', ', map { "('default', 'public', '$_', $oid{$_}, 0, 'copied')" } sort keys %oid));

# Rows of the catalogs that the server has read so far, once all that has ended has been counted.
sub rows_read
{
    my ($server) = @_;
    my $now = $server->sql('app', 'SELECT clock_timestamp()');
    wait_until('a newer snapshot of the statistics', sub { $server->sql('app', "SELECT pg_stat_get_snapshot_timestamp() > '$now'") eq 't' });
    return $server->sql('app', 'SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_sys_tables');
}

# Of no catalog are all rows looked at for each table.
sub read_little
{
    my ($command, @before) = @_;
    my $all = ($tables + 1)**2;
    foreach my $server ($source, $target) {
        my $rows = rows_read($server) - shift @before;
        cmp_ok($rows, '<', $all, "$command: rows of the catalogs of the " . $server->name . ' that were read');
        note("$command: " . $server->name . " $rows");
    }
    return;
}

# What grows with their number is measured beforehand, and nothing of it stays.
my $dry = $migration->ok(@cutover, '--dry-run')->{stdout};
like($dry, qr/^ +sequences +$sequences, read in \d+\.\d\d s by several sessions$/m, 'a dry run reads the sequences as the hold does');
like($dry, qr/^ +definitions +looked through in \d+\.\d\d s$/m, 'and looks through the catalogs');
like($dry, qr/^ +tables +@{[$tables + 1]} to publish for the way back, before clients are held: \d+\.\d\d s$/m, 'and publishes some tables');
is($target->sql('app', 'SELECT count(*) FROM pg_publication'), 0, 'of which nothing is left');

my $sessions = q{FROM pg_stat_activity WHERE datname = 'app' AND application_name = 'penstock %s' AND backend_type = 'client backend'};
my $journal = PenstockTest::Journal->new($target, 'app');
my @begun = map { rows_read($_) } $source, $target;
my $held = $journal->stand_at('cutover hold begin', $migration->command(@cutover));
$source->sql('app', "SELECT nextval('s1'), nextval('s2'), nextval('s2'), setval('s3', 77, false)");
my $readers = sprintf($sessions, 'cutover');
is($source->sql('app', "SELECT count(*) $readers"), 4, 'four sessions read sequences');
# What it had to read is read by a session that knows none of it: not where the hold is measured.
$source->sql('app', "SELECT pg_terminate_backend((SELECT pid $readers ORDER BY backend_start DESC LIMIT 1))") unless $ENV{PENSTOCK_MANY_TABLES};
$journal->go_on;
is($held->wait, 0, 'switched, with fewer locks than tables') or diag($held->log_tail);
my $all = $sequences;
read_little('cutover', @begun);
like($held->log_text, qr/sequences .*\b$all, of which 3 had moved/, 'three sequences had moved since the look');
is($target->sql('app', 'SELECT last_value, is_called FROM s2'), '2|t', 'one that was called');
is($target->sql('app', 'SELECT last_value, is_called FROM s3'), '77|f', 'one that was set and not called');
is($target->sql('app', 'SELECT last_value, is_called FROM s4'), '1|f', 'one that never moved');
is($target->sql('app', 'SELECT count(*) FROM pg_publication_tables'), $tables + 1, 'all tables are published');
is($source->sql('app', 'SELECT count(*) FROM pg_subscription_rel'), $tables + 1, 'and have their way back');

diag($held->log_text) if $ENV{PENSTOCK_MANY_TABLES};

$target->sql('app', "SELECT nextval('s2'), nextval('s4')");
# Each of them is a lock, until the statement's transaction ends.
$target->sql('app', q{CREATE FUNCTION count_dropped() RETURNS event_trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE LOG 'taken away at once: %', (SELECT count(*) FROM pg_event_trigger_dropped_objects()); END$$;
    CREATE EVENT TRIGGER count_dropped ON sql_drop EXECUTE FUNCTION count_dropped(); ALTER EVENT TRIGGER count_dropped ENABLE ALWAYS});
my @read = map { rows_read($_) } $source, $target;
my $back = $journal->stand_at('rollback position begin', $migration->command($migration->rollback_words($proxy), '--yes', '--accept-drift'));
is($target->sql('app', 'SELECT count(*) ' . sprintf($sessions, 'rollback')), 4, 'on the way back, the fence leaves the four alone');
$journal->go_on;
is($back->wait, 0, 'rolled back') or diag($back->log_tail);
read_little('rollback', @read);
my @counts = slurp_file($target->logfile) =~ /taken away at once: (\d+)/g;
is($target->sql('app', 'SELECT count(*) FROM pg_publication'), 0, 'the publications are gone');
ok(@counts > 1 && !(grep { $_ > 501 } @counts), "taken away in parts: @counts");
like($back->log_text, qr/sequences .*\b$all, of which 0 had moved/, 'with nothing left to set in the hold');
is($source->sql('app', 'SELECT last_value, is_called FROM s' . $_->[0]), $_->[1], "s$_->[0] is where it was on the target")
  foreach [1, '1|t'], [2, '3|t'], [3, '77|f'], [4, '1|t'], [5, '1|f'];
diag($back->log_text) if $ENV{PENSTOCK_MANY_TABLES};
done_testing();
