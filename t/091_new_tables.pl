# Tables that are made at the source after the copy has listed them: no row of theirs is lost without a word.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
my $sql = sub { $source->sql('postgres', $_[0]) };
# A table that belongs to an extension is the extension's own matter, on both sides.
my $own = 'CREATE TABLE own (id int PRIMARY KEY); ALTER EXTENSION plpgsql ADD TABLE own;';
$sql->("CREATE TABLE t (id int PRIMARY KEY, v int); $own");
my $migration = migration($source, $target, ddl => 'off');
$migration->ok('copy');
$target->sql('postgres', "$own INSERT INTO own VALUES (1)");

my $late = 'CREATE TABLE late (id int PRIMARY KEY, v int)';
my $applier = $migration->follow;
$sql->('INSERT INTO own VALUES (1)');
$migration->same_after('a table of an extension is passed by', 'INSERT INTO t VALUES (1, 1)');
$sql->("$late; CREATE TABLE empty (id int)");
like($migration->exits(3, 'cutover', '--proxy=none', '--yes')->{stderr}, qr/to be copied: public\.empty, public\.late/,
    'no cutover while a table is missing, even without rows');
$sql->('DROP TABLE empty; BEGIN; INSERT INTO t VALUES (2, 2); INSERT INTO late VALUES (1, 1); COMMIT');
is($applier->wait, 3, 'its first rows stop the applier');
like($applier->log_text, qr/table public\.late has rows in transaction [0-9A-F]+\/[0-9A-F]+, and is not part of the migration.*penstock copy/s,
    'which says why, and what to do');
like($migration->exits(3, 'copy')->{stderr}, qr/late/, 'a table that the target does not have is not copied');
$target->sql('postgres', $late);
$migration->ok('copy');
$sql->('UPDATE late SET v = 2');
$applier = $migration->follow;
$migration->same_after('made on the target and copied, it takes part', 'INSERT INTO late VALUES (2, 2)');
is($applier->stop, 0, 'the applier stops cleanly');

$applier = $migration->follow('--on-undecodable=recopy');
my $later = 'CREATE TABLE later (id int PRIMARY KEY)';
$sql->("$later; INSERT INTO later VALUES (1); CREATE TABLE stage AS SELECT 1 AS id; INSERT INTO t VALUES (3, 3)");
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT count(*) FROM t'), 3, 'told to, the applier goes on');
my $status = decode_json($migration->ok('status', '--json')->{stdout});
is(join(' ', map { $_->{table} } @{ $status->{copy}{again} }), 'public.later public.stage', 'status lists them');
$applier->kill9;
$applier = $migration->follow('--on-undecodable=recopy');
$sql->('DROP TABLE stage; INSERT INTO later VALUES (2)');
$migration->wait_until_caught_up;
is($applier->stop, 0, 'after a kill, too');
$target->sql('postgres', $later);
$migration->ok('copy');
$status = decode_json($migration->ok('status', '--json')->{stdout});
is(scalar @{ $status->{copy}{again} }, 0, 'one is copied, the other is gone');
$applier = $migration->follow;
$migration->same_after('all is as at the source', 'DELETE FROM later WHERE id = 1; INSERT INTO later VALUES (3)');
$sql->('CREATE TABLE stage (id int PRIMARY KEY)');
like($migration->exits(3, 'cutover', '--proxy=none', '--yes')->{stderr}, qr/to be copied: public\.stage/, 'one that comes back is missing again');
is($applier->stop, 0, 'the applier stops cleanly again');
$target->sql('postgres', 'CREATE TABLE stage (id int PRIMARY KEY)');
$sql->('INSERT INTO stage VALUES (7)');
$migration->ok('copy');
$applier = $migration->follow;
$migration->same_after('and is copied then', 'INSERT INTO stage VALUES (8)');
is($applier->stop, 0, 'the applier stops cleanly at the end');


# One that is marked and then dropped: with nothing else to copy, too, the copy clears it.
$sql->('DROP TABLE stage');
$applier = $migration->follow('--on-undecodable=recopy');
$sql->('CREATE TABLE passing AS SELECT 1 AS id');
$migration->wait_until_caught_up;
is($target->sql('postgres', q{SELECT copy_state FROM penstock.relation WHERE table_name = 'passing'}), 'pending', 'a new table is marked');
$sql->('DROP TABLE passing');
is($applier->stop, 0, 'the applier stops cleanly once more');
$migration->ok('copy');
$status = decode_json($migration->ok('status', '--json')->{stdout});
is(scalar @{ $status->{copy}{again} }, 0, 'nothing is left to be copied again');
done_testing();
