# What is built on the target while tables are still copied and the stream goes on: indexes, constraints, materialized views. None of
# it holds the stream up, and what a killed copy has left of it is finished.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');

# On the target alone, wait(n) waits for whoever has the advisory lock 900 + n there.
my $schema = <<'SQL';
CREATE FUNCTION wait(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    IF current_setting('server_version_num')::int >= 120000 THEN
        PERFORM pg_advisory_lock_shared(900 + n), pg_advisory_unlock_shared(900 + n);
    END IF;
    RETURN n;
END $$;
CREATE TABLE big (id int PRIMARY KEY, v int, filler text);
CREATE INDEX big_slow ON big ((CASE WHEN id = 5 THEN wait(id - 4) ELSE v END));
CREATE UNIQUE INDEX big_unique ON big (id, v);
ALTER TABLE big ADD CONSTRAINT big_key UNIQUE (v, id) DEFERRABLE;
CREATE TABLE held (id int PRIMARY KEY, v text);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent, CONSTRAINT seen CHECK (id <> 5 OR wait(id - 3) = 2));
CREATE TABLE parted (id int, p int REFERENCES parent) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10000);
CREATE MATERIALIZED VIEW slow AS SELECT count(*) AS n, wait(3) FROM child;
INSERT INTO big SELECT i, i, repeat('x', 900) FROM generate_series(1, 10000) AS i;
INSERT INTO held SELECT i, repeat('h', 300) FROM generate_series(1, 2000) AS i;
INSERT INTO parent SELECT i FROM generate_series(1, 500) AS i;
INSERT INTO child SELECT i, 1 + i % 500 FROM generate_series(1, 2000) AS i;
INSERT INTO parted SELECT i, 1 + i % 500 FROM generate_series(1, 2000) AS i;
ANALYZE;
SQL
$source->sql('postgres', $schema);
my $migration = migration($source, $target);
my @options = ('--jobs', 2, '--cycle', 1, '--maintenance-work-mem', '64MB', '--index-processes', 1);

my $next = 0;

# What is committed at the source now comes to the target, whatever is being built there.
sub goes_on
{
    my ($name, $copy) = @_;
    $next++;
    $source->sql('postgres', "BEGIN; INSERT INTO parent VALUES (10000 + $next); INSERT INTO child VALUES (10000 + $next, 10000 + $next);"
          . " INSERT INTO big VALUES (20000 + $next, 1); COMMIT");
    wait_until("the stream to go on: $name", sub { !$copy->is_running || $target->sql('postgres', "SELECT count(*) FROM big WHERE id = 20000 + $next") eq '1' });
    ok($copy->is_running, "the stream goes on: $name");
    return;
}

# The statement that waits for the advisory lock.
sub builds
{
    my ($like, $copy) = @_;
    wait_until("$like to be at work",
        sub { !$copy->is_running || $target->sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND query ~ '$like'") > 0 });
    return;
}

my ($copy, $go) = $migration->copy_up_to('data', @options);
my $gate = $target->background_psql('postgres');
$gate->query_safe("SELECT pg_advisory_lock(90$_)") foreach 1 .. 3;
my $held = PenstockTest::Blocker->start($source, 'postgres', 'LOCK TABLE held');
my $first = $source->background_psql('postgres');
$first->query_safe('BEGIN; LOCK TABLE big');
$go->();
wait_until('a second snapshot', sub { !$copy->is_running || $target->sql('postgres', 'SELECT max(number) > 1 FROM penstock.snapshot') eq 't' });
$first->query_safe('ROLLBACK');
$first->quit;
builds('CREATE INDEX.*big_slow', $copy);
isnt($target->sql('postgres', q{SELECT copy_state FROM penstock.relation WHERE table_name = 'held'}), 'copied', 'an index is built while a table is not copied yet');
goes_on('an index is built', $copy);
$copy->kill9;
is($target->sql('postgres', q{SELECT state FROM penstock.schema_object WHERE object_name = 'big_slow'}), 'building', 'a killed copy leaves it half built');
$copy = background('copy', $migration->command('copy', @options));
builds('INDEX.*big_slow', $copy);
$gate->query_safe('SELECT pg_advisory_unlock(901)');
$held->end;
builds('VALIDATE CONSTRAINT seen', $copy);
goes_on('a constraint is validated', $copy);
is($target->sql('postgres', q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class JOIN pg_index ON oid = indexrelid WHERE relname LIKE 'big%' AND indisvalid}),
    'big_key big_pkey big_slow big_unique', 'all indexes are there by then');
$gate->query_safe('SELECT pg_advisory_unlock(902)');
builds('REFRESH MATERIALIZED VIEW', $copy);
goes_on('a materialized view is filled', $copy);
$gate->query_safe('SELECT pg_advisory_unlock(903)');
$gate->quit;
is($copy->wait, 0, 'the copy ends well') or diag($copy->log_tail(20));

my $dump = sub { my ($server) = @_; $server->sql('postgres', q{SELECT string_agg(conname || ' ' || convalidated || ' ' || condeferrable || ' ' || pg_get_constraintdef(oid), E'\n' ORDER BY conname)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace}) };
is($dump->($target), $dump->($source), 'constraints are as at the source, and valid');
is($target->sql('postgres', q{SELECT string_agg(object_name || ' ' || state, ', ') FROM penstock.schema_object WHERE state <> 'made'}), '', 'all of the schema is made');
cmp_ok($target->sql('postgres', 'SELECT n FROM slow'), '>=', 2002, 'the view is filled');
my $applier = $migration->follow;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'after all that was built meanwhile');
is($applier->stop, 0, 'the applier ends cleanly');

# --- What is refused is named, and a second copy tries just that; what somebody made by hand meanwhile is recognised.
subtest 'refused, mended, made by hand' => sub {
    $_->sql('postgres', 'CREATE DATABASE refused') foreach $source, $target;
    $source->sql('refused', <<'SQL');
CREATE FUNCTION old() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
    IF current_setting('server_version_num')::int >= 120000 THEN RAISE 'not here'; END IF; RETURN 1; END $$;
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 1);
CREATE INDEX t_old ON t ((old() + id));
CREATE INDEX t_older ON t ((old() + v));
SQL
    my $migration = migration($source, $target, database => 'refused', name => 'refused');
    like($migration->exits(3, 'copy')->{stderr}, qr/refuses 2 objects of the schema: INDEX public\.t_old, INDEX public\.t_older/, 'both are named');
    $target->sql('refused', 'CREATE OR REPLACE FUNCTION old() RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1 $$');
    $target->sql('refused', 'CREATE INDEX t_old ON t ((old() + id)); CREATE INDEX t_older ON t ((old() - v))');
    my $result = $migration->exits(3, 'copy');
    like($result->{stderr}, qr/refuses 1 object of the schema: INDEX public\.t_older/, 'what was made by hand as it is at the source is recognised, what is other is not');
    $target->sql('refused', 'DROP INDEX t_older');
    $migration->ok('copy');
    is($target->sql('refused', q{SELECT count(*) FROM penstock.schema_object WHERE state <> 'made'}), '0', 'then all is made');
};

done_testing();
