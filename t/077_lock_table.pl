# The target's table of locks is small: a batch takes no more than its share of it, whatever the number of tables. When someone
# else has taken all, the applier tries with less, and ends with what to do when that does not help either.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source', conf => "max_locks_per_transaction = 256\n");
my $target = start_target('target', conf => "max_locks_per_transaction = 10\nmax_connections = 25\nmax_prepared_transactions = 0\n");
my $migration = migration($source, $target);
my $tables = 500;

sub on_all
{
    my ($sql) = @_;
    return "DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP EXECUTE replace('$sql', '#', i::text); END LOOP; END \$\$";
}

$source->sql('postgres', on_all('CREATE TABLE t_# (id int PRIMARY KEY, v int, UNIQUE (v))'));
$migration->ok('copy', '--jobs', 2);

my $applier = $migration->follow('--workers', 2);
$source->sql('postgres', on_all('INSERT INTO t_# VALUES (1, 1)'));
$migration->wait_until_caught_up(120);
same_rows($source, $target, 'postgres', "one transaction in $tables tables");
unlike($applier->log_text, qr/trying again/, 'at once: no batch took more locks than there are');

# Someone has nearly all locks: what two batches need is not left. A transaction that writes to few tables needs none of the shared
# table (storage/lmgr/lock.c, fast path), so batches of few tables go on.
my $greedy = PenstockTest::Blocker->start($target, 'postgres', <<'SQL');
DO $$ DECLARE n int := 0; BEGIN
    BEGIN
        LOOP n := n + 1; PERFORM pg_advisory_xact_lock(n); END LOOP;
    EXCEPTION WHEN out_of_memory THEN NULL; END;
    PERFORM pg_advisory_xact_lock(i) FROM generate_series(1, n - 60) AS i;
END $$
SQL
$source->sql('postgres', on_all('UPDATE t_# SET v = 2'));
$migration->wait_until_caught_up(120);
same_rows($source, $target, 'postgres', 'someone has all the locks: in smaller batches');
like($applier->log_text, qr/out of shared memory.*trying again/, 'after another try');
$greedy->end;

# One statement that needs more than there are can never be done.
$source->sql('postgres', "DO \$\$ BEGIN EXECUTE 'TRUNCATE ' || (SELECT string_agg('t_' || i, ', ') FROM generate_series(1, $tables) AS i); END \$\$");
is($applier->wait(120), 3, 'the applier ends when trying again does not help');
like($applier->log_text, qr/out of shared memory.*Raise max_locks_per_transaction of the target/s, 'and says what to do');
$target->append_conf('postgresql.conf', 'max_locks_per_transaction = 256');
$target->restart;
$applier = $migration->follow('--workers', 2);
$migration->wait_until_caught_up(120);
same_rows($source, $target, 'postgres', 'then it goes on, and nothing is lost');
is($applier->stop, 0, 'it stops');
done_testing();
