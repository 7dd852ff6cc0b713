# What others do while tables are copied does not end the copy, and costs no row: a transaction that stays open, a table that is
# locked, one that is made; a full disk. What the target refuses ends it at once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Forwarder;

my $source = start_source('source');
my $target = start_target('target');

sub make_database
{
    my ($name, $sql) = @_;
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    $source->sql($name, $sql);
    return migration($source, $target, database => $name, name => $name);
}

subtest 'a row that the target refuses ends the copy at once' => sub {
    my $migration = make_database('refused', <<'SQL');
CREATE DOMAIN picky AS int CHECK (current_setting('server_version_num')::int < 120000 OR VALUE <> 1);
CREATE TABLE t (id int PRIMARY KEY, v picky, filler text);
INSERT INTO t SELECT i, i, repeat('x', 200) FROM generate_series(1, 100000) AS i;
SQL
    # Behind a forwarder that lets a megabyte of rows pass, and then nothing: who waits for the last row waits in vain.
    my $forwarder = PenstockTest::Forwarder->start_new($source, most => 1_000_000);
    my $copy = background('refused_copy', program('penstock'), 'copy', '--migration', 'refused', '--jobs', 1,
        '--source', $forwarder->uri('refused'), '--target', $target->uri('refused'));
    is($copy->wait(60), 3, 'the copy ends');
    like($copy->log_text, qr/copying table public\.t: .*violates check constraint "picky_check"/, 'with the server\'s words');
    $forwarder->stop;
};

subtest 'a table that is made at the source while the copy begins' => sub {
    my $migration = make_database('made', 'CREATE TABLE t (id int PRIMARY KEY, v int); CREATE INDEX ON t (v); INSERT INTO t VALUES (1, 1)');
    my ($copy, $go) = $migration->copy_up_to('plan', '--ddl', 'off');
    my $late = 'CREATE TABLE late (id int PRIMARY KEY, v int UNIQUE)';
    $source->sql('made', "$late; CREATE INDEX late_index ON t (id, v)");
    $go->();
    is($copy->wait, 0, 'the copy ends well') or diag($copy->log_tail(20));
    like($copy->log_text, qr/since the copy began, and not part of it: public\.late\./, 'and names it');
    is($target->sql('made', q{SELECT count(*) FROM penstock.schema_object WHERE state <> 'made'}), '0', 'all of the schema is made');
    like($migration->exits(3, 'cutover', '--proxy=none', '--yes')->{stderr}, qr/public\.late/, 'no cutover without it');

    # It is made on the target, with a trigger that would fire for rows that are copied.
    $source->sql('made', 'INSERT INTO late VALUES (1, 1), (2, 2)');
    $target->sql('made', <<"SQL");
$late;
CREATE TABLE fired (id int);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN INSERT INTO public.fired VALUES (new.id); RETURN NULL; END \$\$;
CREATE TRIGGER fire AFTER INSERT ON late FOR EACH ROW EXECUTE FUNCTION fire();
ALTER TABLE late ENABLE ALWAYS TRIGGER fire;
SQL
    $migration->ok('copy');
    is($target->sql('made', 'SELECT count(*) FROM late'), '2', 'a second copy brings its rows');
    is($target->sql('made', 'SELECT count(*) FROM fired'), '0', 'and its trigger does not fire');
};

# Each would drop the database in which the other one tries the schema.
subtest 'two copies that begin together' => sub {
    my $migration = make_database('twice', 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
    $migration->{checks_first} = 1;
    my $lock = $source->background_psql('twice');
    $lock->query_safe('BEGIN; LOCK TABLE t');
    my $first = background('first', $migration->command('copy', '--force'));
    wait_until('the first to read the schema for its trial', sub { !$first->is_running || $source->sql('twice', q{SELECT count(*) FROM pg_stat_activity
        WHERE application_name LIKE 'penstock pg_dump%' AND wait_event_type = 'Lock'}) > 0 });
    my $second = background('second', $migration->command('copy', '--force'));
    is($second->wait(60), 3, 'the second is refused at once') or diag($second->log_tail(10));
    like($second->log_text, qr/another Penstock process has the control lock of migration "twice"/, 'and is told of the first');
    $lock->query_safe('ROLLBACK');
    $lock->quit;
    is($first->wait, 0, 'which comes to its end') or diag($first->log_tail(20));
};

# No COPY, no new files: with very many tables that is what they cost. What is in such a table on the target goes all the same.
subtest 'tables without a row' => sub {
    my $migration = make_database('without', <<'SQL');
CREATE TABLE never (id int PRIMARY KEY, v text);
CREATE TABLE hollow (id int PRIMARY KEY, v text);
CREATE TABLE filled (id int PRIMARY KEY, v text);
INSERT INTO filled VALUES (1, 'filled');
INSERT INTO hollow VALUES (1, 'dead');
DELETE FROM hollow;
ANALYZE;
SQL
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1);
    $target->sql('without', "INSERT INTO $_ VALUES (7, 'of the target')") foreach qw(never hollow filled);
    $go->();
    is($copy->wait, 0, 'the copy ends well') or diag($copy->log_tail(20));
    same_rows($source, $target, 'without', 'nothing else is there');
    is($target->sql('without', q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname IN ('never', 'hollow', 'filled') AND relfilenode = oid}),
        'never', 'only what may have a row is read and written anew');
};

subtest 'transactions and locks that last longer than we wait for anything' => sub {
    my $migration = make_database('long', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY, v text);
CREATE TABLE b (id int PRIMARY KEY, v text);
CREATE TABLE c (id int PRIMARY KEY, v text);
INSERT INTO a SELECT i, repeat('a', 500) FROM generate_series(1, 3000) AS i;
INSERT INTO b SELECT i, repeat('b', 400) FROM generate_series(1, 3000) AS i;
INSERT INTO c SELECT i, repeat('c', 300) FROM generate_series(1, 3000) AS i;
ANALYZE;
SQL
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1, '--cycle', 1, '--slot-timeout', 5);
    my $lock = $source->background_psql('long');
    $lock->query_safe('BEGIN; LOCK TABLE b');
    $go->();
    wait_until('the locked one to be passed over', sub { !$copy->is_running || $copy->log_text =~ /table public\.b: .*it is copied later/ });
    my $copied = q{SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM penstock.relation WHERE copy_state = 'copied'};
    wait_until('the rest to be copied', sub { !$copy->is_running || $target->sql('long', $copied) eq 'a c' });
    is($target->sql('long', $copied), 'a c', 'what is locked does not hold up the rest');
    # One that writes, and stays, while a new snapshot is taken: nothing waits for it.
    my $writer = $source->background_psql('long');
    $writer->query_safe(q{BEGIN; UPDATE a SET v = 'open' WHERE id = 1});
    $lock->query_safe('ROLLBACK');
    $lock->quit;
    is($copy->wait, 0, 'the copy ends well') or diag($copy->log_tail(20));
    $writer->query_safe('COMMIT');
    $writer->quit;
    cmp_ok($target->sql('long', 'SELECT count(DISTINCT snapshot) FROM penstock.job'), '>', 1, 'with more than one snapshot');
    my $applier = $migration->follow;
    $migration->same_after('all is there', q{UPDATE a SET v = 'later' WHERE id = 2});
    is($applier->stop, 0, 'the applier ends cleanly');
};

done_testing();
