# The copy in cycles: tables and parts of tables that were copied under different snapshots, with the stream beside, end with
# the source's rows, whatever is killed when; rows move between parts, tables are truncated, foreign keys are made.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');

my $schema = <<'SQL';
CREATE TABLE parts (id int PRIMARY KEY, v text, big text);
ALTER TABLE parts ALTER big SET STORAGE EXTERNAL;
CREATE TABLE negative (id bigint, n int, v text, PRIMARY KEY (id, n));
CREATE TABLE cut (id int PRIMARY KEY, v text);
CREATE TABLE scattered (id uuid PRIMARY KEY, v text);
CREATE TABLE parent (id int PRIMARY KEY, u int UNIQUE);
CREATE TABLE child (id int PRIMARY KEY, p int NOT NULL REFERENCES parent, note text);
CREATE INDEX ON child (p);
CREATE TABLE keyless (v int);
CREATE TABLE locked (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS n FROM child WITH NO DATA;
CREATE FUNCTION body(n int) RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(md5((n * 100 + i)::text), '') FROM generate_series(1, 70) AS i $$;
INSERT INTO parts SELECT i, 'v' || i, CASE WHEN i % 20 = 0 THEN body(i) END FROM generate_series(1, 40000) AS i;
INSERT INTO negative SELECT i - 30000, i % 3, md5(i::text) FROM generate_series(1, 60000) AS i;
INSERT INTO cut SELECT i, md5(i::text) FROM generate_series(1, 50000) AS i;
INSERT INTO scattered SELECT md5(i::text)::uuid, repeat('s', 100) FROM generate_series(1, 20000) AS i;
INSERT INTO parent SELECT i, -i FROM generate_series(1, 3000) AS i;
INSERT INTO child SELECT i, 1 + i % 3000, 'first' FROM generate_series(1, 20000) AS i;
DO $$ BEGIN FOR i IN 1 .. 40 LOOP EXECUTE format('CREATE TABLE tiny_%s (id int PRIMARY KEY, v text);'
    'INSERT INTO tiny_%1$s VALUES (1, ''a''), (2, ''b'')', i); END LOOP; END $$;
CREATE FUNCTION work(op int, k int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF op <= 20 THEN UPDATE parts SET v = md5(k::text || clock_timestamp()) WHERE id = k;
    ELSIF op <= 40 THEN UPDATE parts SET id = 1 + (k::bigint * 7919 + op) % 90000 WHERE id = k;
    ELSIF op <= 47 THEN DELETE FROM parts WHERE id = k;
    ELSIF op <= 55 THEN INSERT INTO parts VALUES (k, 'new', CASE WHEN k % 10 = 0 THEN body(k) END) ON CONFLICT DO NOTHING;
    ELSIF op <= 62 THEN UPDATE negative SET id = -id, v = v || '!' WHERE id = k - 20000;
    ELSIF op <= 70 THEN INSERT INTO parent VALUES (k + 3000, -k - 3000) ON CONFLICT DO NOTHING;
                        INSERT INTO child VALUES (k + 20000, k + 3000, 'later') ON CONFLICT DO NOTHING;
    ELSIF op <= 75 THEN DELETE FROM child WHERE p = k % 3000; DELETE FROM parent WHERE id = k % 3000;
    ELSIF op <= 80 THEN UPDATE scattered SET v = 'touched' WHERE id = md5(k::text)::uuid;
    ELSIF op <= 85 THEN EXECUTE format('INSERT INTO tiny_%s VALUES ($1, $2) ON CONFLICT DO NOTHING', 1 + k % 40) USING k, 'x';
    ELSIF op <= 90 THEN UPDATE cut SET v = 'u' WHERE id = k;
    ELSIF op <= 95 THEN UPDATE parent SET u = -u WHERE id = k % 3000;
    ELSIF op <= 97 THEN INSERT INTO keyless VALUES (k);
    ELSIF k % 10 = 0 THEN TRUNCATE cut; INSERT INTO cut SELECT i, 'again' FROM generate_series(1, 50000, 1 + k % 7) AS i;
    END IF;
EXCEPTION WHEN unique_violation THEN NULL;
END $$;
ANALYZE;
SQL

# pgbench in the background, which does all that to the database.
sub load
{
    my ($database) = @_;
    my $script = "$PostgreSQL::Test::Utils::tmp_check/work.sql";
    write_file($script, "\\set op random(1, 100)\n\\set k random(1, 60000)\nSELECT work(:op, :k);\n");
    return $source->pgbench($database, '--client=4', '--rate=200', "--file=$script");
}

sub make_database
{
    my ($name) = @_;
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    $source->sql($name, $schema);
    return migration($source, $target, database => $name, name => $name);
}

my $parts = q{penstock.job j JOIN penstock.job_relation jr ON jr.job = j.id
    JOIN penstock.relation r ON r.id = jr.relation AND r.table_name IN ('cut', 'parts')};

# The first part of each of the two tables, if it is copied: [TABLE, SNAPSHOT that it was copied under].
sub first_parts
{
    my ($database) = @_;
    my $rows = $target->sql($database, "SELECT r.table_name, j.snapshot FROM $parts WHERE j.first_key IS NULL AND j.state = 'done' ORDER BY 1");
    return map { [split /\|/] } split /\n/, $rows;
}

sub copied_jobs
{
    my ($database) = @_;
    return $target->sql($database,
        q{SELECT CASE WHEN to_regclass('penstock.job') IS NULL THEN 0
               ELSE (xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM penstock.job WHERE state = ''done''', false, true, '')))[1]::text::int END});
}

# A copy is killed when the first part of each of the two is copied, and nothing else: whoever claims jobs passes over those that are
# locked, and no snapshot is taken but the first. Then rows go from parts that are not copied to one that is, with values that the update
# does not touch, and `cut` is emptied. So what is copied has to be copied anew, under a later snapshot. Returns first_parts.
sub move_and_truncate
{
    my ($migration, $database, @options) = @_;
    my ($copy, $go) = $migration->copy_up_to('data', @options, '--cycle', 3600);
    my $held = PenstockTest::Blocker->start($target, $database,
        "SELECT id FROM penstock.job WHERE id NOT IN (SELECT j.id FROM $parts WHERE j.first_key IS NULL) FOR UPDATE");
    $go->();
    wait_until('the first parts to be copied', sub { !$copy->is_running || first_parts($database) == 2 });
    $copy->kill9;
    my @copied = first_parts($database);
    is(join(' ', map { $_->[0] } @copied), 'cut parts', 'the first part of each is copied');
    is(copied_jobs($database), '2', '... and nothing else');
    my $last = $target->sql($database, "SELECT j.last_key FROM $parts WHERE r.table_name = 'parts' AND j.first_key IS NULL");
    is($source->sql($database, "WITH moved AS (UPDATE parts SET id = -id WHERE id IN (SELECT id FROM parts WHERE id > $last AND big IS NOT NULL LIMIT 20)"
          . ' RETURNING 1) SELECT count(*) FROM moved'), '20', 'rows move to it from others');
    $source->sql($database, 'TRUNCATE cut; INSERT INTO cut VALUES (7, 7), (49000, 49)');
    $held->end;
    return @copied;
}

my @options = ('--part-size', 1, '--jobs', 2);

subtest 'a copy that is killed again and again' => sub {
    my $migration = make_database('killed');
    my @copied = move_and_truncate($migration, 'killed', @options, '--jobs', 1);
    my $load = load('killed');
    # The copy cannot come to its end, because one of the tables cannot be read; the load does not touch that one, and goes on.
    my $blocker = PenstockTest::Blocker->start($source, 'killed', 'LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
    $migration->ok('throttle', 'rate=4MB');
    my $done = copied_jobs('killed');
    foreach my $kill (1 .. 6) {
        my $copy = background('killed_copy', $migration->command('copy', @options, '--jobs', 1, '--cycle', 1));
        wait_until('more jobs done', sub {
            !$copy->is_running || copied_jobs('killed') > $done + 1
              || $source->sql('killed', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE ONLY%'}) > 0;
        });
        $copy->kill9;
        $done = copied_jobs('killed');
    }
    $blocker->end;
    $migration->ok('throttle', 'rate=off');
    cmp_ok($target->sql('killed', 'SELECT count(DISTINCT snapshot) FROM penstock.job'), '>', 2, 'there are several snapshots');
    cmp_ok($target->sql('killed', q{SELECT count(*) FROM penstock.job WHERE kind = 'part'}), '>', 5, 'and many parts');
    $migration->ok('copy', @options, '--cycle', 1);
    my %copied = map { @{$_} } first_parts('killed');
    is(join(' ', map { $_->[0] } grep { $copied{$_->[0]} > $_->[1] } @copied), 'cut parts',
        'parts that were copied are copied anew, for rows that came without all their values, and for a truncate') or diag(explain(\@copied, \%copied));
    my $applier = $migration->follow;
    $load->stop('ALRM');
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'killed', 'after six kills');
    is($target->sql('killed', q{SELECT count(*) FROM pg_constraint WHERE conname = 'child_p_fkey' AND convalidated}), '1', 'the foreign key is there');
    is($target->sql('killed', q{SELECT count(*) FROM penstock.schema_object WHERE state NOT IN ('made')}), '0', 'all of the schema is made');
    is($applier->stop, 0, 'the applier ends cleanly');
};

subtest 'cycles in one go' => sub {
    my $migration = make_database('cycles');
    my $load = load('cycles');
    my $copy = background('cycles_copy', $migration->command('copy', @options, '--jobs', 1, '--cycle', 1));
    foreach my $round (1 .. 4) {
        wait_until('jobs done', sub { copied_jobs('cycles') > 2 * $round || !$copy->is_running });
        my $blocker = PenstockTest::Blocker->start($source, 'cycles', 'LOCK TABLE parts, negative IN ACCESS EXCLUSIVE MODE');
        wait_until('a cycle to be over', sub {
            $target->sql('cycles', q{SELECT max(taken_at) < clock_timestamp() - interval '1.1 s' FROM penstock.snapshot}) eq 't'
              || !$copy->is_running });
        $blocker->end;
    }
    is($copy->wait, 0, 'the copy ends well') or diag($copy->log_tail(20));
    cmp_ok($target->sql('cycles', 'SELECT count(DISTINCT snapshot) FROM penstock.job'), '>', 1, 'there are several snapshots');
    my $applier = $migration->follow;
    $load->stop('ALRM');
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'cycles', 'after cycles');
    is($applier->stop, 0, 'the applier ends cleanly');
};

done_testing();
