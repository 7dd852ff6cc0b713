# There and back again behind PgBouncer while clients write: none of them sees an error, and what they wrote on the target
# is on the source afterwards.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Writers;

my $source = start_source('source');
my $target = start_target('target');

app_database('app', $source, $target);
$source->sql('app', <<'SQL');
CREATE TABLE counted (client int PRIMARY KEY, writes int NOT NULL DEFAULT 0);
CREATE TABLE parts (id int NOT NULL, place text) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts (PRIMARY KEY (id)) FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts (PRIMARY KEY (id)) FOR VALUES IN (2);
CREATE TABLE lines (said text);
CREATE TABLE emptied (id int PRIMARY KEY);
INSERT INTO counted (client) SELECT generate_series(0, 11);
INSERT INTO parts VALUES (1, 'source'), (2, 'source');
INSERT INTO emptied VALUES (1);
SQL

# A row and a count in each transaction.
my $writers = PenstockTest::Writers->new($source, 'app',
    also => 'UPDATE counted SET writes = writes + 1 WHERE client = :client_id');

my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $migration = migration($source, $target, database => 'app');
my @cutover = $migration->cutover_words($proxy);
my @rollback = $migration->rollback_words($proxy);
$migration->ok('copy');
my $applier = $migration->follow;
$migration->wait_until_caught_up;
$writers->start('load', $proxy->uri('app'), '--rate=600');

sub conninfo
{
    my ($database) = @_;
    return 'host=127.0.0.1 port=' . $target->port . ' user=' . getpwuid($<) . (defined $database ? " dbname=$database" : '');
}
sub limit { return $_[0]->sql('postgres', q{SELECT datconnlimit FROM pg_database WHERE datname = 'app'}) }
sub made
{
    return join('|', $source->sql('app', 'SELECT count(*) FROM pg_subscription'),
        $target->sql('app', 'SELECT count(*) FROM pg_publication'),
        $target->sql('app', 'SELECT count(*) FROM pg_replication_slots'));
}
sub last_step
{
    my ($operation) = @_;
    return $target->sql('app', "SELECT step || ' ' || event FROM penstock.journal WHERE operation = '$operation' "
          . 'ORDER BY id DESC LIMIT 1');
}
$writers->go_on($source, 'before');

# Without a switch there is nothing to go back from; a way back that cannot be is found out before clients are held.
$migration->exits(3, @rollback, '--yes');
my $result = $migration->exits(3, @cutover, '--yes', '--reverse-conninfo', 'host=127.0.0.1 port=1 dbname=app');
like($result->{stderr}, qr/way back.*--reverse-conninfo/s, 'the source cannot reach the target: said beforehand');
like($migration->exits(2, @cutover, '--yes', '--reverse-conninfo', conninfo('postgres'))->{stderr}, qr/leads to database "postgres", and the target is "app"/,
    'the way back does not lead to another database of the same server');
is(made(), '0|0|0', 'and nothing was made');
$migration->ok(@cutover, '--dry-run', '--reverse-conninfo', conninfo());

# Undone after the way back was made: nothing of it is left.
my $config = slurp_file($proxy->config);
# In another database: a slot waits for whoever writes anywhere on the server.
$target->sql('postgres', 'CREATE TABLE busy ()');
my $writer = PenstockTest::Blocker->start($target, 'postgres', 'INSERT INTO busy DEFAULT VALUES');
$result = $migration->exits(3, @cutover, '--yes', '--prepare-limit', '1');
like($result->{stdout}, qr/publish .* undone/, 'the slot could not be made: undone');
unlike($result->{stdout}, qr/hold/, 'and nobody was held for it');
like($result->{stderr}, qr/In the way: pid \d+ .*pg_sleep\(3600\)/, 'who is in the way is named');
is(made(), '0|0|0', 'nothing of the way back is left');
is(limit($source), '-1', 'the source is open');
$writers->go_on($source, 'after giving up');
$writer->end;
$target->sql('postgres', 'DROP TABLE busy');

# The switch.
$result = $migration->ok(@cutover, '--yes');
like($result->{stderr}, qr/only INSERT and TRUNCATE will come back: public\.lines/, 'a table without identity is named');
is(made(), '1|2|1', 'the way back stands');
is($source->sql('app', q{SELECT count(*) FROM pg_replication_slots WHERE plugin = 'penstock'}), '0',
    'the way there has ended');
$writers->go_on($target, 'after the switch');
$writers->go_on($source, 'coming back to the fenced source');
$target->sql('app', <<'SQL');
ALTER DATABASE app CONNECTION LIMIT 321;
UPDATE parts SET place = 'target' WHERE id = 2;
INSERT INTO lines VALUES ('said on the target');
CREATE TABLE made_later (id int PRIMARY KEY);
INSERT INTO made_later VALUES (1);
CREATE TABLE parts_3 PARTITION OF parts (PRIMARY KEY (id)) FOR VALUES IN (3);
INSERT INTO parts VALUES (3, 'target');
CREATE TABLE empty_later (id int);
TRUNCATE emptied;
SQL
$result = $migration->ok('status');
like($result->{stdout}, qr/way back/, 'status shows the way back');

# What cannot come back is named before anything is done.
$result = $migration->exits(3, @rollback, '--yes');
like($result->{stderr}, qr/public\.lines.*since the cutover: public\.made_later, public\.parts_3.*--accept-loss/s,
    'losses are named, and tables that were made since');
push @rollback, '--accept-loss', '--accept-drift';
$result = $migration->ok(@rollback, '--plan');
like($result->{stdout}, qr/Rollback of migration .* open /s, 'the plan names the steps');

# Killed while clients are held, and undone: clients go on at the target. A lock on the source makes the way back wait.
sub kill_in_catch_up
{
    my ($name) = @_;
    my $lock = PenstockTest::Blocker->start($source, 'app', 'LOCK TABLE counted');
    wait_until('the worker to wait for the lock', sub {
        $source->sql('app', q{SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_subscription)})
          == 1 });
    my $killed = background($name, $migration->command(@rollback, '--yes', '--hold-limit', '50'));
    wait_until('the rollback to wait for the source', sub {
        die "it ended\n" unless $killed->is_running;
        # The fence ends sessions on the target, this one, too.
        return (eval { last_step('rollback') } // '') eq 'catch up begin';
    });
    is(limit($target), '0', "$name: the fence of the target stands");
    $killed->kill9;
    $lock->end;
    return;
}
kill_in_catch_up('killed');
$result = $migration->exits(3, @rollback, '--yes');
like($result->{stderr}, qr/--resume.*--undo/, 'a new rollback does not start over it');
$migration->ok(@rollback, '--undo');
is(limit($target), '321', 'undone: the target is as open as it was');
is(limit($source), '0', 'and the source is fenced');
$writers->go_on($target, 'after undo');

# Killed again, and carried on with: back.
kill_in_catch_up('killed again');
$result = $migration->ok(@rollback, '--resume', '--probe', $proxy->uri('app'));
like($result->{stdout}, qr/version 11 answers through the proxy/, 'the probe met the source');
is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'rolled back', 'the migration is rolled back');
is(limit($source), '-1', 'the source is open');
is(limit($target), '0', 'the target is fenced');
is(made(), '0|0|0', 'the way back is taken away');
$writers->go_on($source, 'after the rollback');
$migration->exits(3, @rollback, '--yes');
$migration->exits(3, @cutover, '--yes');

my $acknowledged = $writers->end_well($source);
is($source->sql('app', 'SELECT sum(writes) FROM counted'), $acknowledged, 'every acknowledged update, too');
is($source->sql('app', q{SELECT last_value >= (SELECT max(id) FROM written) FROM written_id_seq}), 't',
    'the sequence went on');
is($source->sql('app', q{SELECT string_agg(place, ' ' ORDER BY id) FROM parts}), 'source target',
    'partitions came back');
is($source->sql('app', 'SELECT count(*) FROM lines'), '1', 'an insert without identity came back');
is($source->sql('app', 'SELECT count(*) FROM emptied'), '0', 'TRUNCATE came back');

my $finished = $migration->ok('finish', '--yes')->{stdout};
like($finished, qr/^fence +stays: the target .*ALTER DATABASE "app" CONNECTION LIMIT 321;.*RESET default_transaction_read_only;/ms,
    'how to open the target again is said, with its limit as it was');
is($target->sql('app', q{SELECT to_regnamespace('penstock') IS NULL}), 't', 'finish takes the rest away');
done_testing();
