# What the operator decides before a switch, and what is shown so that he need not: settings that differ, readers that stay, another
# consumer's slot, tables of which not everything comes back, the role of the applier, a password that need not be stored.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
$source->sql('app', <<'SQL');
CREATE TABLE kept (id int PRIMARY KEY, words text);
CREATE TABLE keyless (n int);
CREATE UNLOGGED TABLE scratch (n int);
CREATE TABLE heavy (n int, words text);
ALTER TABLE heavy ALTER words SET STORAGE PLAIN;
INSERT INTO heavy SELECT i, repeat('x', 3900) FROM generate_series(1, 9000) i;
INSERT INTO keyless VALUES (1), (2);
INSERT INTO scratch VALUES (1);
INSERT INTO kept VALUES (1, 'one');
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
SQL
my $standby = $source->start_standby('standby');
my $migration = migration($source, $target, database => 'app');
my @none = ('--proxy' => 'none', '--max-lag' => '1000000000', '--yes');
my @cutover = ('cutover', @none, '--accept-drift');
my @dry_run = ('cutover', '--proxy' => 'none', '--max-lag' => '1000000000', '--dry-run', '--accept-drift');
$migration->ok('copy');

# An applier that the fence would shut out.
$_->sql('postgres', 'CREATE ROLE streamer LOGIN REPLICATION') foreach $source, $target;
$source->sql('app', 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO streamer');
my $other = migration($source, $target, database => 'app');
my $applier = background('follow_as_streamer', program('penstock'), 'follow', '--source', $source->uri('app', user => 'streamer', tcp => 1),
    '--target', $target->uri('app'));
$other->wait_until_caught_up;
my $result = $migration->exits(3, @dry_run);
like($result->{stderr}, qr/read by role streamer, which is no superuser: the fence would shut it out/, 'an applier that the fence would shut out is refused');
$applier->stop;
$migration->follow;
$migration->wait_until_caught_up;

# Settings: each is named with its statement, which mends it.
$source->sql('postgres', q{ALTER ROLE app SET search_path = 'app', public; ALTER ROLE app SET statement_timeout = '30s'});
$target->sql('postgres', q{ALTER ROLE app SET work_mem = '8MB'; ALTER SYSTEM SET timezone = 'America/Lima'});
$source->sql('postgres', q{ALTER SYSTEM SET timezone = 'Europe/Rome'});
$_->reload foreach $source, $target;
sub zones { return join(' ', map { $_->sql('app', 'SHOW timezone') } $source, $target) }
wait_until('the time zones', sub { zones() eq 'Europe/Rome America/Lima' });
$result = $migration->exits(3, @dry_run);
like($result->{stderr}, qr/applications would find 4 other settings/, 'settings that differ are refused');
my @statements = $result->{stderr} =~ /To mend it, on the target: (.*)/g;
is_deeply([sort @statements], ['ALTER ROLE app RESET work_mem', 'ALTER ROLE app SET search_path TO app, public',
    q{ALTER ROLE app SET statement_timeout TO '30s'}, q{ALTER SYSTEM SET TimeZone TO 'Europe/Rome'; SELECT pg_reload_conf()}], 'each with the statement that mends it')
  or diag($result->{stderr});
like($migration->ok(@dry_run, '--accept-settings')->{stderr}, qr/accepted: TimeZone is Europe\/Rome at the source, America\/Lima at the target/,
    'what is accepted is listed');
$target->sql('app', $_) foreach @statements;
wait_until('the time zone', sub { zones() eq 'Europe/Rome Europe/Rome' });
$result = $migration->ok(@dry_run);
unlike($result->{stderr}, qr/To mend it/, 'and then there is none');
like($result->{stderr}, qr/standbys of the source: \w+ \(.*streaming\)\. The fence is catalog and reaches them.*--leave-readers/, 'a hot standby is named');

# The password of the way back: not stored where it is not needed, and in no log.
my $port = $target->port;
sub conninfo { my ($user) = @_; return "host=127.0.0.1 port=$port dbname=app user=$user password=very-secret" }
my $superuser = getpwuid($<);
$target->sql('postgres', q{CREATE ROLE way SUPERUSER LOGIN PASSWORD 'very-secret'});
my $hba = $target->data_dir . '/pg_hba.conf';
write_file($hba, "host all way 127.0.0.1/32 md5\n" . slurp_file($hba));
$target->reload;
like($migration->ok(@dry_run, '--reverse-conninfo' => conninfo('way'))->{stderr}, qr/stored in pg_subscription on the source.*~\/\.pgpass/,
    'a password that has to be stored is said');
unlike(slurp_file($source->logfile), qr/very-secret/, 'it is not in the log of the source');

# The slot of another consumer; readers stay.
$source->sql('app', q{SELECT pg_create_logical_replication_slot('consumer', 'test_decoding')});
$source->sql('app', q{INSERT INTO kept VALUES (2, 'before')});
like($migration->exits(3, @cutover, '--hand-over-slot' => 'nobody')->{stderr}, qr/no logical slot "nobody"/, 'a slot that is not there');
$result = $migration->ok(@cutover, '--hand-over-slot' => 'consumer', '--leave-readers', '--reverse-conninfo' => conninfo($superuser));
like($result->{stderr}, qr/slot consumer: its consumer has to read the source to [0-9A-F]+\/[0-9A-F]+, no further \(it has confirmed/, 'how far it has to read is said');
unlike($source->sql('app', 'SELECT subconninfo FROM pg_subscription'), qr/secret/, 'a password that the server can do without is not stored');
sub changes
{
    my ($server, $end) = @_;
    return join(',', $server->sql('app', "SELECT data FROM pg_logical_slot_peek_changes('consumer', $end, NULL)") =~ /words\[text\]:'(\w+)'/g);
}
$target->sql('app', q{INSERT INTO kept VALUES (3, 'after')});
my ($final) = $result->{stderr} =~ /has to read the source to ([0-9A-F\/]+)/;
is(changes($source, "'$final'"), 'before', 'the slot on the source has, up to there, what was before');
is(changes($target, 'NULL'), 'after', 'that on the target what came after');
$target->sql('app', q{SELECT pg_drop_replication_slot('consumer')});
my $reader = $source->uri('app', user => 'app', tcp => 1);
is($source->safe_psql('app', 'SELECT count(*) FROM kept WHERE id < 3', connstr => $reader), '2', 'readers are let in');
wait_until('the fence to be on the standby', sub { $standby->sql('postgres', q{SELECT count(*) FROM pg_db_role_setting}) > 0 });
is($standby->safe_psql('app', 'SELECT count(*) FROM kept WHERE id < 3', connstr => $standby->uri('app', user => 'app', tcp => 1)), '2',
    'those of the standby, too');
my $said;
$source->psql('app', 'INSERT INTO public.kept VALUES (9)', connstr => $reader, stderr => \$said);
like($said, qr/read-only transaction/, 'and are read-only');
my $status = decode_json($migration->ok('status', '--json')->{stdout});
ok((grep { $_->{where} eq 'source' && $_->{what} =~ /fence/ } @{$status->{made}}), 'status shows that fence');

# Nothing was written to the tables of which not everything comes back: nothing to accept. One of them is too large to be counted while
# clients are held: that was done after the release, as it was at the switch.
like($result->{stdout}, qr/count .* 1 large table counted$/m, 'a large one was counted later');
wait_until('the way back to stream', sub { $target->sql('app', q{SELECT active FROM pg_replication_slots WHERE slot_name ~ 'reverse'}) eq 't' });
like($migration->exits(3, 'rollback', @none, '--compare-limit', '0.0001')->{stderr}, qr/updates and deletes of .*public\.heavy.*could not be read within 0\.0001 s: .*--compare-limit/s,
    'what there is no time to read is not taken for unwritten');
$migration->ok('rollback', @none);
is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'copied', 'and the migration stands where it stood');
is($source->sql('app', q{SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = 'app'}), '0',
    'nothing is left of the fence');
$migration->follow;
$migration->wait_until_caught_up;
$migration->ok(@cutover);

# An update leaves as many rows, and a new one.
$target->sql('app', 'UPDATE keyless SET n = 3 WHERE n = 1; INSERT INTO heavy VALUES (0)');
wait_until('the way back to stream', sub { $target->sql('app', q{SELECT active FROM pg_replication_slots WHERE slot_name ~ 'reverse'}) eq 't' });
like($migration->exits(3, 'rollback', @none)->{stderr}, qr/updates and deletes of public\.keyless, public\.heavy(?!.*anything of)/, 'what was written to is named, and no other');
# Whoever empties a table leaves no row to be seen.
$target->sql('app', 'TRUNCATE scratch; INSERT INTO scratch VALUES (1); DELETE FROM scratch');
like($migration->exits(3, 'rollback', @none)->{stderr}, qr/public\.keyless, public\.heavy; anything of public\.scratch/, 'also what was emptied');
$migration->ok('rollback', @none, '--accept-loss');
done_testing();
