# Large objects go over with their contents, owners, grants and comments; what was made, changed, cut short, given away or removed
# since is brought in the switch, and in the way back, and a second switch finds it again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
$_->sql('postgres', 'CREATE ROLE reader; CREATE ROLE mover SUPERUSER LOGIN') foreach $source, $target;
$source->sql('app', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, doc oid);
-- 700 small ones, some of 300 kB, an empty one, one with a hole.
SELECT lo_from_bytea(100000 + i, convert_to('object ' || i, 'UTF8')) FROM generate_series(1, 700) i;
SELECT lo_from_bytea(200000 + i, convert_to(repeat(md5(i::text), 10000), 'UTF8')) FROM generate_series(1, 8) i;
SELECT lo_create(300000), lo_create(300001);
SELECT lo_put(300001, 1000000, 'behind the hole');
ALTER LARGE OBJECT 100001 OWNER TO app; GRANT SELECT ON LARGE OBJECT 100002 TO reader WITH GRANT OPTION; GRANT UPDATE ON LARGE OBJECT 100002 TO PUBLIC;
REVOKE ALL ON LARGE OBJECT 100003 FROM CURRENT_USER; COMMENT ON LARGE OBJECT 100004 IS 'it''s a comment';
SQL

# All of a side, as one text.
sub all_of
{
    my ($server) = @_;
    return $server->sql('app', q{SELECT string_agg(format('%s %s %s %s %s', m.oid, md5(lo_get(m.oid)), CASE WHEN lomowner = 10 THEN 'boot' ELSE
          pg_get_userbyid(lomowner)::text END, (SELECT string_agg(format('%s %s %s', CASE WHEN grantee = 10 THEN 'boot' WHEN grantee = 0 THEN
          'public' ELSE pg_get_userbyid(grantee)::text END, privilege_type, is_grantable), ',' ORDER BY 1)
          FROM aclexplode(coalesce(lomacl, acldefault('L', lomowner)))), obj_description(m.oid, 'pg_largeobject')), E'\n' ORDER BY m.oid)
          FROM pg_largeobject_metadata m});
}
sub same { my ($what) = @_; return is(all_of($target), all_of($source), $what) }

my $migration = migration($source, $target, database => 'app');
my $notes = decode_json($migration->run('check', '--json', '--no-trial')->{stdout});
my ($note) = grep { $_->{id} eq 'large-objects' } @{$notes};
is($note->{status}, 'note', 'large objects are no problem any more');

# A target that has large objects of its own is nobody's to level.
$target->sql('app', 'SELECT lo_create(5)');
like($migration->exits(3, 'copy')->{stderr}, qr/target database has large objects/, 'large objects on the target are not touched');
$target->sql('app', 'SELECT lo_unlink(5)');
$migration->ok('copy');
same('the copy brings all of them: contents, owners, grants, comments');

# What happens while the stream is followed is in no stream.
my $applier = $migration->follow;
$source->sql('app', <<'SQL');
SELECT lo_put(200001, 150000, 'changed'); SELECT lo_from_bytea(400000, 'new'); SELECT lo_unlink(100700);
BEGIN; SELECT lo_truncate(lo_open(200002, 393216), 5000); COMMIT; SELECT lo_truncate64(lo_open(200003, 393216), 0);
ALTER LARGE OBJECT 100005 OWNER TO app; GRANT SELECT ON LARGE OBJECT 100006 TO reader; REVOKE ALL ON LARGE OBJECT 100002 FROM PUBLIC;
COMMENT ON LARGE OBJECT 100004 IS NULL; COMMENT ON LARGE OBJECT 100008 IS 'later'; SELECT lo_unlink(100009); SELECT lo_from_bytea(100009, 'again');
BEGIN; SAVEPOINT a; SELECT lo_put(100010, 0, 'sub'); RELEASE a; COMMIT; VACUUM FREEZE pg_largeobject;
SQL
$migration->wait_until_caught_up;
my $proxy = start_pgbouncer('pgbouncer', app => $source);
my @cutover = $migration->cutover_words($proxy);
my $dry = $migration->ok(@cutover, '--dry-run', '--json');
my $large = decode_json($dry->{stdout})->{large_objects};
cmp_ok($large->{changed}, '>=', 9, 'a dry run counts what has changed') and cmp_ok($large->{changed}, '<', 60, 'and not much more');
cmp_ok($large->{look_seconds}, '>=', 0, 'and measures how long it takes to find it');
isnt(all_of($target), all_of($source), 'until the switch the target has none of it');

# A change between what is brought ahead and the hold: of a transaction that is open then.
my $gate = PenstockTest::Blocker->start($source, 'app', 'SELECT pg_advisory_lock(77)');
my $open = background('open', $source->installed_command('psql'), '-X', '-d', $source->uri('app'),
    '-c', "BEGIN; SELECT lo_put(100011, 0, 'open'), lo_unlink(100012); SELECT pg_advisory_xact_lock(77); COMMIT");
wait_until('it to wait', sub { $source->sql('app', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) eq '1' });
my $switch = background('switch', $migration->command(@cutover, '--yes', '--max-transaction-age', 1000, '--drain-limit', 50,
        '--hold-limit', 50, '--prepare-limit', 50));
wait_until('what can be brought ahead to be there', sub {
    die "the cutover has ended:\n" . $switch->log_tail . "\n" unless $switch->is_running;
    return $target->sql('app', q{SELECT count(*) FROM penstock.journal WHERE step = 'large ahead' AND event = 'done'}) eq '1';
});
is($target->sql('app', q{SELECT encode(lo_get(100010), 'escape')}), 'subect 10', 'most is there before clients are held');
$gate->end;
is($switch->wait, 0, 'the switch is made') or diag($switch->log_tail);
same('the switch brings what has changed, behind the fence the last of it');

# And back, with what was written to the target; and there again, without a new copy.
$target->sql('app', q{SELECT lo_put(200004, 0, 'on the target'), lo_unlink(100013), lo_from_bytea(500000, 'made there');
      ALTER LARGE OBJECT 100014 OWNER TO app; COMMENT ON LARGE OBJECT 100015 IS 'there'});
my @rollback = $migration->rollback_words($proxy);
my $back = $migration->ok(@rollback, '--yes');
like($back->{stdout}, qr/large objects .* (\d+) brought, \d removed/, 'the rollback says how many');
same('back: what was written to large objects on the target is on the source');
$source->sql('app', q{SELECT lo_put(200005, 7, 'again'), lo_unlink(100020), lo_from_bytea(600000, 'last')});
$applier = $migration->follow;
$migration->wait_until_caught_up;
$migration->ok(@cutover, '--yes');
same('and there again');

# --- Left behind on purpose, they are named before the switch.
app_database('other', $source, $target);
$source->sql('other', q{CREATE TABLE t (id int PRIMARY KEY); SELECT lo_from_bytea(1, 'x')});
my $other = migration($source, $target, database => 'other', name => 'other');
like($other->ok('copy', '--skip-large-objects')->{stderr}, qr/1 large object stays behind/, 'left behind when asked for');
$applier = $other->follow;
$other->wait_until_caught_up;
like($other->exits(3, 'cutover', '--proxy', 'none', '--yes', '--dry-run')->{stderr}, qr/1 large object of the source left behind/,
    'and the switch wants it accepted');

# --- A role that may not read them is told; with the right, it copies. Killed in the middle, the same command goes on.
app_database('third', $source, $target);
$source->sql('third', "CREATE TABLE t (id int PRIMARY KEY); SELECT lo_from_bytea(i::oid, 'x') FROM generate_series(1, 2500) i;");
$_->sql('postgres', 'CREATE ROLE plain LOGIN REPLICATION') foreach $source, $target;
$source->sql('third', 'GRANT SELECT ON t TO plain');
my @as_plain = ('--source' => $source->uri('third', user => 'plain'), '--target' => $target->uri('third'), '--migration' => 'third');
my $result = run_program(program('penstock'), 'copy', @as_plain);
like($result->{stderr}, qr/GRANT SELECT ON pg_catalog\.pg_largeobject/, 'what the role lacks is said');
$source->sql('third', 'GRANT SELECT ON pg_catalog.pg_largeobject TO plain');
my $lock = PenstockTest::Blocker->start($target, 'third', 'SELECT lo_create(1700)');
my $run = background('third', program('penstock'), 'copy', @as_plain, '--jobs', 1);
wait_until('some to be there', sub {
    die "it has ended:\n" . $run->log_tail unless $run->is_running;
    return $target->sql('third', 'SELECT count(*) FROM pg_largeobject_metadata') eq '1500';
});
$run->kill9;
$lock->end;
$source->sql('third', q{SELECT lo_put(7, 0, 'y'), lo_unlink(8)});
$result = run_program(program('penstock'), 'copy', @as_plain, '--jobs', 3);
is($result->{status}, 0, 'the same command goes on') or diag($result->{stderr});
is($target->sql('third', q{SELECT count(*), count(*) FILTER (WHERE lo_get(oid) = 'y') FROM pg_largeobject_metadata}), '2499|1',
    'and has what changed meanwhile');
done_testing();
