# Rows are read on a standby of the source: its snapshots see what it has replayed, cycles and kills or not; what its replay has to
# cancel is read again; and the next run may read at the source.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', <<'SQL');
CREATE TABLE parent (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
CREATE TABLE child (id serial PRIMARY KEY, p int REFERENCES parent, v text);
CREATE TABLE big (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, filler text);
CREATE TABLE held (id int PRIMARY KEY, v text);
INSERT INTO parent SELECT generate_series(1, 200);
INSERT INTO child (p, v) SELECT 1 + i % 200, md5(i::text) FROM generate_series(1, 5000) AS i;
INSERT INTO big SELECT i, 0, repeat('b', 300) FROM generate_series(1, 20000) AS i;
INSERT INTO held SELECT i, repeat('h', 300) FROM generate_series(1, 2000) AS i;
ANALYZE;
SQL
my $standby = $source->start_standby('standby');
my $script = "$PostgreSQL::Test::Utils::tmp_check/standby.sql";
write_file($script, "\\set p random(1, 200)\n\\set b random(1, 20000)\nBEGIN;\nUPDATE parent SET n = n + 1 WHERE id = :p;\n"
      . "INSERT INTO child (p, v) VALUES (:p, 'load');\nUPDATE big SET n = n + 1 WHERE id = :b;\nEND;\n");
my $load = $source->pgbench('postgres', '--client=4', '--rate=100', "--file=$script");

my $migration = migration($source, $target);
like($migration->exits(2, 'copy', '--read-from', $source->uri('postgres'))->{stderr}, qr/names no standby/, 'the source is no standby');
my @copy = ('copy', '--part-size', 1, '--cycle', 1, '--jobs', 2, '--read-from', $standby->uri('postgres'));
my ($copy, $go) = $migration->copy_up_to('data', @copy[1 .. $#copy]);
$migration->ok('throttle', 'rate=2MB');    # so that it is at work for long enough to be killed
$go->();
wait_until('rows to be copied', sub { !$copy->is_running || $target->sql('postgres', q{SELECT to_regclass('penstock.job') IS NOT NULL}) eq 't'
      && $target->sql('postgres', q{SELECT count(*) FROM penstock.job WHERE state = 'done'}) > 1
      && $standby->sql('postgres', 'SELECT pg_is_wal_replay_paused()') eq 'f' });
ok($copy->is_running, 'the copy is at work');
$copy->kill9;
$migration->ok('throttle', 'rate=off');
is($target->sql('postgres', 'SELECT count(*) FROM penstock.snapshot WHERE seen IS NOT NULL'), '0', 'snapshots are of the standby');

# The next run reads there, too, and is cancelled by replay.
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 0\n");
$standby->reload;
$copy = background('copy', $migration->command(@copy));
is($copy->wait, 0, 'the copy ends well, whatever the standby cancels') or diag($copy->log_tail(20));
is($standby->sql('postgres', 'SELECT pg_is_wal_replay_paused()'), 'f', 'and replay goes on');
is($target->sql('postgres', 'SELECT standby_paused FROM penstock.migration'), 'f', 'as is noted');
like($copy->log_text, qr/the standby may cancel what is read there/, 'it warns of that');
my $applier = $migration->follow;
$load->stop('ALRM');
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'nothing is missing, nothing twice');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
