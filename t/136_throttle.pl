# A copy is slowed down, stopped and let go on while it runs, by hand and by itself, and copied along from elsewhere: it is slow, never
# wrong. Whoever copies along may die.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');

# Eight tables of a third of a megabyte. On the target each row waits for whoever has the advisory lock 55, and there is no room
# while somebody has 56.
my $schema = <<'SQL';
CREATE FUNCTION gate() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('server_version_num')::int >= 120000 THEN
        PERFORM pg_advisory_lock_shared(55), pg_advisory_unlock_shared(55);
        IF NOT pg_try_advisory_lock_shared(56) THEN
            RAISE 'could not extend file "base/1/2": No space left on device' USING ERRCODE = 'disk_full';
        END IF;
        PERFORM pg_advisory_unlock_shared(56);
    END IF;
    RETURN true;
END $$;
CREATE DOMAIN gated AS int CHECK (VALUE > 1 OR gate());
DO $$ BEGIN FOR i IN 1 .. 8 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v gated, filler text);'
    'INSERT INTO t%1$s SELECT i, i, repeat(''x'', 900) FROM generate_series(1, %2$s) AS i', i, 400 + i); END LOOP; END $$;
ANALYZE;
SQL

sub make_database
{
    my ($name) = @_;
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    $source->sql($name, $schema);
    return migration($source, $target, database => $name, name => $name);
}

sub at_the_gate
{
    my ($database) = @_;
    return $target->sql($database, q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%COPY %' AND datname = current_database()});
}

sub jobs_done
{
    my ($database) = @_;
    return $target->sql($database, q{SELECT count(*) FROM penstock.job WHERE state = 'done'});
}

subtest 'a signal ends it, whatever it waits for' => sub {
    my $migration = make_database('stopped');
    my ($copy, $go) = $migration->copy_up_to('plan', '--no-trial');
    kill('INT', $copy->pid);    # a statement of it waits for a lock
    is($copy->wait, 4, 'at once, and it can be resumed') or diag($copy->log_tail(5));
    $go->();
    $migration->ok('copy');
    same_rows($source, $target, 'stopped', 'and is');
};

subtest 'pause, resume, and more at a time' => sub {
    my $migration = make_database('paused');
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1);
    my $gate = $target->background_psql('paused');
    $gate->query_safe('SELECT pg_advisory_lock(55)');
    $migration->ok('pause');
    $go->();
    wait_until('the copy to say that it is paused', sub { !$copy->is_running || $copy->log_text =~ /held: it is paused/ });
    like($migration->ok('throttle')->{stdout}, qr/paused: penstock resume/, 'throttle says so');
    is(jobs_done('paused') + at_the_gate('paused'), '0', 'nothing is begun');
    $migration->ok('resume');
    wait_until('one job to run', sub { !$copy->is_running || at_the_gate('paused') == 1 });
    like($migration->exits(2, 'throttle', 'job=3')->{stderr}, qr/the nearest is jobs/, 'a name that is none is refused');
    $migration->exits(3, 'throttle', 'rate=much');
    like($migration->exits(2, 'throttle', 'max-wal=1GB', 'jobs=0')->{stderr}, qr/jobs cannot be 0: 1 is the least.*penstock pause/s, 'no jobs at all are a pause');
    like($migration->exits(2, 'throttle', 'rate=-5')->{stderr}, qr/rate cannot be -5/, 'nor is there a rate below nothing');
    is(decode_json($migration->ok('throttle', '--json')->{stdout})->{max_wal}, undef, 'what stands beside a limit that is refused is not set either');
    $migration->ok('throttle', 'jobs=3');
    wait_until('three jobs to run', sub { !$copy->is_running || at_the_gate('paused') == 3 });
    ok($copy->is_running, 'jobs can be raised while it runs');
    $migration->ok('throttle', 'jobs=1', 'rate=200kB');
    is(decode_json($migration->ok('throttle', '--json')->{stdout})->{bytes_per_second}, 204800, 'what is set is shown');
    $gate->query_safe('SELECT pg_advisory_unlock(55)');
    wait_until('the next to run', sub { !$copy->is_running || jobs_done('paused') >= 3 });
    $migration->ok('throttle', 'rate=off', 'jobs=off');
    is($copy->wait, 0, 'the copy ends well') or diag($copy->log_tail(20));
    $gate->quit;
    cmp_ok($target->sql('paused', q{SELECT max(extract(epoch FROM ended_at - started_at)) FROM penstock.job}), '>', 0.7, 'bytes were counted');
    same_rows($source, $target, 'paused', 'slow, and right');
};

subtest 'a full disk' => sub {
    my $migration = make_database('nospace');
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 3);
    my $full = $target->background_psql('nospace');
    $full->query_safe('SELECT pg_advisory_lock(56)');
    $go->();
    wait_until('the copy to wait', sub { !$copy->is_running || $copy->log_text =~ /waits until the target has room.*No space left on device/ });
    is(jobs_done('nospace'), '0', 'nothing is copied without room');
    wait_until('it to be known', sub { $migration->ok('throttle')->{stdout} =~ /The copy is held: the target has no room; it goes on by itself when it has\./ });
    wait_until('status to say so', sub { $migration->ok('status')->{stdout} =~ /held: the target has no room/ });
    $full->query_safe('SELECT pg_advisory_unlock(56)');
    is($copy->wait, 0, 'with room it goes on by itself') or diag($copy->log_tail(20));
    $full->quit;
    same_rows($source, $target, 'nospace', 'nothing is missing');
};

# An index is where a disk gets full: it is the last of what is made.
subtest 'a full disk when indexes are made' => sub {
    $_->sql('postgres', 'CREATE DATABASE lastroom') foreach $source, $target;
    $source->sql('lastroom', <<'SQL');
CREATE FUNCTION place(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('server_version_num')::int >= 120000 AND NOT pg_try_advisory_lock_shared(56) THEN
        RAISE 'could not extend file "base/1/3": No space left on device' USING ERRCODE = 'disk_full';
    END IF;
    RETURN v;
END $$;
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS i;
CREATE INDEX room ON t (place(v));
SQL
    my $migration = migration($source, $target, database => 'lastroom', name => 'lastroom');
    my ($copy, $go) = $migration->copy_up_to('post-data', '--jobs', 2);
    my $full = $target->background_psql('lastroom');
    $full->query_safe('SELECT pg_advisory_lock(56)');
    $go->();
    wait_until('the index to wait', sub { !$copy->is_running || $copy->log_text =~ /INDEX public\.room waits until the target has room.*No space left on device/ });
    wait_until('status to say so', sub { $migration->ok('status')->{stdout} =~ /held: INDEX public\.room waits until the target has room: .*No space left on device/ });
    ok($copy->is_running, 'the copy does not end');
    $full->query_safe('SELECT pg_advisory_unlock(56)');
    is($copy->wait, 0, 'with room it goes on by itself') or diag($copy->log_tail(20));
    $full->quit;
    is($target->sql('lastroom', q{SELECT indisvalid FROM pg_index WHERE indexrelid = 'room'::regclass}), 't', 'the index is made');
    is($target->sql('lastroom', q{SELECT count(*) FROM penstock.schema_object WHERE state <> 'made'}), '0', 'as all of the schema');
};

# Neither rows nor indexes: the step as a whole waits, and is begun again.
subtest 'a full disk in the schema and in large objects' => sub {
    $_->sql('postgres', 'CREATE DATABASE anyroom') foreach $source, $target;
    $source->sql('anyroom', <<'SQL');
CREATE TABLE made (id int PRIMARY KEY);
INSERT INTO made SELECT generate_series(1, 10);
SELECT lo_from_bytea(4711, 'large');
COMMENT ON LARGE OBJECT 4711 IS 'said';
SQL
    $target->sql('anyroom', <<'SQL');
CREATE FUNCTION needs_room() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE gate int := CASE WHEN EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_type = 'large object') THEN 57 ELSE 56 END;
BEGIN
    IF NOT pg_try_advisory_lock_shared(gate) THEN
        RAISE 'could not extend file "base/1/4": No space left on device' USING ERRCODE = 'disk_full';
    END IF;
    PERFORM pg_advisory_unlock_shared(gate);
END $$;
CREATE EVENT TRIGGER needs_room ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'COMMENT') EXECUTE FUNCTION needs_room();
ALTER EVENT TRIGGER needs_room ENABLE ALWAYS;
SQL
    my $migration = migration($source, $target, database => 'anyroom', name => 'anyroom');
    my ($copy, $go) = $migration->copy_up_to('schema', '--force');
    my $full = $target->background_psql('anyroom');
    $full->query_safe('SELECT pg_advisory_lock(56), pg_advisory_lock(57)');
    $go->();
    wait_until('the schema to wait', sub { !$copy->is_running || $copy->log_text =~ /step schema waits until the target has room.*No space left on device/ });
    is($target->sql('anyroom', q{SELECT to_regclass('made') IS NULL}), 't', 'what was made is let go');
    wait_until('status to say so', sub { $migration->ok('status', '--json')->{stdout} =~ /"held": ?"the step schema waits until the target has room: .*No space left on device/ });
    $full->query_safe('SELECT pg_advisory_unlock(56)');
    wait_until('large objects to wait', sub { !$copy->is_running || $copy->log_text =~ /step large objects waits until the target has room.*No space left on device/ });
    wait_until('status to say so', sub { $migration->ok('status')->{stdout} =~ /held: the step large objects waits until the target has room/ });
    ok($copy->is_running, 'rows have come meanwhile, and the copy does not end');
    $full->query_safe('SELECT pg_advisory_unlock(57)');
    is($copy->wait, 0, 'with room it goes on by itself') or diag($copy->log_tail(20));
    $full->quit;
    is($target->sql('anyroom', q{SELECT concat(convert_from(lo_get(4711), 'UTF8'), obj_description(4711, 'pg_largeobject'), (SELECT count(*) FROM made))}),
        'largesaid10', 'all of it is there');
};

# Sessions that have work to do leave an index no processors.
subtest 'an index that is built while rows are copied' => sub {
    my $migration = make_database('spare');
    $source->sql('spare', <<'SQL');
CREATE FUNCTION tells(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
    IF v = 1 THEN RAISE LOG 'processes beside: %', current_setting('max_parallel_maintenance_workers'); END IF;
    RETURN v;
END $$;
CREATE TABLE wide (id int PRIMARY KEY, v int, filler text);
INSERT INTO wide SELECT i, i, repeat('x', 1900) FROM generate_series(1, 6000) AS i;
CREATE INDEX wide_tells ON wide (tells(v));
ANALYZE wide;
SQL
    my $log = -s $target->logfile;
    my $migration_log = sub { substr(PostgreSQL::Test::Utils::slurp_file($target->logfile), $log) };
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 2, '--no-trial');
    my $gate = $target->background_psql('spare');
    $gate->query_safe('SELECT pg_advisory_lock(55)');
    $go->();
    wait_until('the index to be built', sub { !$copy->is_running || $migration_log->() =~ /processes beside: \d/ });
    is(($migration_log->() =~ /processes beside: (\d+)/)[0], '0', 'takes no more processes than sessions are without work');
    $gate->query_safe('SELECT pg_advisory_unlock(55)');
    is($copy->wait, 0, 'the copy ends') or diag($copy->log_tail(20));
    $gate->quit;
};

subtest 'WAL that the source keeps' => sub {
    my $migration = make_database('wal');
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1, '--max-wal', '8MB');
    my $write = 'CREATE TEMP TABLE w AS SELECT i, repeat(md5(i::text), 30) AS v FROM generate_series(1, 1) AS i;'
      . "SELECT count(pg_logical_emit_message(false, 'test', repeat('x', 1000000))) FROM generate_series(1, 12)";
    $source->sql('wal', $write);
    $go->();
    wait_until('the copy to be held', sub { !$copy->is_running || $copy->log_text =~ /held: the source keeps [\d.]+ MB of WAL for the slot, and --max-wal is 8\.4 MB/ });
    is(jobs_done('wal'), '0', 'nothing is begun over the limit');
    # Whoever ends the applier, the kernel for want of memory for instance, does not end the copy.
    my $applier_pid = 0;
    wait_until('the applier beside', sub { ($applier_pid) = `pgrep -P @{[$copy->pid]}` =~ /(\d+)/; !$copy->is_running || $applier_pid });
    kill('KILL', $applier_pid);
    wait_until('it to be started again', sub { !$copy->is_running || $copy->log_text =~ /the applier was ended by signal 9; it is started again/ });
    # The stream goes on; what the slot keeps gets less with the source's own records.
    wait_until('the copy to go on by itself', sub { $source->sql('wal', 'CHECKPOINT'); !$copy->is_running || $copy->log_text =~ /the copy goes on/ });
    is($copy->wait, 0, 'and ends well') or diag($copy->log_tail(20));
    my $applier = $migration->follow;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'wal', 'nothing is missing');
    is($applier->stop, 0, 'the applier ends cleanly');
};

# Each limit by itself: over it nothing is begun, and penstock throttle says why; then it is kept, and the next one is passed.
subtest 'limits of what the servers are at' => sub {
    my $migration = make_database('limits');
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1);
    my $standby = $source->start_standby('behind');
    wait_until('the standby to be connected', sub { $source->sql('postgres', 'SELECT count(*) FROM pg_stat_replication') > 0 });
    my $name = $source->sql('postgres', q{SELECT application_name FROM pg_stat_replication WHERE application_name !~ '^penstock'});
    my $busy = PenstockTest::Blocker->start($source, 'limits', 'SELECT 1');
    my $held = sub {
        my ($what, $reason) = @_;
        wait_until("the copy to be held: $what", sub { !$copy->is_running || $migration->ok('throttle')->{stdout} =~ /The copy is held: $reason/ });
        is(jobs_done('limits'), '0', "$what: nothing is begun");
    };
    $migration->ok('throttle', 'max-sessions=0');
    $go->();
    $held->('sessions', qr/1 sessions are active at the source, and max-sessions is 0\./);
    $migration->ok('throttle', 'min-free=1000TB');
    $busy->end;
    $held->('room', qr/[\d.]+ [GT]B are free on the target, and min-free is 1099\.5 TB\./);

    my $old = $source->background_psql('limits');
    $old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current_snapshot()');
    $source->sql('postgres', "SELECT txid_current();\n" x 60);
    $migration->ok('throttle', 'max-xmin-age=50', 'min-free=off');
    $held->('an old snapshot', qr/the oldest snapshot of the source is \d\d transactions old, and max-xmin-age is 50\./);

    $standby->sql('postgres', 'SELECT pg_wal_replay_pause()');
    $source->sql('limits', q{SELECT count(pg_logical_emit_message(false, 'test', repeat('x', 1000000))) FROM generate_series(1, 5)});
    $migration->ok('throttle', 'max-lag=4MB', "standbys=$name");
    $old->query_safe('ROLLBACK');
    $old->quit;
    $held->('a standby', qr/a standby is [5-9]\.\d MB behind, or not connected, and max-lag is 4\.2 MB\./);
    $migration->ok('throttle', 'standbys=nobody');
    $standby->sql('postgres', 'SELECT pg_wal_replay_resume()');
    $held->('a standby that is not there', qr/a standby is [\d.]+ [MG]B behind, or not connected/);
    $migration->ok('throttle', "standbys=$name");
    is($copy->wait, 0, 'with every limit kept it goes on by itself, to the end') or diag($copy->log_tail(20));
    like($copy->log_text, qr/held: \d+ sessions.*held: [\d.]+ [GT]B are free.*held: the oldest.*held: a standby.*the copy goes on/s, 'the copy says each once');
    $standby->stop;
    same_rows($source, $target, 'limits', 'nothing is missing');
    $target->sql('limits', q{UPDATE penstock.throttle SET reason = 'a standby is behind', held_since = now()});
    wait_until('what a killed copy was held up by to hold nobody up', sub { $migration->ok('throttle')->{stdout} !~ /The copy is/ });
};

subtest 'limits that the roles may not look after' => sub {
    my $migration = make_database('blind');
    $_->sql('blind', 'CREATE ROLE blind LOGIN REPLICATION; GRANT ALL ON ALL TABLES IN SCHEMA public TO blind') foreach $source;
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1, '--no-privileges', '--source', $source->uri('blind', user => 'blind'));
    my $busy = PenstockTest::Blocker->start($source, 'blind', 'SELECT 1');
    $migration->ok('throttle', 'max-sessions=0');
    $go->();
    is($copy->wait, 0, 'the copy does not wait for what it cannot see') or diag($copy->log_tail(20));
    like($copy->log_text, qr/max-sessions is not looked after: the role of --source does not see other sessions/, '... and says so');
    $busy->end;
};

subtest 'others copy along' => sub {
    my $migration = make_database('joined');
    my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1, '--cycle', 1);
    my $gate = $target->background_psql('joined');
    $gate->query_safe('SELECT pg_advisory_lock(55)');
    my $second = background('second', $migration->command('copy', '--join', '--jobs', 2));
    $go->();
    my $third = background('third', $migration->command('copy', '--join', '--jobs', 1));
    wait_until('four jobs to run', sub { !$copy->is_running || at_the_gate('joined') == 4 });
    is($target->sql('joined', 'SELECT count(*) FROM penstock.copier'), '2', 'both have joined');
    $second->kill9;
    wait_until('its jobs to be free', sub { !$copy->is_running || at_the_gate('joined') == 2 });
    # One that hangs, and whose connections stand: it is given up when it has not been seen for a minute.
    kill('STOP', $third->pid);
    $target->sql('joined', q{UPDATE penstock.copier SET seen_at = seen_at - interval '1 hour'});
    wait_until('it to be given up', sub { !$copy->is_running || $target->sql('joined', 'SELECT count(*) FROM penstock.copier') eq '0' && at_the_gate('joined') == 1 });
    $copy->says(qr/which copied along, was not seen/, 'the copy says so');
    kill('CONT', $third->pid);
    is($third->wait, 3, 'when it goes on, it learns that');
    my $fourth = background('fourth', $migration->command('copy', '--join', '--jobs', 2));
    wait_until('another one to join', sub { !$copy->is_running || at_the_gate('joined') == 3 });
    $gate->query_safe('SELECT pg_advisory_unlock(55)');
    is($fourth->wait, 0, 'who joins ends when nothing is left') or diag($fourth->log_tail(10));
    is($copy->wait, 0, 'the copy ends well') or diag($copy->log_tail(20));
    $gate->quit;
    cmp_ok($target->sql('joined', 'SELECT count(DISTINCT snapshot) FROM penstock.job'), '>', 1, 'under several snapshots');
    is($target->sql('joined', 'SELECT count(*) FROM penstock.copier'), '0', 'nobody is left behind');
    my $applier = $migration->follow;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'joined', 'nothing is missing, nothing twice');
    is($applier->stop, 0, 'the applier ends cleanly');
};

done_testing();
