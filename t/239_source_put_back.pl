# A source that was put back to an older copy since the switch: its subscription streams again as if nothing were, and lacks what had come
# back in between. The rollback sees it behind the fence; and a source that was only started again is shown to have everything.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source', conf => "fsync = off\nwal_retrieve_retry_interval = 200ms\nwal_receiver_status_interval = 1s");
my $target = start_target('target', conf => 'fsync = off');
$source->sql('postgres', <<'SQL');
CREATE TABLE kept (id int PRIMARY KEY, words text);
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO kept VALUES (1, 'before');
SQL
my $migration = migration($source, $target);
my @none = ('--proxy' => 'none', '--max-lag' => '1000000000', '--yes');
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;
$migration->ok('cutover', @none);

sub comes_back
{
    my ($id) = @_;
    $target->sql('postgres', "INSERT INTO kept VALUES ($id, 'on the target')");
    my $lsn = $target->sql('postgres', 'SELECT pg_current_wal_lsn()');
    wait_until("row $id on the source", sub { $source->sql('postgres', "SELECT count(*) FROM kept WHERE id = $id") eq '1' });
    wait_until("row $id to be confirmed", sub { $target->sql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn >= '$lsn'") eq '1' });
    return;
}

comes_back(2);
$source->stop;
my $folder = $source->data_dir;
system('cp', '-a', $folder, "$folder.older") == 0 or die "cp: $?\n";
$source->start;
comes_back(3);
$source->stop;
rename($folder, "$folder.gone") or die "rename: $!\n";
rename("$folder.older", $folder) or die "rename: $!\n";
$source->start;
comes_back(4);
is($source->sql('postgres', q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM kept}), '1 2 4', 'a row is missing on the source, and all streams');

my $result = $migration->exits(3, 'rollback', @none);
like($result->{stderr}, qr/came back: the source lacks what had come back to it: 1 table differs: public\.kept at .*3.*started again since the way back began.*--accept-loss/s,
    'the rollback sees it');
like($result->{stdout}, qr/Undone/, 'and all is undone');
is($target->sql('postgres', 'SELECT phase FROM penstock.migration'), 'switched', 'clients stay on the target');
comes_back(5);

# Mended by hand, and started again once more: equal, and so the rollback goes to its end.
$source->sql('postgres', q{SET default_transaction_read_only = off; INSERT INTO kept VALUES (3, 'on the target')});
$source->stop;
$source->start;
comes_back(6);
$result = $migration->ok('rollback', @none);
like($result->{stdout}, qr/came back .*started again since the switch: 2 of 2 tables compared, the same/, 'a source that has everything is shown to');
same_rows($source, $target, 'postgres', 'both sides');

# One that has run all the time has everything, and nothing is compared.
$migration->follow;
$migration->wait_until_caught_up;
$migration->ok('cutover', @none);
comes_back(7);
$result = $migration->ok('rollback', @none);
like($result->{stdout}, qr/came back .*the source has run since the switch/, 'nothing is compared where the source has run since');
done_testing();
