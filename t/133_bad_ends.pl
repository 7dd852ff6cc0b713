# Whatever dies under a copy in cycles: a backend that is read from or written to, either server, the applier beside, the copy itself.
# It says what it met or goes on, and the same command ends with the source's rows: also of tables whose keys are the outermost ones of
# their type, all equal, or gone from a range by the time that it is copied. A slot that is lost, and a table that is gone or whose
# partitions come and go, are named.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => 'restart_after_crash = on');

sub make_database
{
    my ($name, $sql) = @_;
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    $source->sql($name, $sql);
    return migration($source, $target, database => $name, name => $name);
}

# Rows of a server that may be down.
sub try_sql
{
    my ($server, $database, $sql) = @_;
    my ($status, $rows) = $server->psql($database, $sql);
    return $status == 0 ? $rows : undef;
}

sub jobs_done
{
    return try_sql($target, 'ends', q{SELECT count(*) FROM penstock.job WHERE state = 'done'}) // 0;
}

# Ends backends that COPY, on one side.
sub backends
{
    my ($server, $do) = @_;
    return $server->sql('ends', "SELECT $do FROM pg_stat_activity WHERE application_name LIKE 'penstock copy%' AND query LIKE '%COPY %' AND state <> 'idle'");
}

# What $do says of the backends that COPY, as soon as there are any.
sub while_rows_come
{
    my ($server, $do) = @_;
    my $rows;
    wait_until('rows to be on their way', sub { $rows = backends($server, $do) });
    return split /\n/, $rows;
}

my $cannot = qr/terminat|closed the connection|connection|starting up|shut|recovery/;
my @disasters = (
    ['a backend of the source is ended', sub { while_rows_come($source, 'pg_terminate_backend(pid)') }],
    ['a backend of the target is ended', sub { while_rows_come($target, 'pg_terminate_backend(pid)') }],
    ['a backend of the target is killed', sub {
        kill('KILL', (while_rows_come($target, 'pid'))[0]);
        wait_until('the target to be back', sub { defined try_sql($target, 'ends', 'SELECT 1') });
    }],
    ['the source is gone for a moment', sub { $source->crash_and_restart }],
    ['the target is gone for a moment', sub { $target->crash_and_restart }],
);

subtest 'servers, backends and the applier die' => sub {
    my $migration = make_database('ends', <<'SQL');
CREATE TABLE parts (id int PRIMARY KEY, v text, filler text);
INSERT INTO parts SELECT i, 'v', repeat('p', 300) FROM generate_series(1, 40000) AS i;
CREATE TABLE outermost (id bigint PRIMARY KEY, v text, filler text);
INSERT INTO outermost SELECT ((-9223372036854775808)::numeric + (i - 1)::numeric * 922337203685477)::bigint, 'v', repeat('o', 300) FROM generate_series(1, 20000) AS i;
INSERT INTO outermost VALUES (9223372036854775807, 'last', 'o'), (0, 'zero', 'o'), (-1, 'before', 'o');
CREATE TABLE equal (a int, b int, v text, filler text, PRIMARY KEY (a, b));
INSERT INTO equal SELECT 7, i, 'v', repeat('e', 300) FROM generate_series(1, 20000) AS i;
CREATE TABLE emptied (id int PRIMARY KEY, v text, filler text);
INSERT INTO emptied SELECT i, 'v', repeat('g', 300) FROM generate_series(1, 20000) AS i;
ANALYZE;
SQL
    my @options = ('--part-size', 1, '--jobs', 2, '--cycle', 1);
    my ($copy, $go) = $migration->copy_up_to('data', @options);
    $migration->ok('throttle', 'rate=2MB');
    $source->sql('ends', 'DELETE FROM emptied WHERE id BETWEEN 5000 AND 15000');
    $go->();
    my %parts = map { split /\|/ } split /\n/, $target->sql('ends', q{SELECT r.table_name, count(*) FROM penstock.relation r
        JOIN penstock.job_relation jr ON jr.relation = r.id JOIN penstock.job j ON j.id = jr.job AND j.kind = 'part' GROUP BY 1});
    is(join(' ', sort keys %parts), 'emptied outermost parts', 'what can be cut is cut');
    foreach my $disaster (@disasters) {
        my ($name, $do) = @{$disaster};
        $copy = background('again', $migration->command('copy', @options)) unless $copy->is_running;
        my $done = jobs_done();
        wait_until('a job to be done', sub { !$copy->is_running || jobs_done() > $done });
        $source->sql('ends', "UPDATE $_ SET v = concat(v, '!') WHERE " . ($_ eq 'equal' ? 'b' : 'id') . ' % 50 = 0') foreach qw(parts outermost equal emptied);
        $do->();
        is($copy->wait, 3, "$name: the copy ends") and like($copy->log_tail(4), $cannot, '... and says what it met');
    }
    $copy = background('applier_killed', $migration->command('copy', @options));
    my $applier_pid;
    wait_until('the applier beside', sub { ($applier_pid) = split ' ', `pgrep -P $copy->{pid} -x penstock-applie`; $applier_pid || !$copy->is_running });
    ok($applier_pid && kill('KILL', $applier_pid), 'the applier beside is killed');
    $migration->ok('throttle', 'rate=off');
    is($copy->wait, 0, 'the same command goes on to the end, though the applier beside is killed') or diag($copy->log_tail(15));
    cmp_ok($target->sql('ends', 'SELECT count(DISTINCT snapshot) FROM penstock.job'), '>', 2, 'under several snapshots');
    my $applier = $migration->follow;
    $migration->same_after('every row is there once', q{UPDATE parts SET v = 'later' WHERE id = 1});
    is($applier->stop, 0, 'the applier ends cleanly');
};

subtest 'the slot is lost' => sub {
    my $migration = make_database('lost', 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)');
    my ($copy, $go) = $migration->copy_up_to('data');
    $copy->kill9;
    $go->();
    $source->sql('lost', q{SELECT pg_drop_replication_slot('penstock_lost')});
    like($migration->exits(3, 'copy')->{stderr}, qr/replication slot penstock_lost is gone from the source: changes since .* are lost/, 'it says so, and copies nothing');
    is($target->sql('lost', 'SELECT count(*) FROM t'), '0', 'no row came');
};

subtest 'partitions come and go, and a table is gone, where DDL is not captured' => sub {
    my $migration = make_database('moved', <<'SQL');
CREATE TABLE ev (id int NOT NULL, day int NOT NULL, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (1) TO (2);
CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM (2) TO (3);
INSERT INTO ev SELECT i, 1 + i % 2, 'v' FROM generate_series(1, 1000) AS i;
CREATE TABLE alone (LIKE ev INCLUDING ALL);
INSERT INTO alone SELECT i, 3, 'a' FROM generate_series(1, 100) AS i;
CREATE TABLE gone (id int PRIMARY KEY);
ANALYZE;
SQL
    my ($copy, $go) = $migration->copy_up_to('data', '--ddl', 'off', '--jobs', 1);
    $source->sql('moved', q{ALTER TABLE ev DETACH PARTITION ev_2; ALTER TABLE ev ATTACH PARTITION alone FOR VALUES FROM (3) TO (4)});
    $source->sql('moved', q{UPDATE ev SET v = 'attached' WHERE id < 10; UPDATE ev_2 SET v = 'detached' WHERE id < 10});
    $source->sql('moved', 'DROP TABLE gone');
    $go->();
    is($copy->wait, 3, 'a table that is gone ends the copy');
    like($copy->log_text, qr/public\.gone/, 'and is named') or diag($copy->log_tail(5));
    $target->sql('moved', 'DROP TABLE gone');
    is(background('moved_again', $migration->command('copy'))->wait, 0, 'once it is gone from the target, too, the same command goes on');
    my $applier = $migration->follow;
    $source->sql('moved', q{UPDATE ev SET v = 'later' WHERE id < 5; UPDATE ev_2 SET v = 'later' WHERE id < 5});
    $migration->wait_until_caught_up;
    foreach my $table (qw(ev_1 ev_2 alone)) {
        my $rows = "SELECT count(*), md5(string_agg(concat(t), ' ' ORDER BY id, day)) FROM ONLY $table AS t";
        is($target->sql('moved', $rows), $source->sql('moved', $rows), "all rows of $table are there, whatever it is a partition of");
    }
    my $drift = join("\n", @{ $migration->drift });
    like($drift, qr/public\.$_\b/, "$_ is another partition there, and drift names it") foreach qw(ev_2 alone);
    is($applier->stop, 0, 'the applier ends cleanly');
};

done_testing();
