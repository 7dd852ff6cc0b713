# Catching up with changes of many tables, few of each: those of many transactions come together table by table, in target
# transactions that have only some of the tables, lane by lane. Whatever dies in the middle, each change is there once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
my ($tables, $transactions) = (200, 150);

sub on_all
{
    my ($sql) = @_;
    return "DO \$\$ BEGIN FOR i IN 1 .. $tables LOOP EXECUTE replace('$sql', '#', i::text); END LOOP; END \$\$";
}

# Each transaction: 40 tables by chance. A table without a key shows what is applied twice.
sub backlog
{
    my ($seed, $also) = @_;
    $source->sql('postgres', <<"SQL");
DO \$\$ DECLARE t int; BEGIN
    PERFORM setseed($seed);
    FOR i IN 1 .. $transactions LOOP
        FOR j IN 1 .. 40 LOOP
            t := 1 + floor(random() * $tables);
            EXECUTE format('UPDATE t_%s SET v = v + 1 WHERE id = %s', t, 1 + floor(random() * 5));
            IF j = 1 THEN EXECUTE format('INSERT INTO keyless_%s VALUES (%s)', t, i); END IF;
        END LOOP;
        IF i % 50 = 0 THEN
            EXECUTE format('TRUNCATE t_%s, keyless_%s', t, t);
            EXECUTE format('INSERT INTO t_%s SELECT i, 0 FROM generate_series(1, 5) i', t);
        END IF;
        $also
        COMMIT;
    END LOOP;
END \$\$;
SQL
    return $source->sql('postgres', 'SELECT pg_current_wal_insert_lsn()');
}

$source->sql('postgres', on_all('CREATE TABLE t_# (id int PRIMARY KEY, v int); CREATE TABLE keyless_# (v int); '
    . 'INSERT INTO t_# SELECT i, 0 FROM generate_series(1, 5) i'));
$source->sql('postgres', 'CREATE TABLE wide (id int PRIMARY KEY); INSERT INTO wide SELECT generate_series(1, 900)');
$migration->ok('copy', '--lanes', 16);
# As if there were very many: small tables are left to one lane each then.
$target->sql('postgres', <<'SQL');
INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_bytes)
SELECT 'default', 'elsewhere', 'n' || i, 4000000000 + i, 0 FROM generate_series(1, 1000) AS i;
UPDATE penstock.relation SET source_bytes = 1e9 WHERE table_name = 'wide';
SQL

# The first batch has to wait for a lock, so that all the rest gathers meanwhile.
$source->sql('postgres', 'UPDATE t_1 SET v = v + 1 WHERE id = 1');
my $lock = PenstockTest::Blocker->start($target, 'postgres', 'LOCK TABLE t_1');
my @small = ('--workers', 1, '--', '--batch-rows', 100, '--session-tables', 100);
my $applier = $migration->follow(@small);
wait_until('the wait to be shown', sub { ($migration->applier_says('blocked') // '') =~ /"t_1"|public\.t_1/ }, 60);
my $end = backlog(0.1, '');
wait_until('all to have been read', sub { $target->sql('postgres', "SELECT received_lsn >= '$end' FROM penstock.applier") eq 't' }, 60);
$lock->end;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'what gathered is there');
my ($changes, $statements) = split /\|/,
    $target->sql('postgres', q{SELECT changes, statistics ->> 'statements' FROM penstock.applier});
note("$changes changes by $statements statements");
cmp_ok($statements * 2, '<', $changes, 'many changes of a table went by one statement');
is($applier->stop, 0, 'it stops');

# Killed in the middle, lanes of one worker stand at different points; with another number of workers it goes on.
foreach my $round (1 .. 4) {
    backlog($round / 10, 'UPDATE wide SET id = id + 1000 WHERE id = i;');
    my $epoch = $target->sql('postgres', 'SELECT max(epoch) FROM penstock.lane');
    $applier = $migration->follow('--workers', $round % 3 + 1, @small[2 .. $#small]);
    wait_until('some lanes to have moved', sub {
        $target->sql('postgres', "SELECT count(*) FILTER (WHERE epoch > $epoch AND moves > 0) > 2 FROM penstock.lane") eq 't'
    }, 60);
    $applier->kill9;
}
$applier = $migration->follow(@small);
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'killed four times in the middle of it');

# Who waits for the applier, as a switch does, writes a message into the stream. It is told at once: neither with the next regular
# report, nor after the half second for which such a batch waits for more. Reports are slow here, so that the next one would come
# 0.9 seconds after the last. The machine may be slow as well: the fastest of some counts.
$target->sql('postgres', <<'SQL');
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END';
CREATE TRIGGER slow BEFORE UPDATE ON penstock.applier FOR EACH ROW EXECUTE FUNCTION slow();
ALTER TABLE penstock.applier ENABLE ALWAYS TRIGGER slow;
SQL

sub told_after
{
    my ($sql) = @_;
    my $marks = $source->sql('postgres', "$sql SELECT pg_logical_emit_message(true, 'penstock', 'close'), extract(epoch FROM clock_timestamp())");
    my ($mark, $from) = split /\|/, (split /\n/, $marks)[-1];
    return $target->sql('postgres', <<"SQL") - $from;
DO \$\$ BEGIN FOR i IN 1 .. 6000 LOOP
    EXIT WHEN (SELECT low_water_lsn >= '$mark' FROM penstock.applier);
    PERFORM pg_sleep(0.01);
END LOOP; END \$\$;
SELECT extract(epoch FROM clock_timestamp())
SQL
}

# The first comes when nothing has been reported for a while, and the next regular report would be due at once.
sub fastest
{
    my ($sql) = @_;
    my ($first, @others) = map { told_after($sql) } 1 .. 10;
    return (sort { $a <=> $b } @others)[0];
}

cmp_ok(fastest(''), '<', 0.5, 'who waits is told at once');
cmp_ok(fastest(on_all('UPDATE t_# SET v = v + 1 WHERE id = 1') . ';'), '<', 0.5, 'with changes of many tables before it, too');
is($applier->stop, 0, 'it stops');
done_testing();
