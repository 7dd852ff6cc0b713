# Names of slots are the server's: migrations of several databases that have one name, which is "default" unless somebody says otherwise, and
# slots of a user's. None loses what another has.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my @databases = qw(first second third);
foreach my $database (@databases) {
    app_database($database, $source, $target) if $database eq 'first';
    $_->sql('postgres', "CREATE DATABASE $database") foreach $database eq 'first' ? () : ($source, $target);
    $source->sql($database, 'CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1)');
}
my ($first, $second, $third) = map { migration($source, $target, database => $_) } @databases;
my @cutover = ('cutover', '--proxy' => 'none', '--max-lag' => '1000000000', '--yes');
sub slots { my ($server) = @_; return $server->sql('postgres', q{SELECT string_agg(format('%s %s %s', slot_name, plugin, database), ', ') FROM pg_replication_slots}) }

# A slot of a user's where the way back would have its own.
$first->ok('copy');
my $applier = $first->follow;
$first->wait_until_caught_up;
$target->sql('first', q{SELECT pg_create_logical_replication_slot('penstock_reverse_default', 'test_decoding')});
like($first->exits(3, @cutover)->{stderr}, qr/slot penstock_reverse_default .*did not make \(of database first, plugin test_decoding\).*pg_drop_replication_slot/s,
    'a slot that is not ours is refused');
is(slots($target), 'penstock_reverse_default test_decoding first', 'and stays');
$target->sql('first', q{SELECT pg_drop_replication_slot('penstock_reverse_default')});

# The end of one migration, when another has its name.
$first->ok(@cutover, '--no-reverse');
$applier->stop;
$second->ok('copy');
$first->ok('finish', '--yes', '--no-report');
is(slots($source), 'penstock_default penstock second', 'finish leaves the slot of the other database');

# Its fence says that it is finished, as long as it stands.
like($first->ok('status')->{stdout}, qr/^migration +default: finished \(default at 2\d{3}-\d\d-\d\d \d\d:\d\d UTC\); the source stays fenced$/m, 'a migration that is finished is not one that was not begun');
$applier = $second->follow;
$second->wait_until_caught_up;
$second->ok(@cutover);
$applier->stop;

$source->sql('first', 'SET default_transaction_read_only = off; ALTER DATABASE first CONNECTION LIMIT -1; ALTER DATABASE first RESET default_transaction_read_only');
like($first->ok('status')->{stdout}, qr/^migration +default: not begun/m, 'without the fence another may begin');

# While one has a way back, another of its name would need the same slot.
like($third->exits(3, 'copy')->{stderr}, qr/slot penstock_reverse_default .*did not make \(of database second, plugin pgoutput\).*finish/s,
    'a copy under a name whose way back stands is refused');
$third->ok('finish', '--abandon', '--no-report');
is(slots($target), 'penstock_reverse_default pgoutput second', 'and its end leaves the way back of the other');
$target->sql('second', 'INSERT INTO kept VALUES (2)');
wait_until('the way back', sub { $source->sql('second', 'SELECT count(*) FROM kept') == 2 });

# Under another name it goes on beside it.
my $named = migration($source, $target, database => 'third', name => 'named');
$named->ok('copy');
$named->ok('finish', '--abandon', '--no-report');

# A slot of a user's that has our name in our database, made while ours was not there: after a copy that had begun to make one …
$named = migration($source, $target, database => 'third', name => 'late');
$target->sql('third', 'DROP TABLE kept');
my $open = $source->background_psql('third');
$open->query_safe('BEGIN; SELECT txid_current()');
$named->exits(3, 'copy', '--slot-timeout' => '1');
$open->query_safe('COMMIT');
$open->quit;
my $users = q{SELECT pg_create_logical_replication_slot('penstock_late', 'test_decoding')};
my $is_there = sub { like(slots($source), qr/penstock_late test_decoding third/, "$_[0]: the user's slot stays") };
$source->sql('third', $users);
like($named->exits(3, 'copy')->{stderr}, qr/slot penstock_late .*did not make \(of database third, plugin test_decoding\)/, 'a slot that came in between is refused');
$is_there->('copy');
$source->sql('third', q{SELECT pg_drop_replication_slot('penstock_late')});

# … and in the place of the one that a copy had made.
$named->ok('copy');
$source->sql('third', q{SELECT pg_drop_replication_slot('penstock_late')});
$source->sql('third', $users);
like($named->exits(3, @cutover)->{stderr}, qr/slot "penstock_late" does not exist on the source/, 'a cutover does not take it for ours');
$named->ok('finish', '--abandon', '--no-report');
$is_there->('finish');
done_testing();
