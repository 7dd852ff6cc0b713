# `penstock copy --follow`: one command from an empty database to "ready for the switch". It copies, and goes on as the applier; and
# after it was killed at any moment, the same command goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', <<'SQL');
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id serial PRIMARY KEY, p int REFERENCES parent, v text);
CREATE INDEX ON child (p);
INSERT INTO parent SELECT generate_series(1, 100);
INSERT INTO child (p, v) SELECT 1 + i % 100, md5(i::text) FROM generate_series(1, 20000) AS i;
ANALYZE;
SQL
my $script = "$PostgreSQL::Test::Utils::tmp_check/follow_on.sql";
write_file($script, "\\set p random(1, 100)\nINSERT INTO child (p, v) VALUES (:p, 'load');\nUPDATE child SET v = 'touched' WHERE p = :p AND v = 'load';\n");
my $load = $source->pgbench('postgres', '--client=2', '--rate=50', "--file=$script");
my $migration = migration($source, $target);
my @copy = ('copy', '--follow', '--part-size', 1, '--cycle', 1);

my $phase = sub { $target->sql('postgres', q{SELECT to_regclass('penstock.migration') IS NOT NULL}) eq 't'
      ? $target->sql('postgres', 'SELECT phase FROM penstock.migration') : '' };
my $running = background('copy_follow', $migration->command(@copy));
wait_until('rows to be copied', sub { !$running->is_running || $phase->() ne '' && $target->sql('postgres', q{SELECT count(*) FROM penstock.job WHERE state = 'done'}) > 0 });
$running->kill9;
isnt($phase->(), '', 'the copy was begun');
$running->start;
$migration->{applier} = $running;
wait_until('the applier to apply', sub { !$running->is_running || $phase->() eq 'copied' && $migration->applier_says('state') eq 'streaming' });
$migration->wait_until_caught_up;
$running->kill9;
$running->start;
wait_until('it to go on as the applier', sub { !$running->is_running || $migration->applier_says(q{state = 'streaming' AND updated_at > clock_timestamp() - interval '2 s'}) eq 't' });
ok($running->is_running, 'the same command goes on as the applier') or diag($running->log_tail(10));
$load->stop('ALRM');
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'everything is there');
my $status = decode_json($migration->ok('status', '--json')->{stdout});
is($status->{phase}, 'copied', 'the phase says that all is copied');
$migration->ok('cutover', '--proxy=none', '--yes');
is($target->sql('postgres', 'SELECT phase FROM penstock.migration'), 'switched', 'and the switch can be made');
$running->stop if $running->is_running;
done_testing();
