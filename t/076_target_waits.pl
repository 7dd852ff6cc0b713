# A target that takes no writes for a moment, because it is in recovery, is waited for; and a batch that is refused at its
# commit by an error that passes is applied again by its worker, without a new run of everything.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
$source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE keyless (n int)');
$migration->ok('copy', '--lanes', 4);

sub statistic
{
    my ($name) = @_;
    return $migration->applier_says("statistics ->> '$name'");
}

subtest 'refused at the commit' => sub {
    $target->sql('postgres', <<'SQL');
CREATE SEQUENCE tries;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.nextval('public.tries') < 3 THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON keyless DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE keyless ENABLE ALWAYS TRIGGER refuse;
SQL
    my $applier = $migration->follow;
    $migration->same_after('the row is there', 'INSERT INTO keyless VALUES (1)');
    is(statistic('retries'), 2, 'the worker tried twice more');
    is(statistic('runs'), 1, 'in one run');
    is($applier->stop, 0, 'the applier ends cleanly');
};

# With one lane a source transaction is sent in pieces, in one transaction of the target: when its commit is refused, the pieces
# before the last one go with it, and all of them must come again.
subtest 'refused at the commit of a transaction in pieces' => sub {
    my $whole = app_database_of_one_lane();
    my $applier = $whole->follow('--workers', 1, '--', '--batch-rows', 10);
    $source->sql('whole', 'INSERT INTO keyless SELECT generate_series(1, 95)');
    $whole->wait_until_caught_up;
    same_rows($source, $target, 'whole', 'all pieces are there, once');
    is($target->sql('whole', 'SELECT is_called FROM tries'), 't', 'the commit was refused');
    is($applier->stop, 0, 'the applier ends cleanly');
};

sub app_database_of_one_lane
{
    $_->sql('postgres', 'CREATE DATABASE whole') foreach $source, $target;
    $source->sql('whole', 'CREATE TABLE keyless (n int)');
    my $whole = migration($source, $target, database => 'whole', name => 'whole');
    $whole->ok('copy', '--lanes', 1);
    $target->sql('whole', <<'SQL');
CREATE SEQUENCE tries;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.n = 95 AND pg_catalog.nextval('public.tries') < 2 THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON keyless DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE keyless ENABLE ALWAYS TRIGGER refuse;
SQL
    return $whole;
}

subtest 'in recovery' => sub {
    my $applier = $migration->follow;
    $migration->same_after('before', 'INSERT INTO t VALUES (1)');
    $target->stop;
    PostgreSQL::Test::Utils::append_to_file($target->data_dir . '/standby.signal', '');
    $target->start;
    $source->sql('postgres', 'INSERT INTO t VALUES (2); INSERT INTO keyless VALUES (2)');
    wait_until('two tries', sub { () = $applier->log_text =~ /cannot execute .* in a read-only transaction; trying again/g; });
    ok($applier->is_running, 'the applier waits');
    $target->promote;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'postgres', 'and goes on');
    is($applier->stop, 0, 'the applier ends cleanly');

    $target->stop;
    PostgreSQL::Test::Utils::append_to_file($target->data_dir . '/standby.signal', '');
    $target->start;
    my $started = $migration->follow('--', '--start-limit', 1);
    is($started->wait, 3, 'at its start it waits as long as for one that is not there');
    like($started->log_text, qr/read-only transaction.*hint .*in recovery, .*target_session_attrs/s, 'and says what to do');
};

done_testing();
