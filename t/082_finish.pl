# penstock finish: refuses while the applications use the source or someone works on the migration, then removes what was
# made and nothing else, and can be repeated.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
my $psql = '/usr/lib/postgresql/15/bin/psql';

$source->sql('postgres', 'CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 100)');
like($migration->ok('finish')->{stdout}, qr/Nothing to do/, 'without a migration there is nothing to do');

$migration->ok('copy');
like($migration->exits(3, 'finish')->{stderr}, qr/phase copied.*--abandon/s, 'not before the switch');

like($migration->ok('finish', '--migration', 'defualt')->{stdout}, qr/no migration "defualt" on the target, but there is: default/,
    'a name that was mistyped');
like($migration->ok('status', '--migration', 'defualt')->{stdout}, qr/there is +default\n.*--migration/s, 'and so says status');

my $lock = background('lock', $psql, '-X', '-d', $target->uri('postgres'), '-c', q(SET application_name = 'penstock applier'),
    '-c', q(SELECT pg_advisory_lock(hashtextextended('penstock:applier:default', 0))), '-c', 'SELECT pg_sleep(600)');
wait_until('the lock', sub { $target->sql('postgres', q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')) eq '1' });
like($migration->exits(3, 'finish', '--abandon')->{stderr}, qr/applier lock .*process \d+ .*penstock applier/,
    'not while the applier runs, and it is named');
$lock->kill9;
wait_until('the lock to go',
    sub {
        $target->sql('postgres', q(SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory')) eq '0';
    });

my $reader = background('reader', '/usr/lib/postgresql/15/bin/pg_recvlogical', '-d', $source->uri('postgres'), '--slot',
    'penstock_default', '--start', '-f', '/dev/null');
wait_until('the slot to be in use', sub { $source->sql('postgres', 'SELECT active FROM pg_replication_slots') eq 't' });
like($migration->exits(3, 'finish', '--abandon', '--wait', '0')->{stderr}, qr/in use by pid \d+ \(/,
    'a slot in use is not waited for without limit');
$reader->stop;

like($migration->ok('finish', '--abandon', '--keep-journal')->{stdout}, qr/the slot is dropped/, 'given up');
is($source->sql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'no slot is left');
is($target->sql('postgres', q(SELECT string_agg(relname, ',') FROM pg_class WHERE relkind = 'r'
    AND relnamespace = 'penstock'::regnamespace)), 'journal', 'only the journal is left');
is($target->sql('postgres', q(SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass
    AND refobjid = 'penstock'::regnamespace)), '2', 'with its sequence, and nothing else');
is($target->sql('postgres', q(SELECT event FROM penstock.journal WHERE operation = 'finish' ORDER BY id DESC LIMIT 1)),
    'done', 'and says how it ended');
is($target->sql('postgres', 'SELECT count(*) FROM a'), '100', 'what was copied stays');
like($migration->ok('finish', '--abandon')->{stdout}, qr/Nothing to do/, 'a second time is fine');

$target->sql('postgres', 'DROP TABLE a');
$migration->ok('copy');
$target->sql('postgres', q(UPDATE penstock.migration SET phase = 'switched'));
like($migration->exits(2, 'finish')->{stderr}, qr/nobody is here to answer.*--yes/s, 'it asks, and a script has to say --yes');

# On a terminal: whatever is not "yes" changes nothing.
sub on_terminal
{
    my ($answer) = @_;
    my $command = join ' ', map { "'$_'" } $migration->command('finish', '--keep-journal');
    my $said = `echo $answer | script -qec "$command" /dev/null`;
    return ($said, $? >> 8);
}
my ($said, $exit) = on_terminal('y');
like($said, qr/ends the way back: there will be no rollback/, 'what will be gone is said');
is($exit, 4, 'y is not yes');
is($source->sql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '1', 'nothing was done');
is((on_terminal('yes'))[1], 0, 'yes is');
ok($target->sql('postgres', q(SELECT count(*) FROM penstock.journal WHERE operation = 'copy')) > 1,
    'the next migration went on with the journal');

$target->sql('postgres', 'DROP TABLE a; DROP SCHEMA penstock CASCADE');
$migration->ok('copy');
$migration->ok('finish', '--abandon');
is($target->sql('postgres', q(SELECT count(*) FROM pg_namespace WHERE nspname = 'penstock')), '0', 'nothing is left');
done_testing();
